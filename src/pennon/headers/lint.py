"""What a contract that builds should still be asked: signs of anti-patterns, to be judged by people.

It looks at names, and at what a syntax lets pass: a few sample values are tried, a JSON object among them. What it does
not find may be wrong all the same. A finding that is meant so is allowed by its rule's name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network
from typing import Final

from pennon.headers import suspects
from pennon.headers.allowlist import PREFIX_MARK, spec_of
from pennon.headers.contract import Contract
from pennon.headers.fields import (
    MAX_BAGGAGE_BYTES,
    MAX_BAGGAGE_MEMBERS,
    BaggageKey,
    Category,
    Classification,
    Downstream,
    Field,
    Limits,
    Log,
    Propagate,
)
from pennon.headers.identity import IDENTITY_NAMES
from pennon.headers.naming import folded
from pennon.headers.redaction import is_sensitive_name
from pennon.headers.standard import StandardField
from pennon.headers.std import HANDLED, IDEMPOTENCY_KEY


class Rule(StrEnum):
    """What is asked. The value is the name by which a finding is allowed."""

    UNCATEGORISED_HEADER = "uncategorised-header"
    VENDOR_TRACE = "vendor-trace"
    NO_OWNER = "no-owner"
    SYNTAX_SAYS_NOTHING = "syntax-says-nothing"
    DOMAIN_PAYLOAD = "domain-payload"
    FREE_TEXT = "free-text"
    JSON_BLOB = "json-blob"
    HIDDEN_PARAMETER = "hidden-parameter"
    ONE_ID_FOR_ALL = "one-id-for-all"
    KEY_FORWARDED = "key-forwarded"
    FORWARD_EVERYTHING = "forward-everything"
    BROAD_DOWNSTREAM = "broad-downstream"
    PUBLIC_IDENTITY = "public-identity"
    REQUIRED_OF_STRANGERS = "required-of-strangers"
    UNMARKED_SECRET = "unmarked-secret"  # noqa: S105  # a rule
    PERSONAL_DATA = "personal-data"
    LOGGED_IN_CLEAR = "logged-in-clear"
    BUDGET_TOO_SMALL = "budget-too-small"
    UNSTABLE_KEYS = "unstable-keys"
    UNBOUNDED_KEY = "unbounded-key"
    BAGGAGE_AS_CACHE = "baggage-as-cache"
    NO_DEADLINE = "no-deadline"
    WIDE_BUDGET = "wide-budget"
    WIDE_NETWORK = "wide-network"
    DEADLINE_NOT_TOLD = "deadline-not-told"
    LIMITS_OBSERVED = "limits-observed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to be asked.

    path: where, as a JSON pointer into the contract. message: what was found, and what would be better.
    """

    rule: Rule
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule} at {self.path}: {self.message}"


_JSON: Final = ('{"state":"open"}', '[{"id":7}]', '{"a":{"b":[1,2]}}')
_TEXT: Final = ("The customer called: wants it by Friday!", "Miller's order, (2nd try) & refund?")
# Nothing that a syntax is for lets all of these pass.
_ANYTHING: Final = ("a", "0", " ", "?!", "a b", "=;,", "~" * 8)
_LONG_VALUE_CHARS: Final = 128
# W3C Trace Context §3.3.1.5: what a tracestate may need.
_LEAST_TRACE_BYTES: Final = 512
# Fewer fields that go everywhere are not yet a habit.
_EVERYTHING_COUNT: Final = 3
# A value of this size holds a document, encoded or not; a quarter of the budget of all of them.
_DOCUMENT_CHARS: Final = 512
# Four times what is usual: servers and proxies take 8 to 64 kB, and what they refuse nobody here sees.
_WIDE: Final = {"total_bytes": 65_536, "total_count": 400, "custom_bytes": 8_192, "trace_bytes": 4_096}
_WIDE_WIRE_BYTES: Final = 32_768
# Nobody waits longer for an answer; what takes as long is a job.
_LONG_WAIT_S: Final = 3_600
# The largest private networks are 10.0.0.0/8 and fc00::/7 (RFC 1918, RFC 4193).
_LEAST_PREFIX_BITS: Final = {4: 8, 6: 7}


def findings_of(contract: Contract) -> tuple[Finding, ...]:
    """Every finding, in the order of the declaration."""
    own = [(f"/fields/{number}", each) for number, each in enumerate(contract.fields)]
    custom = [(path, each) for path, each in own if not isinstance(each, StandardField)]
    return (
        *_owned("/owner", contract.owner),
        *(found for path, each in custom for found in _custom(path, each)),
        *(found for path, each in own for found in _any_field(path, each)),
        *_together(contract, [each for _, each in custom]),
        *_baggage(contract),
        *_wide(contract),
        *(
            found
            for number, each in enumerate(contract.downstreams)
            for found in _downstream(f"/downstreams/{number}", each, has_deadline=contract.deadline is not None)
        ),
        *_deadline(contract),
        *_limits(contract),
    )


def _custom(path: str, each: Field) -> Iterator[Finding]:
    """What is asked of a field of your own."""
    name = folded(each.name)
    if each.category is Category.PROTOCOL:
        message = f"{each.name!r} says how to read a message, as standards do; if no other category fits, question it"
        yield Finding(Rule.UNCATEGORISED_HEADER, f"{path}/category", message)
    if suspects.VENDOR_TRACE.fullmatch(name):
        yield Finding(Rule.VENDOR_TRACE, f"{path}/name", f"{each.name!r} is one vendor's; traceparent is everybody's")
    yield from _owned(f"{path}/owner", each.owner)
    if suspects.DOMAIN.fullmatch(name):
        yield Finding(
            Rule.DOMAIN_PAYLOAD, f"{path}/name", f"{each.name!r} sounds like the message's content: put it there"
        )
    if each.max_length > _DOCUMENT_CHARS:
        message = f"{each.max_length} bytes hold a document, whatever its encoding; pass an id and look it up"
        yield Finding(Rule.DOMAIN_PAYLOAD, f"{path}/max_length", message)
    if suspects.PARAMETER.fullmatch(name):
        message = f"{each.name!r} sounds like an argument: put it into the path, the query or the content"
        yield Finding(Rule.HIDDEN_PARAMETER, f"{path}/name", message)
    if suspects.ANY_ID.fullmatch(name):
        message = f"{each.name!r} says not which id it is: of the request, the conversation, or the deed"
        yield Finding(Rule.ONE_ID_FOR_ALL, f"{path}/name", message)
    if is_sensitive_name(each.name) and each.classification is not Classification.SECRET:
        message = (
            f"{str(each.classification)!r}, but {each.name!r} sounds like a credential; if it is one, it is 'secret'"
        )
        yield Finding(Rule.UNMARKED_SECRET, f"{path}/classification", message)
    if suspects.PERSON.fullmatch(name) and each.classification is not Classification.PERSONAL:
        message = f"{str(each.classification)!r}, but {each.name!r} sounds personal; use an opaque id"
        yield Finding(Rule.PERSONAL_DATA, f"{path}/classification", message)
    yield from _syntax(f"{path}/syntax", each.syntax, each.max_length)
    if each.classification is Classification.INTERNAL_ID and each.log is Log.CLEAR:
        yield Finding(Rule.LOGGED_IN_CLEAR, f"{path}/log", "an id that tells one from another is better hashed in logs")


def _owned(path: str, owner: str) -> Iterator[Finding]:
    if suspects.NOBODY.fullmatch(owner.lower()):
        yield Finding(Rule.NO_OWNER, path, f"{owner!r} cannot be asked; name a team")


def _any_field(path: str, each: Field) -> Iterator[Finding]:
    """What is asked of built-in fields too, as they are listed."""
    name = folded(each.name)
    if each.is_open and name not in HANDLED and (name in IDENTITY_NAMES or suspects.WHO.fullmatch(name)):
        message = f"anybody may say {each.name!r}; take it from a verified identity"
        yield Finding(Rule.PUBLIC_IDENTITY, f"{path}/trust", message)
    if each.required and not each.is_open and name not in IDENTITY_NAMES:
        message = f"{each.name!r} must be there, and strangers cannot set it: a public boundary would refuse everybody"
        yield Finding(Rule.REQUIRED_OF_STRANGERS, f"{path}/required", message)
    if name == IDEMPOTENCY_KEY.name and each.propagate is not Propagate.NEVER:
        message = f"{str(each.propagate)!r}, but a key is for one deed of one service; give each call a derived one"
        yield Finding(Rule.KEY_FORWARDED, f"{path}/propagate", message)


def _syntax(path: str, syntax: str, max_length: int) -> Iterator[Finding]:
    """What a syntax lets pass that belongs into the content."""
    takes = re.compile(syntax).fullmatch
    if all(takes(value) for value in _ANYTHING if len(value) <= max_length):
        yield Finding(Rule.SYNTAX_SAYS_NOTHING, path, f"{syntax!r} takes whatever stands there")
    elif any(takes(value) for value in _JSON if len(value) <= max_length):
        yield Finding(Rule.JSON_BLOB, path, f"{syntax!r} takes JSON: put structure into the content")
    elif any(takes(value) for value in _TEXT if len(value) <= max_length):
        yield Finding(Rule.FREE_TEXT, path, f"{syntax!r} takes free text: name the values, or the characters of an id")


def _together(contract: Contract, custom: list[Field]) -> Iterator[Finding]:
    """What the fields come to all together."""
    ours = [each for each in contract.downstreams if not each.external]
    # Named by each of several services is everywhere as well.
    asked = [{name.lower() for name in each.fields} for each in ours] if len(ours) > 1 else [set[str]()]
    everywhere = [
        each.name
        for each in custom
        if each.propagate is Propagate.ALWAYS or all(each.name.lower() in names for names in asked)
    ]
    if len(everywhere) >= _EVERYTHING_COUNT and len(everywhere) == len(custom):
        message = f"every field of your own goes to every service ({', '.join(everywhere)}); name who needs which"
        yield Finding(Rule.FORWARD_EVERYTHING, "/fields", message)
    in_clear = [each.name for each in custom if each.log is Log.CLEAR]
    if len(in_clear) >= _EVERYTHING_COUNT and len(in_clear) == len(custom):
        message = f"every field of your own is logged in clear ({', '.join(in_clear)}); log what somebody looks for"
        yield Finding(Rule.LOGGED_IN_CLEAR, "/fields", message)
    budgets = contract.budgets
    full_bytes = sum(len(each.name) + each.max_length for each in custom)
    if full_bytes > budgets.custom_bytes:
        message = f"{budgets.custom_bytes}, but your fields can take {full_bytes}: a request that obeys each is refused"
        yield Finding(Rule.BUDGET_TOO_SMALL, "/budgets/custom_bytes", message)
    if budgets.trace_bytes < _LEAST_TRACE_BYTES:
        message = f"{budgets.trace_bytes}; W3C asks for at least {_LEAST_TRACE_BYTES}, tracing systems count on them"
        yield Finding(Rule.BUDGET_TOO_SMALL, "/budgets/trace_bytes", message)


def _wide(contract: Contract) -> Iterator[Finding]:
    """What is as good as no limit."""
    for name, most in _WIDE.items():
        found = getattr(contract.budgets, name)
        if found > most:
            message = f"{found} is no limit that anybody meets; {most} are four times what is usual"
            yield Finding(Rule.WIDE_BUDGET, f"/budgets/{name}", message)
    for number, network in enumerate(contract.proxies.networks if contract.proxies is not None else ()):
        least = _LEAST_PREFIX_BITS[ip_network(network).version]
        if ip_network(network).prefixlen < least:
            message = f"{network!r} is half the world: what a stranger writes there is believed; name your proxies"
            yield Finding(Rule.WIDE_NETWORK, f"/proxies/networks/{number}", message)


def _baggage(contract: Contract) -> Iterator[Finding]:
    policy = contract.baggage
    if policy.max_bytes > MAX_BAGGAGE_BYTES or policy.max_members > MAX_BAGGAGE_MEMBERS:
        message = (
            f"{policy.max_members} members of {policy.max_bytes} bytes travel with each call; {MAX_BAGGAGE_MEMBERS} of"
            f" {MAX_BAGGAGE_BYTES} do for hints"
        )
        yield Finding(Rule.BAGGAGE_AS_CACHE, "/baggage", message)
    if policy.wire_max_bytes > _WIDE_WIRE_BYTES:
        message = f"{policy.wire_max_bytes} is no limit that anybody meets; W3C asks for 8192"
        yield Finding(Rule.BAGGAGE_AS_CACHE, "/baggage/wire_max_bytes", message)
    seen: dict[str, str] = {}
    for number, allowed in enumerate(policy.allow):
        each, path = spec_of(allowed), f"/baggage/allow/{number}"
        if folded(each.key) in seen:
            message = f"{each.key!r} and {seen[folded(each.key)]!r} are two keys to every reader; keep one spelling"
            yield Finding(Rule.UNSTABLE_KEYS, path, message)
        seen[folded(each.key)] = each.key
        yield from _key(path, each)


def _key(path: str, each: BaggageKey) -> Iterator[Finding]:
    name = folded(each.key).removesuffix(PREFIX_MARK).rstrip(".-")
    if each.enum is None and (each.syntax is None or each.max_length is None):
        message = f"{each.key!r} takes any value; say which: BaggageKey(enum=…), or syntax= and max_length="
        yield Finding(Rule.UNBOUNDED_KEY, path, message)
    if each.syntax is not None:
        yield from _syntax(f"{path}/syntax", each.syntax, each.max_length or MAX_BAGGAGE_BYTES)
    if each.enum is None and suspects.WHO.fullmatch(name):
        message = f"{each.key!r}: anybody may set baggage; who asks stands in verified identity, rights never travel"
        yield Finding(Rule.PUBLIC_IDENTITY, path, message)
    if is_sensitive_name(each.key):
        yield Finding(
            Rule.UNMARKED_SECRET, path, f"{each.key!r} sounds like a credential; baggage goes to every service"
        )
    if suspects.PERSON.fullmatch(name):
        yield Finding(Rule.PERSONAL_DATA, path, f"{each.key!r} sounds personal; baggage goes to every service")
    if suspects.STORED.fullmatch(name) or (each.max_length or 0) > _LONG_VALUE_CHARS:
        message = f"{each.key!r} sounds like data that is carried along; pass an id and look it up"
        yield Finding(Rule.BAGGAGE_AS_CACHE, path, message)


def _downstream(path: str, each: Downstream, *, has_deadline: bool) -> Iterator[Finding]:
    if each.host is not None and each.host.startswith("*.") and each.host.count(".") == 1:
        message = f"{each.host!r} is a whole zone: name the services, or a zone below it"
        yield Finding(Rule.BROAD_DOWNSTREAM, f"{path}/host", message)
    elif each.host is not None and not each.external and suspects.SHARED_ZONE.fullmatch(each.host.lower()):
        message = f"{each.host!r} is a zone in which anybody can have a name; name yours, or say external"
        yield Finding(Rule.BROAD_DOWNSTREAM, f"{path}/host", message)
    if has_deadline and each.host is not None and not each.external and each.deadline is None:
        message = f"{each.name!r} is not told how long we wait; e.g. deadline='x-request-timeout-ms'"
        yield Finding(Rule.DEADLINE_NOT_TOLD, path, message)


def _deadline(contract: Contract) -> Iterator[Finding]:
    policy = contract.deadline
    if policy is None:
        message = "nothing says how long a request may take; give the contract a DeadlinePolicy with a cap"
        yield Finding(Rule.NO_DEADLINE, "/deadline", message)
        return
    if not policy.accept:
        message = "no form is read, so that nobody who waits for us can say how long; e.g. 'x-request-timeout-ms'"
        yield Finding(Rule.NO_DEADLINE, "/deadline/accept", message)
    if policy.cap_s > _LONG_WAIT_S:
        message = f"{policy.cap_s:g} s: nobody waits so long for an answer; what takes as long is a job, by a record"
        yield Finding(Rule.NO_DEADLINE, "/deadline/cap_s", message)


def _limits(contract: Contract) -> Iterator[Finding]:
    if contract.limits is Limits.OBSERVE:
        message = "limits are only observed: what breaks one is counted and served; enforce them once that is rare"
        yield Finding(Rule.LIMITS_OBSERVED, "/limits", message)
