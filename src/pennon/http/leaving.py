"""The headers of one request that leaves: the contract's word on what the caller set and what this hop carries.

RFC 9110 §7.6.1: what concerns one connection, or what somebody's `Connection` names, is for that connection and never
sent on. What only responses say means nothing in a request. A key that came in names the deed that was asked of us,
not the one that we ask of others.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from msgspec import structs

from pennon import counters, otel
from pennon.carry import Departure, depart
from pennon.context import Member, RequestContext, Trace
from pennon.headers import (
    Contract,
    Downstream,
    Drop,
    DropReason,
    UnknownMembers,
    format_baggage,
    parse_baggage,
    parse_traceparent,
    std,
)
from pennon.headers.business import ids_to_leave_out
from pennon.headers.report import member_drop
from pennon.headers.standard import Direction, HeaderScope
from pennon.http.types import RawHeaders

_BAGGAGE: Final = b"baggage"
_TRACEPARENT: Final = b"traceparent"
_TRACE: Final = frozenset({_TRACEPARENT, b"tracestate"})
_OURS: Final = "pennon"

_CONNECTION: Final = b"connection"
_IDEMPOTENCY_KEY: Final = std.IDEMPOTENCY_KEY.name.encode()
_TE: Final = b"te"
# What a client itself writes for the connection that it makes.
_FRAMING: Final = frozenset({b"host", b"content-length", b"transfer-encoding", _CONNECTION})
# What it may ask of that connection; Connection then names it (RFC 9110 §7.8, §10.1.4).
_ASKED: Final = frozenset({b"upgrade", _TE, b"http2-settings", b"keep-alive", b"close"})
_NOT_SENT_ON: Final = (
    frozenset(
        each.name.encode() for each in std.ALL if each.scope is HeaderScope.HOP or each.direction is Direction.RESPONSE
    )
    - _FRAMING
)
# As clients write it on each request; there is nothing to see in it.
USUALLY_SET: Final = [(_CONNECTION, b"keep-alive")]
# RFC 9113 §8.2.2: the one value that HTTP/2 knows, where there is no Connection; gRPC needs it.
_TRAILERS: Final = (_TE, b"trailers")
_IDS: Final = (std.REQUEST_ID.name.encode(), std.CORRELATION_ID.name.encode())
LOOKED_AT: Final = frozenset({_TRACEPARENT, _BAGGAGE, _CONNECTION, _IDEMPOTENCY_KEY, _TE, *_IDS})
_QUOTES: Final = b' \t"'


class Own:
    """What the caller has set, as far as it is looked at.

    is_usual: there is nothing to see in it. has_trace: one valid traceparent among it.
    headers: those of `LOOKED_AT`, lower-case.
    """

    __slots__ = ("_found", "has_trace", "is_usual")

    def __init__(self, headers: RawHeaders) -> None:
        self.is_usual = not headers or headers == USUALLY_SET
        self._found = () if self.is_usual else headers
        parents = () if self.is_usual else self.lines(_TRACEPARENT)
        self.has_trace = len(parents) == 1 and parse_traceparent(parents[0]) is not None

    def lines(self, name: bytes) -> list[bytes]:
        """The values that a header has. name: one of those that are looked at."""
        return [value for found, value in self._found if found == name]

    def members(self) -> tuple[Member, ...]:
        """The baggage that was set by hand."""
        lines = self.lines(_BAGGAGE)
        return parse_baggage(lines).members if lines else ()

    def corrected(
        self, removed: frozenset[bytes], context: RequestContext | None, contract: Contract
    ) -> tuple[frozenset[bytes], list[Drop]]:
        """What is to come off: `removed`, less what the client asks of its connection, and what was copied in."""
        named = {name.strip().lower() for line in self.lines(_CONNECTION) for name in line.split(b",")} - {b""}
        dropped = []
        if named <= _ASKED:
            removed -= named
            if _TRAILERS in self._found:
                removed -= {_TE}
        else:
            # Clients name nothing else: it was copied, with what it names.
            removed |= named - _FRAMING | {_CONNECTION}
            dropped.append(Drop(_CONNECTION.decode(), DropReason.NOMINATED))
        if context is not None and self._has_key_of(context):
            removed |= {_IDEMPOTENCY_KEY}
            dropped.append(Drop(std.IDEMPOTENCY_KEY.name, DropReason.NOT_FORWARDED))
        if contract.holds_business_id is not None:
            told = ids_to_leave_out(self._found, contract.holds_business_id, removed)
            removed |= {drop.name.encode() for drop in told}
            dropped += told
        return removed, dropped

    def _has_key_of(self, context: RequestContext) -> bool:
        """Whether an idempotency key, quoted or bare, is the one that came in."""
        keys = {value.strip(_QUOTES) for value in self.lines(_IDEMPOTENCY_KEY)}
        came = (value for name, value in context.fields if name == std.IDEMPOTENCY_KEY.name)
        return any(value.encode().strip(_QUOTES) in keys for value in came)


NOTHING_SET: Final = Own(())


def headers_leaving(
    contract: Contract,
    downstream: Downstream | None,
    own: Own,
    context: RequestContext | None,
    *,
    trace: Trace | None,
    keeps_trace: bool,
    is_idle: bool,
    timeout_ns: int | None,
    now_ns: int,
    signed: str | None,
) -> Departure:
    """What to do to the request's headers: what comes off, what is put on, and the report.

    context: of the request being served; None outside one. trace: of this call's span, else the span current here
    counts, else the request's. keeps_trace: a valid traceparent among `own` is the one that leaves, if one may.
    is_idle: OpenTelemetry has neither a span nor baggage here. timeout_ns, now_ns, signed: as `depart`.
    """
    here = () if is_idle else otel.current_baggage()
    by_hand = () if own.is_usual else own.members()
    unfit: list[Drop] = []
    if context is not None and (by_hand or here):
        context, unfit = _with_baggage_of((*by_hand, *here), context, contract)
    if trace is None and not is_idle:
        trace = otel.current_trace()
    leaving = depart(contract, downstream, context, trace=trace, timeout_ns=timeout_ns, now_ns=now_ns, signed=signed)
    removed = leaving.remove
    if context is None and (here or by_hand) and _BAGGAGE not in removed:
        members, unfit = _fit_to_set(_joined(by_hand, here), contract)
        if here or unfit:
            leaving = _with_baggage(leaving, format_baggage(members)) if members else leaving
            removed |= {_BAGGAGE}
    may_trace = downstream is not None and downstream.trace
    if keeps_trace and may_trace:
        leaving = _without_trace(leaving)
        removed -= _TRACE
    elif not (keeps_trace or may_trace):
        removed |= _TRACE
    removed = _with_what_is_not_sent_on(removed)
    report = leaving.report
    if unfit or not own.is_usual:
        removed, copied = own.corrected(removed, context, contract)
        report = structs.replace(report, dropped=(*report.dropped, *unfit, *copied))
    leaving = Departure(leaving.names, leaving.values, removed, report, leaving.cut_count)
    if report.dropped:
        counters.count_departure(leaving)
    return leaving


@lru_cache(maxsize=1_024)
def _with_what_is_not_sent_on(removed: frozenset[bytes]) -> frozenset[bytes]:
    return removed | _NOT_SENT_ON


def _with_baggage(leaving: Departure, value: bytes) -> Departure:
    return structs.replace(leaving, names=(*leaving.names, _BAGGAGE), values=(*leaving.values, value))


def _without_trace(leaving: Departure) -> Departure:
    kept = {name: value for name, value in leaving.set if name not in _TRACE}
    return structs.replace(leaving, names=tuple(kept), values=tuple(kept.values()))


def _joined(by_hand: tuple[Member, ...], here: tuple[Member, ...]) -> tuple[Member, ...]:
    """OpenTelemetry's baggage behind what the caller has set, where no request is served; the former wins."""
    keys = {member.key for member in here}
    return (*(member for member in by_hand if member.key not in keys), *here)


def _fit_to_set(members: Iterable[Member], contract: Contract) -> tuple[list[Member], list[Drop]]:
    """The members that our own code may set: what the contract says may stand under their keys, and no secrets."""
    takes_unknown = contract.baggage.on_unknown is UnknownMembers.KEEP_IN_MESH
    kept: list[Member] = []
    dropped = []
    for member in members:
        is_known = takes_unknown or member.key.startswith(_OURS)
        reason = contract.priorities.unfit_to_set(member.key, member.value, takes_unknown=is_known)
        if reason is None:
            kept.append(member)
        else:
            dropped.append(member_drop(_BAGGAGE.decode(), member.key, reason))
    return kept, dropped


def _with_baggage_of(
    later: tuple[Member, ...], context: RequestContext, contract: Contract
) -> tuple[RequestContext, list[Drop]]:
    """The context with the members that were set since it came in: by hand, and in OpenTelemetry's baggage.

    The latter wins, and both take the place of what came in with the same key. Ours come from the ledger alone.
    """
    if not later:
        return context, []
    known = {(member.key, form) for member in context.baggage for form in _forms_of(member)}
    added: dict[str, Member] = {
        member.key: member
        for member in later
        if (member.key, _folded(member.value)) not in known and not member.key.startswith(_OURS)
    }
    fit, dropped = _fit_to_set(added.values(), contract)
    if not fit:
        return context, dropped
    replaced = {member.key for member in fit}
    kept = tuple(member for member in context.baggage if member.key not in replaced)
    return structs.replace(context, baggage=(*kept, *fit)), dropped


def _forms_of(member: Member) -> tuple[str, str]:
    """What can have become of a member's value in OpenTelemetry's hands, folded: its properties are read as value."""
    value = _folded(member.value)
    return value, _folded(f"{value};{unquote(member.properties)}") if member.properties else value


def _folded(value: str) -> str:
    """What form encoding leaves of a value: OpenTelemetry reads a plus as a space, and writes a space as a plus.

    What differs only so has merely been through its hands; what came in is right.
    """
    return value.replace("+", " ").strip()
