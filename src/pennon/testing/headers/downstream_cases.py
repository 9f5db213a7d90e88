"""The cases of what leaves: each declared host and topic, and one that nobody has declared."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

from pennon.carry import CARRY_KEY, encode_entries
from pennon.context import Entry, Origin
from pennon.headers import Downstream, parse_baggage, parse_traceparent
from pennon.headers.grammar import (
    BAGGAGE,
    CORRELATION_ID,
    OWN,
    OWN_PREFIX,
    REQUEST_ID,
    TRACEPARENT,
    TRACESTATE,
)
from pennon.testing.headers.baggage_cases import example
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.id_cases import CONVERSATION, GIVEN_ID, PARENT, SPAN_ID
from pennon.testing.headers.service import Needs, Service, Setting
from pennon.testing.headers.spy import UNDECLARED, Reached

# Some decision, as another service would have made it.
_DECISION: Final = encode_entries([Entry(1, 1, 1, 29_000_000, 1, 1, Origin.SPLIT, 1)]).value
_BY_HAND: Final = "by-hand"


def downstream_cases(setting: Setting) -> Iterator[Case]:
    """All of them, in a request of the caller that is believed most."""
    make = partial(Case, setting, "downstreams")
    sender = setting.callers.verified or setting.callers.stranger
    assert sender is not None  # noqa: S101  # whom a boundary does not verify is a stranger
    for downstream in (*setting.contract.downstreams, None):
        name = UNDECLARED if downstream is None else downstream.name
        for part, check in _PARTS.items():
            goes = _goes(part, downstream)
            if part == "decisions" and sender != setting.callers.verified:
                continue  # strangers bring none
            says = f"{name!r} {'gets' if goes else 'does not get'} the request's {part.replace('_', ' ')}"
            yield make(f"{name}/{part}", says, partial(check, sender, downstream, goes), Needs.INSIDE)
        says = f"what is copied in by hand of ours does not reach {name!r}"
        yield make(f"{name}/by_hand", says, partial(_nothing_by_hand, sender, downstream), Needs.INSIDE)


def _goes(part: str, downstream: Downstream | None) -> bool:
    """What the declaration grants. Somebody else's host gets neither baggage nor decisions, whatever it says."""
    if downstream is None:
        return False
    granted: bool = getattr(downstream, part)
    return granted and not (downstream.external and part in ("baggage", "decisions"))


def arrived(service: Service, sender: Caller, downstream: Downstream | None, *more: tuple[str, str]) -> list[Reached]:
    """What reaches the downstream of a request that has all there is. `undeclared` is a host and a topic."""
    name = UNDECLARED if downstream is None else downstream.name
    member = example(service.contract.baggage, is_verified=sender == service.callers.verified)
    members = [] if member is None else ["=".join(member)]
    lines = [PARENT, (TRACESTATE, "kit=1"), (REQUEST_ID, GIVEN_ID), (CORRELATION_ID, CONVERSATION), *more]
    lines.append((BAGGAGE, ",".join([*members, f"{CARRY_KEY}={_DECISION}"])))
    seen = service.serve(lines, caller=sender, calling=[name])
    service.expect(seen.reached[name], f"a call reaches {name!r}", "none did")
    return seen.reached[name]


def _trace(sender: Caller, downstream: Downstream | None, goes: bool, service: Service) -> None:
    for reached in arrived(service, sender, downstream):
        lines = [value for name, value in reached.lines if name == TRACEPARENT]
        if not goes:
            service.expect(not lines, "no traceparent arrives", f"{len(lines)} did")
            service.expect(TRACESTATE not in reached.headers, "no tracestate arrives", "one did")
            continue
        service.expect(len(lines) == 1, "one traceparent arrives", f"{len(lines)} did")
        parent = parse_traceparent(lines[0].encode("latin-1"))
        service.expect(parent is not None, "it is valid", "it is not")
        service.expect(parent is not None and parent.parent_id != SPAN_ID, "our span is the parent", "the caller's is")


def _id(header: str, sender: Caller, downstream: Downstream | None, goes: bool, service: Service) -> None:
    for reached in arrived(service, sender, downstream):
        count = sum(name == header for name, _ in reached.lines)
        service.expect(count == goes, f"{header} arrives {'once' if goes else 'not'}", f"{count} lines did")


def _baggage(sender: Caller, downstream: Downstream | None, goes: bool, service: Service) -> None:
    member = example(service.contract.baggage, is_verified=sender == service.callers.verified)
    for reached in arrived(service, sender, downstream):
        found = _members(reached)
        foreign = {key: value for key, value in found.items() if not key.startswith(OWN_PREFIX)}
        wanted = dict([member]) if goes and member is not None else {}
        service.expect(foreign == wanted, f"{len(wanted)} members arrive", f"{len(foreign)} did, or another")


def _decisions(sender: Caller, downstream: Downstream | None, goes: bool, service: Service) -> None:
    for reached in arrived(service, sender, downstream):
        found = CARRY_KEY in _members(reached)
        service.expect(found is goes, "decisions arrive" if goes else "no decisions arrive", "the opposite")


def _nothing_by_hand(sender: Caller, downstream: Downstream | None, service: Service) -> None:
    name = UNDECLARED if downstream is None else downstream.name
    names = [*OWN, BAGGAGE] if downstream is None or downstream.external else [*OWN]
    copied = [(each, f"{CARRY_KEY}={_BY_HAND}" if each == BAGGAGE else _BY_HAND) for each in names]
    seen = service.ask(caller=sender, calling=[name], copied=copied)
    service.expect(seen.reached.get(name), f"a call reaches {name!r}", seen.answered)
    for reached in seen.reached[name]:
        kept = [key for key, value in reached.lines if key in names and _BY_HAND in value]
        service.expect(not kept, "it is taken off", f"it arrived: {', '.join(kept)}")


def _members(reached: Reached) -> dict[str, str]:
    lines = [value.encode("latin-1") for name, value in reached.lines if name == BAGGAGE]
    return {member.key: member.value for member in parse_baggage(lines).members} if lines else {}


_PARTS: Final[Mapping[str, Callable[..., None]]] = {
    "trace": _trace,
    "request_id": partial(_id, REQUEST_ID),
    "correlation_id": partial(_id, CORRELATION_ID),
    "baggage": _baggage,
    "decisions": _decisions,
}
