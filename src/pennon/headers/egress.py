"""Inject: the headers that leave with a request or record.

Rules. What is sent replaces what stood there under the same name, in any case; nothing is appended. Names are
lower-case. Nothing leaves that the route does not grant. No value raises: what cannot be written is dropped and
reported.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pennon.context import Member, Trace
from pennon.headers.baggage import encoded_bytes, fit_baggage, is_writable, join_baggage
from pennon.headers.contract import Contract
from pennon.headers.fields import Downstream
from pennon.headers.grammar import BAGGAGE, CORRELATION_ID, REQUEST_ID, TRACEPARENT, TRACESTATE, visible
from pennon.headers.ids import parse_id
from pennon.headers.report import Drop, DropReason, Report, member_drop
from pennon.headers.routes import Route
from pennon.headers.tracecontext import (
    fit_tracestate,
    format_traceparent,
    format_tracestate,
    is_ready,
    parse_traceparent,
    parse_tracestate,
)

_TRACE_NAMES: Final = frozenset({TRACEPARENT.encode(), TRACESTATE.encode()})


class Outgoing(msgspec.Struct, frozen=True):
    """What to do to the headers that leave: take off all whose name, without case, is in `remove`, then put on `set`.

    set: names are lower-case, each once. remove: lower-case too; the names of `set` are among them.
    """

    set: tuple[tuple[bytes, bytes], ...]
    remove: frozenset[bytes]
    report: Report


def inject(
    contract: Contract,
    downstream: Downstream | None,
    *,
    trace: Trace | None,
    request_id: str | None,
    correlation_id: str | None,
    baggage: Sequence[Member],
    ours: Sequence[Member],
    fields: Sequence[tuple[str, str]] = (),
) -> Outgoing:
    """The headers for a downstream.

    downstream: None, or one that this contract does not declare: nothing is set, and all of ours is taken off.
    trace: its span_id becomes the receiver's parent; None: nothing is being traced, the caller's stays.
    request_id: None outside a request: what the caller set by hand stays, where the downstream may have it.
    ours: baggage members of ours; they go first. fields: name and value, as extracted.
    """
    route = contract.route(downstream)
    leaving = _Leaving(route)
    if route.trace and trace is not None:
        leaving.put_trace(trace)
    leaving.put_baggage(contract, baggage, ours, is_serving=request_id is not None)
    if route.request_id and request_id is not None:
        leaving.put_id(REQUEST_ID, request_id)
    if route.correlation_id and correlation_id is not None:
        leaving.put_id(CORRELATION_ID, correlation_id)
    for name, value in fields:
        leaving.put_field(name, value)
    return leaving.outgoing()


class _Leaving:
    """One injection under way."""

    __slots__ = ("_added", "_dropped", "_remove", "_route", "_set")

    def __init__(self, route: Route) -> None:
        self._route = route
        self._set: list[tuple[bytes, bytes]] = []
        self._remove = route.withheld
        self._added: list[str] = []
        self._dropped: list[Drop] = []

    def outgoing(self) -> Outgoing:
        return Outgoing(
            tuple(self._set),
            self._remove.union(name for name, _ in self._set),
            Report((), tuple(self._added), tuple(self._dropped)),
        )

    def put_trace(self, trace: Trace) -> None:
        """Both headers go, or come, together: a tracestate belongs to its traceparent."""
        header = format_traceparent(trace.trace_id, trace.span_id, trace.flags)
        if parse_traceparent(header) is None:
            self._dropped.append(Drop(TRACEPARENT, DropReason.MALFORMED))
            return
        self._remove |= _TRACE_NAMES
        self._put(TRACEPARENT, header)
        if trace.state:
            self._put_state(trace.state)

    def _put_state(self, state: str) -> None:
        if is_ready(state):
            self._put(TRACESTATE, state.encode())
            return
        parsed = parse_tracestate([state.encode("utf-8", "replace")])
        fitted = fit_tracestate(parsed.members)
        self._dropped += parsed.dropped
        self._dropped += fitted.dropped
        if fitted.members:
            self._put(TRACESTATE, format_tracestate(fitted.members).encode())

    def put_baggage(
        self, contract: Contract, baggage: Sequence[Member], ours: Sequence[Member], *, is_serving: bool
    ) -> None:
        """Ours first, then the request's, within the budget of all together."""
        route = self._route
        members = list(ours) if route.decisions else []
        members += baggage if route.baggage else ()
        policy = contract.baggage
        fitted = fit_baggage(
            [member for member in members if self._is_writable(member)],
            priorities=contract.priorities,
            max_bytes=policy.max_bytes,
            max_members=policy.max_members,
        )
        self._dropped += fitted.dropped
        wire = join_baggage(fitted.members)
        if len(wire) > policy.wire_max_bytes:
            # Percent-encoding has made it longer than the next hop takes.
            fitted = fit_baggage(
                fitted.members,
                priorities=contract.priorities,
                max_bytes=policy.wire_max_bytes,
                max_members=policy.max_members,
                size_bytes=encoded_bytes,
            )
            self._dropped += fitted.dropped
            wire = join_baggage(fitted.members)
        if wire:
            self._put(BAGGAGE, wire)
        elif is_serving or not (route.baggage and route.decisions):
            # What the caller copied in is not what this request holds: it may be what ingress dropped.
            self._remove |= {BAGGAGE.encode()}

    def put_id(self, name: str, value: str) -> None:
        """A request or correlation id."""
        wire = value.encode("utf-8", "replace")
        if parse_id(wire) == value:
            self._put(name, wire)
        else:
            self._dropped.append(Drop(name, DropReason.MALFORMED))

    def put_field(self, name: str, value: str) -> None:
        """A declared field, if the route grants it."""
        wire_name = self._route.fields.get(name)
        if wire_name is None:
            return
        wire = value.encode("utf-8", "replace")
        if visible(wire) is None:
            self._dropped.append(Drop(name, DropReason.MALFORMED))
        else:
            self._put(wire_name.decode(), wire)

    def _is_writable(self, member: Member) -> bool:
        if is_writable(member):
            return True
        self._dropped.append(member_drop(BAGGAGE, member.key, DropReason.MALFORMED))
        return False

    def _put(self, name: str, value: bytes) -> None:
        self._set.append((name.encode(), value))
        self._added.append(name)
