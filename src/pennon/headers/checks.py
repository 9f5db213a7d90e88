"""What is wrong with a contract: every fault, with its path. Nothing here is read after the contract is built."""

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from pennon.errors import Fault
from pennon.headers.fields import (
    BaggagePolicy,
    Category,
    Classification,
    Downstream,
    Field,
    Log,
    Propagate,
    Trust,
    UnknownMembers,
)
from pennon.headers.grammar import HOP_BY_HOP, OWN_PREFIX, STANDARD, is_token
from pennon.headers.hosts import place_of

if TYPE_CHECKING:
    from pennon.headers.contract import Contract

_NAME_LIMIT_CHARS: Final = 128
_STATUSES: Final = (400, 431)
# Kafka's own rule for topics.
_TOPIC: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._\-]{1,249}")


def faults_of(contract: "Contract") -> list[Fault]:
    """Every fault, in the order of the declaration."""
    return [
        *_texts(contract, "", ("name", "version", "owner")),
        *_naturals(contract.budgets, "/budgets", ("total_bytes", "total_count", "custom_bytes", "trace_bytes")),
        *_fields(contract.fields),
        *_baggage(contract.baggage),
        *_downstreams(contract.downstreams, contract.fields),
    ]


def _fields(fields: Sequence[Field]) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for number, each in enumerate(fields):
        path = f"/fields/{number}"
        yield from _texts(each, path, ("owner", "description"))
        yield from _naturals(each, path, ("max_length",))
        yield from _members_of(
            each,
            path,
            {
                "category": Category,
                "trust": Trust,
                "propagate": Propagate,
                "log": Log,
                "classification": Classification,
            },
        )
        yield from _syntax(each, path)
        if each.trust is not Trust.CLIENT and each.caller_may_set:
            yield Fault(
                f"{path}/caller_may_set",
                f"is True, but the trust is {str(each.trust)!r}: a caller may set only what has the trust 'client'",
            )
        own = {}
        for key, name in (("name", each.name), ("kafka", each.kafka)):
            if name is not None:
                yield from _name(name, f"{path}/{key}", seen)
                own[_folded(name)] = name
        seen |= own


def _name(name: str, path: str, seen: dict[str, str]) -> Iterator[Fault]:
    low = name.lower()
    if not is_token(name) or len(name) > _NAME_LIMIT_CHARS:
        yield Fault(path, f"{name!r} is not a header name: 1 to {_NAME_LIMIT_CHARS} of A-Z a-z 0-9 !#$%&'*+-.^_`|~")
    elif _folded(name) in {_folded(standard) for standard in STANDARD} or low.startswith(OWN_PREFIX):
        yield Fault(path, f"{name!r} is one of pennon's own: {', '.join(STANDARD)} and names beginning with 'pennon'")
    elif low in HOP_BY_HOP or low.startswith("proxy-"):
        yield Fault(path, f"{name!r} concerns one connection and is never forwarded (RFC 9110 §7.6.1)")
    elif _folded(name) in seen:
        yield Fault(path, f"{name!r} differs from {seen[_folded(name)]!r} at most by case or by - and _")


def _syntax(each: Field, path: str) -> Iterator[Fault]:
    try:
        re.compile(each.syntax)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        yield Fault(f"{path}/syntax", f"{each.syntax!r} is not a regular expression: {error}")


def _baggage(policy: BaggagePolicy) -> Iterator[Fault]:
    path = "/baggage"
    yield from _naturals(policy, path, ("max_bytes", "max_members", "wire_max_bytes"))
    yield from _members_of(policy, path, {"on_unknown": UnknownMembers})
    if policy.refuse_status not in _STATUSES:
        yield Fault(f"{path}/refuse_status", f"{policy.refuse_status!r} is not one of {_STATUSES}")
    if policy.max_bytes > policy.wire_max_bytes:
        yield Fault(f"{path}/max_bytes", f"{policy.max_bytes} is more than wire_max_bytes, {policy.wire_max_bytes}")
    if isinstance(policy.allow, str):
        yield Fault(f"{path}/allow", f"{policy.allow!r} is one text; give a list of keys")
        return
    seen = set()
    for number, key in enumerate(policy.allow):
        if not is_token(key):
            yield Fault(f"{path}/allow/{number}", f"{key!r} is not a baggage key: a token of RFC 9110")
        elif key.lower().startswith(OWN_PREFIX):
            yield Fault(f"{path}/allow/{number}", f"{key!r}: keys that begin with 'pennon' are known in every contract")
        elif key in seen:
            yield Fault(f"{path}/allow/{number}", f"{key!r} is listed twice")
        seen.add(key)


def _downstreams(downstreams: Sequence[Downstream], fields: Sequence[Field]) -> Iterator[Fault]:
    declared = {each.name.lower(): each for each in fields}
    names: set[str] = set()
    places: dict[object, str] = {}
    for number, each in enumerate(downstreams):
        path = f"/downstreams/{number}"
        yield from _texts(each, path, ("name",))
        if each.name in names:
            yield Fault(f"{path}/name", f"{each.name!r} is the name of an earlier downstream")
        names.add(each.name)
        yield from _place(each, path, places)
        if each.decides and each.external:
            yield Fault(f"{path}/decides", "is True, but the downstream is external: only a host of ours is believed")
        if each.decides and each.topic is not None:
            yield Fault(f"{path}/decides", "is True, but a topic sends no responses; only a host can return decisions")
        if isinstance(each.fields, str):
            yield Fault(f"{path}/fields", f"{each.fields!r} is one text; give a list of names")
            continue
        for place, name in enumerate(each.fields):
            yield from _downstream_field(each, declared.get(name.lower()), name, f"{path}/fields/{place}")


def _place(each: Downstream, path: str, places: dict[object, str]) -> Iterator[Fault]:
    if (each.host is None) is (each.topic is None):
        found = "neither" if each.host is None else "both"
        yield Fault(path, f"{found} of host and topic is given; exactly one is needed")
        return
    kind, text = ("host", each.host) if each.host is not None else ("topic", each.topic)
    place = place_of(text or "") if kind == "host" else _TOPIC.fullmatch(text or "") and text
    if place is None:
        allowed = "a host, e.g. 'posts.internal', '127.0.0.1:8001', '[::1]:8001' or '*.pay.internal'"
        yield Fault(f"{path}/{kind}", f"{text!r} is not {allowed if kind == 'host' else 'a topic of Kafka'}")
    elif place in places:
        yield Fault(f"{path}/{kind}", f"{text!r} is the {kind} of {places[place]!r} already")
    else:
        places[place] = each.name


def _downstream_field(each: Downstream, declared: Field | None, name: str, path: str) -> Iterator[Fault]:
    if declared is None:
        yield Fault(path, f"{name!r} is not a field of this contract")
    elif declared.propagate is Propagate.NEVER:
        yield Fault(path, f"{name!r} is declared propagate 'never'")
    elif each.external and declared.classification is not Classification.PUBLIC:
        yield Fault(path, f"{name!r} is {str(declared.classification)!r}; external downstreams get public ones only")


def _texts(value: Any, path: str, names: Sequence[str]) -> Iterator[Fault]:
    for name in names:
        found = getattr(value, name)
        if not (isinstance(found, str) and found.strip()):
            yield Fault(f"{path}/{name}", f"{found!r} is not a text with something in it")


def _naturals(value: Any, path: str, names: Sequence[str]) -> Iterator[Fault]:
    for name in names:
        found = getattr(value, name)
        if not isinstance(found, int) or isinstance(found, bool) or found < 1:
            yield Fault(f"{path}/{name}", f"{found!r} is not an integer of at least 1")


def _members_of(value: Any, path: str, kinds: dict[str, type[Enum]]) -> Iterator[Fault]:
    for name, kind in kinds.items():
        found = getattr(value, name)
        if not isinstance(found, kind):
            allowed = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
            yield Fault(f"{path}/{name}", f"{found!r} is not one of {allowed}")


def _folded(name: str) -> str:
    """A name as a gateway may see it: WSGI makes - and _ one (PEP 3333)."""
    return name.lower().replace("_", "-")
