"""The headers of one request that leaves: the contract's word on what the caller set and what this hop carries."""

from typing import Final
from urllib.parse import unquote

from msgspec import structs

from pennon import ambient, counters, otel
from pennon.carry import Departure, depart
from pennon.context import Member, RequestContext, Trace
from pennon.headers import Contract, Downstream, format_baggage, parse_baggage, parse_traceparent
from pennon.http.types import RawHeaders

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
) -> Departure:
    """What to do to the request's headers: what comes off, what is put on, and the report.

    own: as the caller set them. trace: of this call's span, else the span current here counts, else the request's.
    keeps_trace: a valid traceparent among `own` is the one that leaves, if one may.
    """
    context = ambient.current()
    if context is not None:
        context = _with_baggage_of(own, context)
    outgoing = depart(contract, downstream, context, trace=trace or otel.current_trace())
    counters.count_departure(outgoing)
    added, removed = outgoing.set, outgoing.remove
    if context is None and _BAGGAGE not in removed and (here := otel.current_baggage()):
        added = (*added, (_BAGGAGE, _joined(own, here)))
        removed |= {_BAGGAGE}
    if downstream is None or not downstream.trace:
        if not keeps_trace:
            removed |= _TRACE
    elif keeps_trace:
        added = tuple(header for header in added if header[0] not in _TRACE)
        removed -= _TRACE
    return structs.replace(outgoing, set=added, remove=removed)


def _joined(own: RawHeaders, here: tuple[Member, ...]) -> bytes:
    """OpenTelemetry's baggage behind what the caller has set, where no request is served; the former wins."""
    keys = {member.key for member in here}
    by_hand = [member for member in _set_by_hand(own) if member.key not in keys]
    return format_baggage((*by_hand, *here))


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
