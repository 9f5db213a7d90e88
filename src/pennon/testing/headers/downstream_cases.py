"""The cases of what leaves: each declared host and topic, and one that nobody has declared."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from pennon.carry import CARRY_KEY, encode_entries
from pennon.context import Entry, Member, Origin, RequestContext
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
from pennon.testing.headers.baggage_cases import examples
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.id_cases import CONVERSATION, GIVEN_ID, PARENT, SPAN_ID
from pennon.testing.headers.service import Needs, Service, Setting
from pennon.testing.headers.spy import UNDECLARED, Reached

# Some decision, as another service would have made it.
_DECISION: Final = encode_entries([Entry(1, 1, 1, 29_000_000, 1, 1, Origin.SPLIT, 1)]).value
_BY_HAND: Final = "by-hand"
_SAMPLED: Final = 1


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


def _asked(service: Service, sender: Caller, downstream: Downstream | None) -> tuple[RequestContext, list[Reached]]:
    """A request that has all there is, and what reaches the downstream of it. `undeclared` is a host and a topic."""
    name = UNDECLARED if downstream is None else downstream.name
    members = ["=".join(each) for each in examples(service.contract.baggage, is_verified=_is_verified(service, sender))]
    lines = [PARENT, (TRACESTATE, "kit=1"), (REQUEST_ID, GIVEN_ID), (CORRELATION_ID, CONVERSATION)]
    lines.append((BAGGAGE, ",".join([*members, f"{CARRY_KEY}={_DECISION}"])))
    seen = service.serve(lines, caller=sender, calling=[name])
    service.expect(seen.reached[name], f"a call reaches {name!r}", "none did")
    return seen.context_here, seen.reached[name]


def _is_verified(service: Service, sender: Caller) -> bool:
    return sender == service.callers.verified


def _trace(sender: Caller, downstream: Downstream | None, goes: bool, service: Service) -> None:
    context, arrived = _asked(service, sender, downstream)
    ours = context.trace
    for reached in arrived:
        lines = [value for name, value in reached.lines if name == TRACEPARENT]
        if not goes:
            service.expect(not lines, "no traceparent arrives", f"{len(lines)} did")
            service.expect(TRACESTATE not in reached.headers, "no tracestate arrives", "one did")
            continue
        service.expect(len(lines) == 1, "one traceparent arrives", f"{len(lines)} did")
        parent = parse_traceparent(lines[0].encode("latin-1"))
        if parent is None:
            service.fail("it is valid", "it is not")
        service.expect(parent.trace_id == ours.trace_id, "the request's trace", "another")
        service.expect(parent.parent_id != SPAN_ID, "our span is the parent", "the caller's is")
        is_alike = parent.flags & _SAMPLED == ours.flags & _SAMPLED
        service.expect(is_alike, "sampled if the request is", "the opposite")
        # Whoever makes spans may have put a member of its own in front.
        is_told = reached.headers.get(TRACESTATE, "").endswith(ours.state)
        service.expect(is_told, "the request's tracestate arrives", "none, or another, did")


def _id(header: str, sender: Caller, downstream: Downstream | None, goes: bool, service: Service) -> None:
    context, arrived = _asked(service, sender, downstream)
    value = context.request_id if header == REQUEST_ID else context.correlation_id
    for reached in arrived:
        found = [each for name, each in reached.lines if name == header]
        wanted = [value] if goes else []
        told = f"{len(found)} lines did, or another"
        service.expect(found == wanted, f"the request's {header} arrives {'once' if goes else 'not'}", told)


def _baggage(sender: Caller, downstream: Downstream | None, goes: bool, service: Service) -> None:
    context, arrived = _asked(service, sender, downstream)
    for reached in arrived:
        lines = sum(name == BAGGAGE for name, _ in reached.lines)
        service.expect(lines <= 1, "one line of baggage arrives", f"{lines} did")
        foreign = [member for member in _members(reached) if not member.key.startswith(OWN_PREFIX)]
        wanted = [*context.baggage] if goes else []
        told = f"{len(foreign)} did, or with another value or property"
        service.expect(foreign == wanted, f"{len(wanted)} members arrive as they are in the request context", told)


def _decisions(sender: Caller, downstream: Downstream | None, goes: bool, service: Service) -> None:
    for reached in _asked(service, sender, downstream)[1]:
        found = CARRY_KEY in {member.key for member in _members(reached)}
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


def _members(reached: Reached) -> Sequence[Member]:
    return parse_baggage([value.encode("latin-1") for name, value in reached.lines if name == BAGGAGE]).members


_PARTS: Final[Mapping[str, Callable[..., None]]] = {
    "trace": _trace,
    "request_id": partial(_id, REQUEST_ID),
    "correlation_id": partial(_id, CORRELATION_ID),
    "baggage": _baggage,
    "decisions": _decisions,
}
