"""What the application sees of a request's headers, and what its caller sees of the response's."""

from collections.abc import Sequence
from typing import Final

from pennon.carry import returning
from pennon.context import RequestContext
from pennon.counters import Count, count
from pennon.headers import DECIDED, Contract, Headers, Report, format_baggage

RawHeaders = list[tuple[bytes, bytes]]

# Written anew from the context that the door built, so that whatever reads raw headers inside (an instrumentation, a
# logger, a handler that forwards) agrees with it.
_IDS: Final = frozenset({b"x-request-id", b"x-correlation-id"})
_OWNED: Final = _IDS | {b"baggage"}
_TRACE: Final = frozenset({b"traceparent", b"tracestate"})
_OURS: Final = b"pennon-"


def seen_inside(
    headers: Headers, contract: Contract, context: RequestContext, report: Report, *, is_trusted: bool
) -> RawHeaders:
    """A request's headers without what is ours and what the contract dropped.

    A caller that is not trusted loses its trace too: an instrumentation inside would take the parent, and the decision
    to sample, from it.
    """
    gone = _OWNED if is_trusted else _OWNED | _TRACE
    if report.dropped:
        dropped = {drop.name for drop in report.dropped}
        gone |= {name for name, known_as in contract.slots.items() if known_as in dropped}
    kept = [
        (name, value)
        for name, value in headers
        if value is not None and (low := name.lower()) not in gone and not low.startswith(_OURS)
    ]
    kept += _ids_of(context)
    if context.baggage:
        kept.append((b"baggage", format_baggage(context.baggage)))
    return kept


def seen_outside(headers: Sequence[tuple[bytes, bytes]], context: RequestContext) -> RawHeaders:
    """A response's headers with the ids of this hop, each once, whatever the application set; nothing else of ours."""
    kept = [(name, value) for name, value in headers if (low := name.lower()) not in _IDS and not low.startswith(_OURS)]
    return kept + _ids_of(context)


def decided_in(context: RequestContext) -> RawHeaders:
    """What tells a verified caller what was decided in this request, by us and by whom we called; [] if nothing was."""
    encoded = returning(context.ledger, is_replay=context.is_replay)
    if encoded.cut_count:
        count(Count.CARRY_CUT, by=encoded.cut_count)
    return [(DECIDED.encode(), encoded.value.encode())] if encoded.value else []


def _ids_of(context: RequestContext) -> RawHeaders:
    ids = [(b"x-request-id", context.request_id.encode())]
    if context.correlation_id is not None:
        ids.append((b"x-correlation-id", context.correlation_id.encode()))
    return ids
