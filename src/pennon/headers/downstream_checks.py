"""What is wrong with a contract's downstreams."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pennon.errors import Fault
from pennon.headers import std
from pennon.headers.deadline import DeadlineForm
from pennon.headers.fields import Breaker, Classification, Downstream, Field, Propagate, Retries
from pennon.headers.hosts import place_of
from pennon.headers.naming import constant_of
from pennon.headers.standard import Direction, StandardField
from pennon.headers.values import instances, members_of, naturals, spans, texts

if TYPE_CHECKING:
    from pennon.headers.contract import Contract

# Kafka's own rule for topics.
_TOPIC: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._\-]{1,249}")
# RFC 7519 §4.1.3: a StringOrURI; ours are visible ASCII.
_AUDIENCE: Final = re.compile(r"[!-~]{1,255}")
# More than this is not a retry but a flood.
_ATTEMPTS_LIMIT_COUNT: Final = 10
_IDENTITY: Final[Mapping[str, Sequence[str]]] = {
    "tenant": (std.TENANT_ID.name,),
    "actor": (std.ACTOR_ID.name, std.ACTOR_TYPE.name, std.ON_BEHALF_OF.name),
}


def downstream_faults(contract: "Contract") -> Iterator[Fault]:
    """Every fault, in the order of the declaration."""
    declared = {each.name.lower(): each for each in contract.fields}
    names: set[str] = set()
    places: dict[object, str] = {}
    for number, each in enumerate(contract.downstreams):
        path = f"/downstreams/{number}"
        yield from texts(each, path, ("name",))
        if each.name in names:
            yield Fault(f"{path}/name", f"{each.name!r} is the name of an earlier downstream")
        names.add(each.name)
        yield from _place(each, path, places)
        yield from _fields(each, path, declared)
        yield from _identity(each, path, declared)
        yield from _deadline(each, path, has_deadline=contract.deadline is not None)
        if each.topic is not None:
            yield from _topic(each, path)
        if each.decides and each.external:
            yield Fault(f"{path}/decides", "is True, but the downstream is external: only a host of ours is believed")
        yield from _guards(each, path)


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


def _fields(each: Downstream, path: str, declared: Mapping[str, Field]) -> Iterator[Fault]:
    if isinstance(each.fields, str):
        yield Fault(f"{path}/fields", f"{each.fields!r} is one text; give a list of names")
        return
    for place, name in enumerate(each.fields):
        fault = _field_fault(each, declared.get(name.lower()), name)
        if fault is not None:
            yield Fault(f"{path}/fields/{place}", fault)


def _field_fault(each: Downstream, declared: Field | None, name: str) -> str | None:
    """Why a downstream cannot get a field that it names."""
    if name.lower() in std.HANDLED:
        return f"{name!r} is written by pennon: a downstream says so by its other settings, such as trace or deadline"
    if declared is None:
        return f"{name!r} is not a field of this contract"
    if isinstance(declared, StandardField) and declared.direction is Direction.RESPONSE:
        return f"{name!r} stands in responses alone"
    if declared.propagate is Propagate.NEVER:
        way_out = "set it by hand on a call that needs it, or declare it 'per_downstream'"
        return f"{name!r} is declared propagate 'never'; {way_out}"
    if not declared.downstream_may_forward:
        return f"{name!r} is declared downstream_may_forward=False: who receives it keeps it"
    if each.external and declared.classification is not Classification.PUBLIC:
        return f"{name!r} is {str(declared.classification)!r}; external downstreams get public ones only"
    return None


def _identity(each: Downstream, path: str, declared: Mapping[str, Field]) -> Iterator[Fault]:
    for key, names in _IDENTITY.items():
        if not getattr(each, key):
            continue
        missing = [name for name in names if name not in declared]
        if missing:
            message = f"is True, but the contract declares no {', '.join(missing)}"
            yield Fault(f"{path}/{key}", f"{message}; add {', '.join(map(constant_of, missing))} to its fields")
        for name in names:
            fault = None if name in missing else _field_fault(each, declared[name], name)
            if fault is not None:
                yield Fault(f"{path}/{key}", f"is True, but {fault}")
    if each.audience is None:
        return
    if not _AUDIENCE.fullmatch(each.audience):
        yield Fault(f"{path}/audience", f"{each.audience!r} is not 1 to 255 of visible ASCII, e.g. 'payments'")
    elif each.external:
        yield Fault(f"{path}/audience", "is given, but the downstream is external: identity stays in the house")


def _deadline(each: Downstream, path: str, *, has_deadline: bool) -> Iterator[Fault]:
    if each.deadline is None:
        return
    yield from members_of(each, path, {"deadline": DeadlineForm})
    if not has_deadline:
        yield Fault(f"{path}/deadline", "is given, but the contract has no deadline to tell; give it a DeadlinePolicy")


def _topic(each: Downstream, path: str) -> Iterator[Fault]:
    if each.decides:
        yield Fault(f"{path}/decides", "is True, but a topic sends no responses; only a host can return decisions")
    for name in ("deadline", "retries", "breaker"):
        if getattr(each, name) is not None:
            yield Fault(f"{path}/{name}", "is given, but nobody waits for a topic: it is for hosts")


def _guards(each: Downstream, path: str) -> Iterator[Fault]:
    faults = list(instances(each, path, {"retries": Retries, "breaker": Breaker}))
    yield from faults
    if faults:
        return
    if each.retries is not None:
        yield from _retries(each.retries, f"{path}/retries")
    if each.breaker is not None:
        yield from naturals(each.breaker, f"{path}/breaker", ("failures",))
        yield from spans(each.breaker, f"{path}/breaker", ("rest_s",))


def _retries(retries: Retries, path: str) -> Iterator[Fault]:
    faults = [*naturals(retries, path, ("attempts",)), *spans(retries, path, ("initial_s", "max_s"))]
    yield from faults
    if faults:
        return
    if retries.attempts > _ATTEMPTS_LIMIT_COUNT:
        yield Fault(f"{path}/attempts", f"{retries.attempts} is more than {_ATTEMPTS_LIMIT_COUNT}")
    if retries.initial_s > retries.max_s:
        yield Fault(f"{path}/initial_s", f"{retries.initial_s} is more than max_s, {retries.max_s}")
