"""What the application sees of a request's headers, and what its caller sees of the response's."""

from typing import Final

from pennon.carry import returning
from pennon.context import RequestContext
from pennon.counters import Count, count
from pennon.headers import DECIDED, Contract, Report, format_baggage
from pennon.http.types import RawHeaders

# Written anew from the context that the door built, so that whatever reads raw headers inside (an instrumentation, a
# logger, a handler that forwards) agrees with it.
_IDS: Final = frozenset({b"x-request-id", b"x-correlation-id"})
_OWNED: Final = _IDS | {b"baggage"}
_TRACE: Final = frozenset({b"traceparent", b"tracestate"})
_OURS: Final = b"pennon-"


def hidden_inside(contract: Contract, report: Report, *, is_trusted: bool) -> frozenset[bytes]:
    """The names, lower-case, of what the application does not see, beside `is_ours`: what the contract dropped.

    A caller that is not trusted loses its trace too: an instrumentation inside would take the parent, and the decision
    to sample, from it.
    """
    gone = _OWNED if is_trusted else _OWNED | _TRACE
    if report.dropped:
        dropped = {drop.name for drop in report.dropped}
        gone |= {name for name, known_as in contract.slots.items() if known_as in dropped}
    return gone


def written_inside(context: RequestContext) -> RawHeaders:
    """What it sees in their place: this hop's ids, and the baggage that was kept."""
    if not context.baggage:
        return _ids_of(context)
    return [*_ids_of(context), (b"baggage", format_baggage(context.baggage))]


def is_ours(name: bytes) -> bool:
    """Whether a header of this name, lower-case, is pennon's own: neither application nor caller sees it."""
    return name.startswith(_OURS)


def is_hidden_outside(name: bytes) -> bool:
    """Whether a response's header of this name, lower-case, does not leave as the application set it."""
    return name in _IDS or is_ours(name)


def written_outside(context: RequestContext, *, tells: bool) -> RawHeaders:
    """What a response says of this hop: its ids, each once.

    tells: the caller is verified, and is told what was decided so far in this request, by us and by whom we called.
    """
    if not tells:
        return _ids_of(context)
    encoded = returning(context.ledger, is_replay=context.is_replay)
    if encoded.cut_count:
        count(Count.CARRY_CUT, by=encoded.cut_count)
    if not encoded.value:
        return _ids_of(context)
    return [*_ids_of(context), (DECIDED.encode(), encoded.value.encode())]


def _ids_of(context: RequestContext) -> list[tuple[bytes, bytes]]:
    ids = [(b"x-request-id", context.request_id.encode())]
    if context.correlation_id is not None:
        ids.append((b"x-correlation-id", context.correlation_id.encode()))
    return ids
