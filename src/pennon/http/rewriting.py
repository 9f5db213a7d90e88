"""What the application sees of a request's headers, and what its caller sees of the response's."""

from functools import lru_cache
from typing import Final

from pennon.carry import returning
from pennon.context import Member, RequestContext
from pennon.counters import Count, count
from pennon.headers import DECIDED
from pennon.headers.baggage import join_baggage, plain_baggage
from pennon.http.types import RawHeaders

# Written anew from the context that the door built, so that whatever reads raw headers inside (an instrumentation, a
# logger, a handler that forwards) agrees with it.
_IDS: Final = frozenset({b"x-request-id", b"x-correlation-id"})
_OURS: Final = b"pennon-"
# Longer ones are written the long way.
_PLAIN_LIMIT_BYTES: Final = 1_024
# Half a megabyte at most, by the default budget.
_WRITTEN_COUNT: Final = 128


def written_inside(context: RequestContext, ids: RawHeaders) -> RawHeaders:
    """What it sees in their place: this hop's ids (`ids_of`), and the baggage that was kept."""
    members = context.baggage
    return [*ids, (b"baggage", _written(members))] if members else ids


# Members that are declared have few values, which come again and again.
@lru_cache(maxsize=_WRITTEN_COUNT)
def _written(members: tuple[Member, ...]) -> bytes:
    return plain_baggage(members, max_bytes=_PLAIN_LIMIT_BYTES) or join_baggage(members)


def is_hidden_outside(name: bytes) -> bool:
    """Whether a response's header of this name, lower-case, does not leave as the application set it."""
    return name in _IDS or name.startswith(_OURS)


def written_outside(context: RequestContext, ids: RawHeaders, *, tells: bool) -> RawHeaders:
    """What a response says of this hop: its ids (`ids_of`), each once.

    tells: the caller is verified, and is told what was decided so far in this request, by us and by whom we called.
    """
    ledger = context.ledger
    # What arrived is not told: the caller knows it.
    if not tells or not (ledger.made or ledger.returned):
        return ids
    encoded = returning(ledger, is_replay=context.is_replay)
    if encoded.cut_count:
        count(Count.CARRY_CUT, by=encoded.cut_count)
    if not encoded.value:
        return ids
    return [*ids, (DECIDED.encode(), encoded.value.encode())]


def ids_of(context: RequestContext) -> list[tuple[bytes, bytes]]:
    """This hop's ids as headers."""
    ids = [(b"x-request-id", context.request_id.encode())]
    if context.correlation_id is not None:
        ids.append((b"x-correlation-id", context.correlation_id.encode()))
    return ids
