"""Inject: the headers that leave with a request or record.

Rules. What is sent replaces what stood there under the same name, in any case; nothing is appended. Names are
lower-case. Nothing leaves that the route does not grant. No value raises: what cannot be written is dropped and
reported.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from pennon.context import CorrelationId, Identity, Member, RequestId, Trace
from pennon.headers.baggage import encoded_bytes, fit_baggage, is_writable, join_baggage, plain_baggage
from pennon.headers.contract import Contract
from pennon.headers.deadline import format_deadline
from pennon.headers.fields import Downstream
from pennon.headers.grammar import BAGGAGE, CONTEXT, CORRELATION_ID, REQUEST_ID, TRACEPARENT, TRACESTATE, is_visible
from pennon.headers.identity import identity_fields
from pennon.headers.ids import is_id
from pennon.headers.report import Drop, DropReason, Report, member_drop
from pennon.headers.routes import Route
from pennon.headers.tracecontext import (
    fit_tracestate,
    format_tracestate,
    is_ready,
    parse_tracestate,
    written_traceparent,
)
from pennon.headers.written import Outgoing, write_ordinary

_TRACEPARENT: Final = TRACEPARENT.encode()
_TRACESTATE: Final = TRACESTATE.encode()
_BAGGAGE: Final = BAGGAGE.encode()
_CONTEXT: Final = CONTEXT.encode()
_NOBODY: Final = Identity()


def inject(
    contract: Contract,
    downstream: Downstream | None,
    *,
    trace: Trace | None,
    request_id: RequestId | None,
    correlation_id: CorrelationId | None,
    baggage: Sequence[Member],
    ours: Sequence[Member],
    fields: Sequence[tuple[str, str]] = (),
    identity: Identity = _NOBODY,
    timeout_ns: int | None = None,
    now_ns: int = 0,
    signed: str | None = None,
) -> Outgoing:
    """The headers for a downstream.

    downstream: None, or one that this contract does not declare: nothing is set, and all of ours is taken off.
    trace: its span_id becomes the receiver's parent; None: nothing is being traced, the caller's stays.
    request_id: None outside a request: what the caller set by hand stays, where the downstream may have it.
    ours: baggage members of ours; they go first. fields: name and value, as extracted.
    identity: who asks, verified. timeout_ns: how long the call may take from now_ns (wall clock) on; None: no limit.
    signed: a signed context for this downstream's audience.
    """
    route = contract.route(downstream)
    if downstream is not None and request_id is not None and signed is None:
        outgoing = write_ordinary(
            Outgoing,
            contract,
            route,
            trace=trace,
            request_id=request_id,
            correlation_id=correlation_id,
            baggage=baggage,
            ours=ours,
            fields=fields,
            identity=identity,
            timeout_ns=timeout_ns,
            now_ns=now_ns,
        )
        if outgoing is not None:
            return outgoing
    return write_at_length(
        contract,
        route,
        trace,
        request_id,
        correlation_id,
        baggage,
        ours,
        fields,
        identity,
        timeout_ns,
        now_ns,
        signed,
    )


def write_at_length(
    contract: Contract,
    route: Route,
    trace: Trace | None,
    request_id: RequestId | None,
    correlation_id: CorrelationId | None,
    baggage: Sequence[Member],
    ours: Sequence[Member],
    fields: Sequence[tuple[str, str]],
    identity: Identity,
    timeout_ns: int | None,
    now_ns: int,
    signed: str | None,
) -> Outgoing:
    """The same by a route, a header at a time: for whoever knows that `write_ordinary` does not say it."""
    leaving = _Leaving(contract, route)
    if route.trace and trace is not None:
        leaving.put_trace(trace)
    leaving.put_baggage(baggage, ours, is_serving=request_id is not None)
    if route.request_id and request_id is not None:
        leaving.put_id(REQUEST_ID, request_id)
    if route.correlation_id and correlation_id is not None:
        leaving.put_id(CORRELATION_ID, correlation_id)
    if route.deadline is not None and timeout_ns is not None:
        leaving.put(route.deadline.encode(), format_deadline(route.deadline, timeout_ns, now_ns=now_ns))
    if route.is_told_signed and signed is not None:
        leaving.put_signed(signed)
    leaving.put_custom(fields, identity)
    return leaving.outgoing()


class _Leaving:
    """One injection under way. `put`: a header whose value is known to be good; lower-case, each name once."""

    __slots__ = ("_contract", "_dropped", "_off", "_on", "_route")

    def __init__(self, contract: Contract, route: Route) -> None:
        self._contract = contract
        self._route = route
        self._on: list[tuple[bytes, bytes]] = []
        self._off: tuple[bytes, ...] = ()
        self._dropped: list[Drop] = []

    def outgoing(self) -> Outgoing:
        names = tuple(name for name, _ in self._on)
        remove = _with(self._route.withheld, self._off, names)
        report = Report((), tuple(name.decode() for name in names), tuple(self._dropped))
        return Outgoing(names, [value for _, value in self._on], remove, report)

    def put(self, name: bytes, value: bytes) -> None:
        self._on.append((name, value))

    def put_trace(self, trace: Trace) -> None:
        """Both headers go, or come, together: a tracestate belongs to its traceparent."""
        header = written_traceparent(trace.trace_id, trace.span_id, trace.flags)
        if header is None:
            self._drop(TRACEPARENT, DropReason.MALFORMED)
            return
        self._off = (_TRACESTATE,)
        self._on.append((_TRACEPARENT, header))
        if trace.state:
            self._put_state(trace.state)

    def _put_state(self, state: str) -> None:
        limit_chars = self._contract.budgets.trace_bytes
        if is_ready(state, limit_chars=limit_chars):
            self._on.append((_TRACESTATE, state.encode()))
            return
        parsed = parse_tracestate([state.encode("utf-8", "replace")])
        fitted = fit_tracestate(parsed.members, limit_chars=limit_chars)
        self._dropped += parsed.dropped
        self._dropped += fitted.dropped
        if fitted.members:
            self._on.append((_TRACESTATE, format_tracestate(fitted.members).encode()))

    def put_baggage(self, baggage: Sequence[Member], ours: Sequence[Member], *, is_serving: bool) -> None:
        """Ours first, then the request's, within the budget of all together."""
        route = self._route
        members = [*(ours if route.decisions else ()), *(baggage if route.baggage else ())]
        wire = self._written(members) if members else b""
        if wire:
            self._on.append((_BAGGAGE, wire))
        elif is_serving or not (route.baggage and route.decisions):
            # What the caller copied in is not what this request holds: it may be what ingress dropped.
            self._off += (_BAGGAGE,)

    def _written(self, members: list[Member]) -> bytes:
        policy = self._contract.baggage
        if len(members) <= policy.max_members:
            plain = plain_baggage(members, max_bytes=policy.max_bytes)
            if plain is not None:
                return plain
        fitted = fit_baggage(
            [member for member in members if self._is_writable(member)],
            priorities=self._contract.priorities,
            max_bytes=policy.max_bytes,
            max_members=policy.max_members,
        )
        self._dropped += fitted.dropped
        wire = join_baggage(fitted.members)
        if len(wire) > policy.wire_max_bytes:
            # Percent-encoding has made it longer than the next hop takes.
            fitted = fit_baggage(
                fitted.members,
                priorities=self._contract.priorities,
                max_bytes=policy.wire_max_bytes,
                max_members=policy.max_members,
                size_bytes=encoded_bytes,
            )
            self._dropped += fitted.dropped
            wire = join_baggage(fitted.members)
        return wire

    def put_id(self, name: str, value: str) -> None:
        """A request or correlation id."""
        holds_business_id = self._contract.holds_business_id
        if not is_id(value):
            self._drop(name, DropReason.MALFORMED)
        elif holds_business_id is not None and holds_business_id(value):
            self._off += (name.encode(),)
            self._drop(name, DropReason.BUSINESS_ID)
        else:
            self._on.append((name.encode(), value.encode()))

    def put_signed(self, signed: str) -> None:
        """A signed context."""
        wire = signed.encode("utf-8", "replace")
        if is_visible(wire):
            self._on.append((_CONTEXT, wire))
        else:
            self._drop(CONTEXT, DropReason.MALFORMED)

    def put_custom(self, fields: Sequence[tuple[str, str]], identity: Identity) -> None:
        """Who asks and the declared fields, as far as the route grants them, within the budget of all together."""
        granted = self._route.fields
        begin = len(self._on)
        size_bytes = 0
        for name, value in fields:
            wire_name = granted.get(name)
            if wire_name is None:
                continue
            if value.isascii() and value.isprintable():
                self._on.append((wire_name, value.encode()))
                size_bytes += len(wire_name) + len(value)
            else:
                self._drop(name, DropReason.MALFORMED)
        granted = self._route.identity
        if granted and identity is not _NOBODY:
            for name, value in identity_fields(identity):
                wire_name = granted.get(name)
                if wire_name is not None:
                    self._on.append((wire_name, value.encode()))
                    size_bytes += len(wire_name) + len(value)
        if size_bytes > self._contract.budgets.custom_bytes:
            self._cut_custom(begin)

    def _cut_custom(self, begin: int) -> None:
        """Take whole fields off again, the last declared first, until those that are no standard's fit."""
        route = self._route
        wires = {**route.fields, **route.identity}
        sizes = {name: len(name) + len(value) for name, value in self._on[begin:]}
        custom = [(name, wires[name]) for name in self._contract.reading.custom if wires.get(name) in sizes]
        excess_bytes = sum(sizes[wire_name] for _, wire_name in custom) - self._contract.budgets.custom_bytes
        for name, wire_name in reversed(custom):
            if excess_bytes <= 0:
                break
            excess_bytes -= sizes[wire_name]
            self._on = [header for header in self._on if header[0] != wire_name]
            self._off += (wire_name,)
            self._drop(name, DropReason.OVER_BUDGET)

    def _is_writable(self, member: Member) -> bool:
        if is_writable(member):
            return True
        self._dropped.append(member_drop(BAGGAGE, member.key, DropReason.MALFORMED))
        return False

    def _drop(self, name: str, reason: DropReason) -> None:
        self._dropped.append(Drop(name, reason))


# What leaves together is much the same from call to call; a route withholds some hundred spellings.
@lru_cache(maxsize=256)
def _with(withheld: frozenset[bytes], off: tuple[bytes, ...], names: tuple[bytes, ...]) -> frozenset[bytes]:
    return withheld.union(off, names)
