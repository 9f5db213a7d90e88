"""The cases of baggage: which members are kept, of whom, and how much of them."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from pennon.headers import BaggageKey, BaggagePolicy, UnknownMembers
from pennon.headers.grammar import BAGGAGE
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.samples import near_misses, stretched, values_of
from pennon.testing.headers.service import Needs, Seen, Service, Setting

_UNKNOWN: Final = "kit-unknown"
_OURS: Final = "pennon"
_SECRET: Final = "kit-value-that-nobody-repeats"  # noqa: S105  # it stands for one
# What a value of a key that says nothing about it may be like.
_ANYTHING: Final = "[a-z]+"
_UNBOUNDED: Final = 1_000
# What a codec of forms, or one that splits at each "=", makes something else of; and what it says.
_ODD: Final = "a+b%20c=d%25%C3%A9"
_ODD_SAID: Final = "a+b c=d%\xe9"
_ODD_BYTES: Final = 32
_PROPERTIES: Final = ";kit;p=1"


def baggage_cases(setting: Setting) -> Iterator[Case]:
    """All of them, for whoever may ask."""
    make = partial(Case, setting, BAGGAGE)
    policy = setting.contract.baggage
    for caller in setting.callers.each():
        role = "verified" if caller == setting.callers.verified else "stranger"
        keeps = role == "verified" and policy.on_unknown is UnknownMembers.KEEP_IN_MESH
        says = f"a member that no allow list names is {'kept' if keeps else 'dropped'}"
        yield make(f"on_unknown/{role}", says, partial(_unknown, caller, keeps), Needs.INSIDE)
        for number, allowed in enumerate(policy.allow):
            says = "an allowed member is kept, and only with a value that its key may have"
            key = allowed if isinstance(allowed, str) else allowed.key
            yield make(f"allow/{key}/{role}", says, partial(_allowed, caller, number), Needs.INSIDE)
        if _odd(policy, is_verified=role == "verified"):
            says = "values, properties and all lines are read as W3C says: + is a plus, and = may stand in a value"
            yield make(f"codec/{role}", says, partial(_codec, caller), Needs.INSIDE)
    sender = setting.callers.verified or setting.callers.stranger
    assert sender is not None  # noqa: S101  # whom a boundary does not verify is a stranger
    says = f"{policy.wire_max_bytes} bytes are read, one more is {setting.fate(policy.refuse_status)}"
    yield make("wire_max_bytes", says, partial(_wire, sender), Needs.ANSWERS)
    if _free_key(policy, is_verified=sender == setting.callers.verified) is not None:
        yield make("max_bytes", "whole members are kept, up to the limit", partial(_bytes, sender), Needs.INSIDE)
        says = f"{policy.max_members} members are kept, not one more"
        if policy.on_unknown is UnknownMembers.KEEP_IN_MESH and sender == setting.callers.verified:
            yield make("max_members", says, partial(_members, sender), Needs.INSIDE)
    if setting.callers.stranger is not None:
        says = "a stranger's decisions are dropped unread"
        yield make("ours/stranger", says, partial(_ours, setting.callers.stranger), Needs.INSIDE)


def examples(policy: BaggagePolicy, *, is_verified: bool) -> list[tuple[str, str]]:
    """Members that are kept from such a caller, with what they say on the wire; few, for the smallest of budgets."""
    found = ((_key_of(each), _value_of(each)) for each in policy.allow)
    declared = next(([(key, value)] for key, value in found if value is not None), [])
    odd = _odd(policy, is_verified=is_verified)
    # One place less than there are: the decisions want one.
    return list(dict([*declared, *odd]).items())[: policy.max_members - 1]


def _odd(policy: BaggagePolicy, *, is_verified: bool) -> list[tuple[str, str]]:
    """A member that not every codec reads; none where the contract has no room for it."""
    key = _free_key(policy, is_verified=is_verified)
    return [] if key is None or _ODD_BYTES + len(key) > policy.max_bytes // 2 else [(key, _ODD + _PROPERTIES)]


def _unknown(caller: Caller, keeps: bool, service: Service) -> None:
    seen = service.serve([(BAGGAGE, f"{_UNKNOWN}={_SECRET}")], caller=caller)
    _expect_kept(service, seen, {_UNKNOWN: _SECRET} if keeps else {})


def _allowed(caller: Caller, number: int, service: Service) -> None:
    allowed = service.contract.baggage.allow[number]
    key, value = _key_of(allowed), _value_of(allowed)
    if value is not None:
        _expect_kept(service, service.serve([(BAGGAGE, f"{key}={value}")], caller=caller), {key: value})
    for broken in _broken_values(allowed):
        _expect_kept(service, service.serve([(BAGGAGE, f"{key}={broken}")], caller=caller), {})
    # Keys are compared with case.
    if key.upper() != key and caller != service.callers.verified:
        _expect_kept(service, service.serve([(BAGGAGE, f"{key.upper()}={value or 'a'}")], caller=caller), {})


def _codec(caller: Caller, service: Service) -> None:
    policy, is_verified = service.contract.baggage, caller == service.callers.verified
    members = examples(policy, is_verified=is_verified)
    seen = service.serve([(BAGGAGE, "=".join(each)) for each in members], caller=caller)
    _, _, properties = _PROPERTIES.partition(";")
    # Of a stranger's member the properties go.
    said = {_ODD + _PROPERTIES: (_ODD_SAID, properties if is_verified else "")}
    wanted = [(key, *said.get(value, (value, ""))) for key, value in members]
    found = [(member.key, member.value, member.properties) for member in seen.context_here.baggage]
    told = f"{len(found)} are, or with another value or property"
    service.expect(found == wanted, f"{len(wanted)} members of as many lines are kept as they came", told)


def _wire(caller: Caller, service: Service) -> None:
    policy = service.contract.baggage
    room = service.contract.budgets.total_bytes - sum(len(n) + len(v) for n, v in service.lines(caller)) - len(BAGGAGE)
    for size in (policy.wire_max_bytes, policy.wire_max_bytes + 1):
        if size > room:
            return  # all headers together are refused before
        is_over = size > policy.wire_max_bytes
        seen = service.ask([(BAGGAGE, "k=" + "a" * (size - 2))], caller=caller)
        service.expect_refused(seen, is_over=is_over, status=policy.refuse_status)
        service.expect(b"aaaaaaaa" not in seen.answer.body, "the response does not repeat the value", "it does")


def _bytes(caller: Caller, service: Service) -> None:
    policy = service.contract.baggage
    key = _free_key(policy, is_verified=caller == service.callers.verified) or ""
    for size in (policy.max_bytes, policy.max_bytes + 1):
        value = "a" * (size - len(key) - 1)
        seen = service.ask([(BAGGAGE, f"{key}={value}")], caller=caller)
        if seen.was_refused or size > policy.wire_max_bytes:
            return  # the wire's limit, or that of all headers, is the narrower one
        _expect_kept(service, seen, {key: value} if size <= policy.max_bytes else {})


def _members(caller: Caller, service: Service) -> None:
    policy = service.contract.baggage
    for count in (policy.max_members, policy.max_members + 1):
        members = {f"kit-{number}": "v" for number in range(count)}
        line = ",".join(f"{key}={value}" for key, value in members.items())
        if len(line) > policy.max_bytes:
            return  # there are more bytes than members
        seen = service.serve([(BAGGAGE, line)], caller=caller)
        _expect_kept(service, seen, dict(list(members.items())[: policy.max_members]))


def _ours(caller: Caller, service: Service) -> None:
    seen = service.serve([(BAGGAGE, f"{_OURS}={_SECRET}")], caller=caller)
    ledger = seen.context_here.ledger
    service.expect(not (ledger.arrived or ledger.foreign), "the ledger is empty", "it is not")
    service.expect(not seen.inside_lines(BAGGAGE), "the application sees no baggage", "it does")


def _expect_kept(service: Service, seen: Seen, wanted: dict[str, str]) -> None:
    kept = {member.key: member.value for member in seen.context_here.baggage}
    lost, more = len(wanted.keys() - kept.keys()), len(kept.keys() - wanted.keys())
    service.expect(kept == wanted, f"{len(wanted)} members are kept", f"{lost} are missing, {more} are too many")
    lines = ",".join(seen.inside_lines(BAGGAGE))
    leaked = _SECRET in lines and _SECRET not in wanted.values()
    service.expect(not leaked, "the application sees no other member", "it does")


def _free_key(policy: BaggagePolicy, *, is_verified: bool) -> str | None:
    """A key under which anything may stand; None if such a caller has none."""
    if is_verified and policy.on_unknown is UnknownMembers.KEEP_IN_MESH:
        return "kit-hint"
    plain = (each for each in policy.allow if isinstance(each, str) or _is_free(each))
    return next(map(_key_of, plain), None)


def _is_free(allowed: BaggageKey) -> bool:
    return allowed.enum is None and allowed.syntax is None and allowed.max_length is None


def _key_of(allowed: str | BaggageKey) -> str:
    key = allowed if isinstance(allowed, str) else allowed.key
    return f"{key[:-1]}kit" if key.endswith("*") else key


def _value_of(allowed: str | BaggageKey) -> str | None:
    if isinstance(allowed, str):
        return "hint"
    if allowed.enum is not None:
        return next(iter(allowed.enum), None)
    return next(iter(values_of(allowed.syntax or _ANYTHING, allowed.max_length or _UNBOUNDED)), None)


def _broken_values(allowed: str | BaggageKey) -> Iterator[str]:
    if isinstance(allowed, str):
        return
    if allowed.enum is not None:
        yield from (each for each in ("kit", "kit2") if each not in allowed.enum)
    if allowed.syntax is not None:
        # What need not be percent-encoded, so that the value is what is judged.
        yield from (each for each in near_misses(allowed.syntax, _UNBOUNDED) if each.isalnum())
    value = _value_of(allowed)
    if allowed.max_length is not None and value is not None:
        over = stretched(allowed.syntax or _ANYTHING, value, allowed.max_length + 1)
        if over is not None:
            yield over
