"""The headers of one request that leaves: the contract's word on what the caller set and what this hop carries."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

from msgspec import structs

from pennon import ambient, counters, otel
from pennon.carry import depart
from pennon.context import Member, RequestContext, Trace
from pennon.headers import Contract, Downstream, Report, format_baggage, parse_baggage, parse_traceparent

RawHeaders = Sequence[tuple[bytes, bytes]]

_BAGGAGE: Final = b"baggage"
_TRACEPARENT: Final = b"traceparent"
_TRACE: Final = frozenset({_TRACEPARENT, b"tracestate"})
_OURS: Final = "pennon"


def has_own_trace(headers: RawHeaders) -> bool:
    """Whether the caller has set one valid traceparent by hand."""
    parents = [value for name, value in headers if name.lower() == _TRACEPARENT]
    return len(parents) == 1 and parse_traceparent(parents[0]) is not None


def headers_leaving(
    contract: Contract, downstream: Downstream | None, own: RawHeaders, *, trace: Trace | None, keeps_trace: bool
) -> tuple[list[tuple[bytes, bytes]], Report]:
    """The request's headers in place of its own, and what was added and dropped.

    own: as the caller set them; they are not edited. trace: of this call's span, else the span current here counts,
    else the request's. keeps_trace: a valid traceparent among `own` is the one that leaves, if one may.
    """
    context = ambient.current()
    if context is None:
        own = _with_baggage_here(own)
    else:
        context = _with_baggage_of(own, context)
    outgoing = depart(contract, downstream, context, trace=trace or otel.current_trace())
    for drop in outgoing.report.dropped:
        counters.count(counters.Count.HEADERS_DROPPED, drop.reason)
    if outgoing.cut_count:
        counters.count(counters.Count.CARRY_CUT, by=outgoing.cut_count)
    added, removed = outgoing.set, outgoing.remove
    if downstream is None or not downstream.trace:
        if not keeps_trace:
            removed |= _TRACE
    elif keeps_trace:
        added = tuple(header for header in added if header[0] not in _TRACE)
        removed -= _TRACE
    kept = [header for header in own if header[0].lower() not in removed]
    kept += added
    return kept, outgoing.report


def _with_baggage_here(own: RawHeaders) -> RawHeaders:
    """The caller's headers with OpenTelemetry's baggage, where no request is served; the contract judges them."""
    here = otel.current_baggage()
    if not here:
        return own
    keys = {member.key for member in here}
    by_hand = [member for member in _set_by_hand(own) if member.key not in keys]
    others = [header for header in own if header[0].lower() != _BAGGAGE]
    return [*others, (_BAGGAGE, format_baggage((*by_hand, *here)))]


def _with_baggage_of(own: RawHeaders, context: RequestContext) -> RequestContext:
    """The context with the members that were set since it came in: by hand, and in OpenTelemetry's baggage.

    The latter wins, and both take the place of what came in with the same key. Ours come from the ledger alone.
    """
    later = (*_set_by_hand(own), *otel.current_baggage())
    if not later:
        return context
    known = {(member.key, form) for member in context.baggage for form in _forms_of(member)}
    added: dict[str, Member] = {
        member.key: member
        for member in later
        if (member.key, _folded(member.value)) not in known and not member.key.startswith(_OURS)
    }
    if not added:
        return context
    kept = tuple(member for member in context.baggage if member.key not in added)
    return structs.replace(context, baggage=(*kept, *added.values()))


def _set_by_hand(own: RawHeaders) -> tuple[Member, ...]:
    lines = [value for name, value in own if name.lower() == _BAGGAGE]
    return parse_baggage(lines).members if lines else ()


def _forms_of(member: Member) -> tuple[str, str]:
    """What can have become of a member's value in OpenTelemetry's hands, folded: its properties are read as value."""
    value = _folded(member.value)
    return value, _folded(f"{value};{unquote(member.properties)}") if member.properties else value


def _folded(value: str) -> str:
    """What form encoding leaves of a value: OpenTelemetry reads a plus as a space, and writes a space as a plus.

    What differs only so has merely been through its hands; what came in is right.
    """
    return value.replace("+", " ").strip()
