"""What became of what a probe carries: where it came in, and where it arrived."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec

from pennon.carry import CARRY_KEY, decode
from pennon.cli.propagation.findings import Item, State, Verdict
from pennon.cli.propagation.probe import IDENTITY, Probe, reader, signer
from pennon.context import Member, RequestContext
from pennon.headers import Contract, Downstream, Inbound, parse_baggage, parse_traceparent
from pennon.headers.deadline import DeadlineForm, DeadlinePolicy, read_deadline
from pennon.headers.identity import IDENTITY_NAMES, identity_fields
from pennon.headers.routes import Route

_SIGNED: Final = "pennon-context"
_ITEM_OF: Final[Mapping[str, Item]] = {
    "traceparent": Item.TRACE,
    "tracestate": Item.TRACE,
    "x-request-id": Item.REQUEST_ID,
    "x-correlation-id": Item.CORRELATION_ID,
    "baggage": Item.BAGGAGE,
    **{form.value: Item.DEADLINE for form in DeadlineForm},
    **dict.fromkeys(IDENTITY_NAMES, Item.IDENTITY),
}
# A day: no cap of its own when what arrived is read back.
_NO_CAP_S: Final = 86_400.0
# By so much the wall clock may have been set while a probe was under way.
_DRIFT_NS: Final = 50_000_000


def came_in(contract: Contract, probe: Probe, context: RequestContext) -> tuple[Verdict, ...]:
    """What a door took of a verified caller's request."""
    judged = [
        _same(Item.TRACE, probe.trace.trace_id, context.trace.trace_id),
        _same(Item.PARENT, probe.trace.span_id, context.trace.parent_span_id),
        _same(Item.SAMPLED, probe.trace.flags & 1, context.trace.flags & 1),
        _same(Item.REQUEST_ID, probe.request_id, context.request_id),
        _same(Item.CORRELATION_ID, probe.correlation_id, context.correlation_id),
    ]
    if probe.member is None:
        judged.append(Verdict(Item.BAGGAGE, State.WITHHELD, "the contract allows no member"))
    else:
        judged.append(_found(Item.BAGGAGE, probe.member in context.baggage))
    judged.append(_found(Item.DECISIONS, bool(context.ledger.arrived)))
    if contract.deadline is None:
        judged.append(Verdict(Item.DEADLINE, State.WITHHELD, "the contract declares no deadline"))
    else:
        judged.append(_found(Item.DEADLINE, context.deadline is not None and context.deadline.form is not None))
    judged.append(_found(Item.IDENTITY, context.identity.actor == IDENTITY.actor))
    return tuple(judged)


def came_in_from_stranger(contract: Contract, probe: Probe, context: RequestContext) -> tuple[Verdict, ...]:
    """What a public door took of the same request, which nobody vouches for."""
    member = probe.member
    is_allowed = member is not None and member.key in contract.priorities
    believes = contract.deadline is not None and contract.deadline.from_strangers
    has_deadline = context.deadline is not None and context.deadline.form is not None
    is_continued = probe.trace.trace_id == context.trace.trace_id
    own = "a stranger's is not believed"
    return (
        _kept_out(Item.TRACE, is_continued, own),
        _kept_out(Item.PARENT, probe.trace.span_id == context.trace.parent_span_id, own),
        _kept_out(Item.SAMPLED, is_continued and bool(context.trace.flags & 1), "nor does it switch sampling on"),
        _kept_out(Item.REQUEST_ID, probe.request_id == context.request_id, own),
        _same(Item.CORRELATION_ID, probe.correlation_id, context.correlation_id),
        _found(Item.BAGGAGE, member in context.baggage) if is_allowed
        else _kept_out(Item.BAGGAGE, bool(context.baggage), "no key of it is allowed"),
        _kept_out(Item.DECISIONS, bool(context.ledger.arrived), own),
        _found(Item.DEADLINE, has_deadline) if believes else _kept_out(Item.DEADLINE, has_deadline, own),
        _kept_out(Item.IDENTITY, context.identity.actor is not None, "nobody asked the boundary's `identity`"),
    )  # fmt: skip


class Began(msgspec.Struct, frozen=True):
    """When a call began, by both clocks: whatever it was told was written later, and left it less."""

    now_ns: int
    monotonic_ns: int


class Arrived:
    """What a downstream received, read as its own door would read it."""

    def __init__(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.lines: dict[str, list[bytes]] = {}
        for name, value in headers:
            self.lines.setdefault(name.decode("latin-1").lower(), []).append(value)
        parents = self.lines.get("traceparent", [])
        self.parent = parse_traceparent(parents[0]) if len(parents) == 1 else None
        self.members = parse_baggage(self.lines.get("baggage", [])).members

    def one(self, name: str) -> str | None:
        """The value of a header that is there once."""
        values = self.lines.get(name, [])
        return values[0].decode("latin-1") if len(values) == 1 else None


def came_to_stranger(requests: Mapping[str, Sequence[tuple[bytes, bytes]]]) -> tuple[Verdict, ...]:
    """That a host which is not declared got nothing of ours. requests: how it was asked -> what it received."""
    leaked: dict[Item, list[str]] = {}
    for how, headers in requests.items():
        for name in Arrived(headers).lines:
            item = Item.DECISIONS if name.startswith(CARRY_KEY) else _ITEM_OF.get(name)
            if item is not None:
                leaked.setdefault(item, []).append(f"{name} ({how})")
    return tuple(
        _kept_out(item, item in leaked, ": ".join(["the host is not declared", *leaked.get(item, ())])) for item in Item
    )


def arrived(
    contract: Contract,
    downstream: Downstream,
    context: RequestContext,
    headers: Sequence[tuple[bytes, bytes]],
    *,
    began: Began,
    spans: Collection[str],
    sent: Member | None,
) -> tuple[Verdict, ...]:
    """What a declared downstream got of a request's context.

    spans: ids of the spans that were begun since, any of which may be the parent. sent: the member of baggage.
    """
    got = Arrived(headers)
    may = _rules(contract, downstream, context, sent)
    route = contract.route(downstream)
    who = {*IDENTITY_NAMES, *(name.decode() for name in route.identity.values()), _SIGNED}
    parent = got.parent
    has_trace = parent is not None
    checks: Mapping[Item, tuple[bool, Callable[[], bool]]] = {
        Item.TRACE: (has_trace, lambda: parent is not None and parent.trace_id == context.trace.trace_id),
        Item.PARENT: (has_trace, lambda: parent is not None and parent.parent_id in {context.trace.span_id, *spans}),
        Item.SAMPLED: (has_trace, lambda: parent is not None and (parent.flags ^ context.trace.flags) & 1 == 0),
        Item.REQUEST_ID: _line(got, "x-request-id", context.request_id),
        Item.CORRELATION_ID: _line(got, "x-correlation-id", context.correlation_id),
        Item.BAGGAGE: (any(not each.key.startswith(CARRY_KEY) for each in got.members), lambda: sent in got.members),
        Item.DECISIONS: (any(each.key.startswith(CARRY_KEY) for each in got.members), lambda: _decides(got, context)),
        Item.DEADLINE: (
            any(form in got.lines for form in DeadlineForm),
            lambda: _is_sooner(got, downstream, context, began),
        ),
        Item.IDENTITY: (
            bool(who & got.lines.keys()),
            lambda: _names_who_acts(got, downstream, route, context),
        ),
    }
    return tuple(_verdict(item, may[item], is_there, is_right) for item, (is_there, is_right) in checks.items())


def _verdict(item: Item, rule: str | None, is_there: bool, is_right: Callable[[], bool]) -> Verdict:
    if rule is not None:
        return _kept_out(item, is_there, rule)
    if not is_there:
        return Verdict(item, State.LOST, "none arrived")
    return Verdict(item, State.KEPT) if is_right() else Verdict(item, State.LOST, "another arrived than left")


def _rules(
    contract: Contract, downstream: Downstream, context: RequestContext, sent: Member | None
) -> dict[Item, str | None]:
    """By which rule of the contract each thing stays behind; None: it goes."""
    route = contract.route(downstream)
    somebody_else = "it is external"
    trace = None if route.trace else "trace=False"
    return {
        Item.TRACE: trace,
        Item.PARENT: trace,
        Item.SAMPLED: trace,
        Item.REQUEST_ID: None if route.request_id else "request_id=False",
        Item.CORRELATION_ID: None if route.correlation_id else "correlation_id=False",
        Item.BAGGAGE: _baggage_rule(route.baggage, downstream, sent),
        Item.DECISIONS: None if route.decisions else somebody_else if downstream.external else "decisions=False",
        Item.DEADLINE: _deadline_rule(contract, downstream, context),
        Item.IDENTITY: _identity_rule(route),
    }


def _baggage_rule(is_granted: bool, downstream: Downstream, sent: Member | None) -> str | None:
    if sent is None:
        return "the contract allows no member"
    if is_granted:
        return None
    return "it is external" if downstream.external else "baggage=False"


def _deadline_rule(contract: Contract, downstream: Downstream, context: RequestContext) -> str | None:
    if contract.deadline is None:
        return "the contract declares no deadline"
    if downstream.topic is not None:
        return "a topic is told none"
    if downstream.deadline is None:
        return "it declares no deadline form"
    return "the request has none" if context.deadline is None else None


def _identity_rule(route: Route) -> str | None:
    if route.identity or (route.is_told_signed and signer() is not None):
        return None
    return "it is to be signed, and pennon[signing] is missing" if route.is_told_signed else "no tenant=, no actor="


def _names_who_acts(got: Arrived, downstream: Downstream, route: Route, context: RequestContext) -> bool:
    """Whether every header that is granted is there, and, where it is to be signed, the signature says the same."""
    said = identity_fields(context.identity)
    granted = {wire.decode() for name, wire in route.identity.items() if name in dict(said)}
    if not granted <= got.lines.keys():
        return False
    if not route.is_told_signed or signer() is None:
        return True
    headers = [(name.encode(), value) for name, lines in got.lines.items() for value in lines]
    inbound = Inbound(address=None, method=None, path=None, topic=downstream.topic, headers=headers, source=None)
    read = reader(downstream).identity_of(inbound, is_trusted=True)
    return read is not None and identity_fields(read) == said


def _line(got: Arrived, name: str, expected: str | None) -> tuple[bool, Callable[[], bool]]:
    return name in got.lines, lambda: got.one(name) == expected


def _decides(got: Arrived, context: RequestContext) -> bool:
    """Whether the member, read as a callee would, holds the entries that came in."""
    values = [member.value for member in got.members if member.key == CARRY_KEY]
    entries = {entry for value in values for entry in decode(value).entries}
    return {entry for place in context.ledger.arrived.values() for entry in place} <= entries


def _is_sooner(got: Arrived, downstream: Downstream, context: RequestContext, began: Began) -> bool:
    """Whether what it was told, in the form that it declares, is no later than what we were told."""
    form = downstream.deadline
    if form is None or context.deadline is None or form.value not in got.lines:
        return False
    read = read_deadline(
        {form.value: got.lines[form.value]},
        DeadlinePolicy(accept=[form], cap_s=_NO_CAP_S),
        is_trusted=True,
        now_ns=began.now_ns,
        monotonic_ns=began.monotonic_ns,
    )
    return not read.dropped and read.deadline.due_ns <= context.deadline.due_ns + _DRIFT_NS


def _same(item: Item, sent: object, found: object) -> Verdict:
    if found is None:
        return Verdict(item, State.LOST, "none was taken")
    return Verdict(item, State.KEPT) if sent == found else Verdict(item, State.LOST, "another was taken than came in")


def _found(item: Item, is_there: bool) -> Verdict:
    return Verdict(item, State.KEPT) if is_there else Verdict(item, State.LOST, "none was taken")


def _kept_out(item: Item, is_there: bool, rule: str) -> Verdict:
    return (
        Verdict(item, State.LEAKED, f"it crossed, although {rule}") if is_there else Verdict(item, State.WITHHELD, rule)
    )
