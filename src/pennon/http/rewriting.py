"""What the application sees of a request's headers, and what its caller sees of the response's."""

from collections.abc import Sequence
from typing import Final

from pennon.carry import returning
from pennon.context import RequestContext
from pennon.counters import Count, count
from pennon.headers import DECIDED, Contract, UnknownHeaders
from pennon.headers.baggage import join_baggage, plain_baggage
from pennon.headers.reading import Way
from pennon.http.types import RawHeaders

# Written anew from the context that the door built, so that whatever reads raw headers inside (an instrumentation, a
# logger, a handler that forwards) agrees with it.
_IDS: Final = frozenset({b"x-request-id", b"x-correlation-id"})
_OURS: Final = b"pennon-"
# Longer ones are written the long way.
_PLAIN_LIMIT_BYTES: Final = 1_024


class Shown(dict[bytes, bool]):
    """Whether the application sees a header as it came, by its name: not what is written anew, nor what is ours.

    Of a stranger it does not see the trace either: an instrumentation inside would take the parent, and the decision
    to sample, from it. Names that differ in case are one; what nobody knows is worked out when it is asked for.
    """

    def __init__(self, contract: Contract, way: Way) -> None:
        super().__init__(dict.fromkeys(way.slots, True) | dict.fromkeys(way.hidden, False))
        self._shows_unknown = contract.unknown is not UnknownHeaders.DROP
        self._wires = contract.reading.wires

    def __missing__(self, name: bytes) -> bool:
        low = name.lower()
        shown = self.get(low)
        if shown is not None:
            return shown
        # A WSGI application within, and CGI, make - and _ one (PEP 3333): what is hidden is hidden in both spellings.
        twin = low.replace(b"_", b"-")
        # A slice, not `startswith`: a stranger may have sent a hundred of them.
        return self._shows_unknown and twin[: len(_OURS)] != _OURS and self.get(twin, True)

    def without(self, spoiled: Sequence[str]) -> "Shown":
        """The same, but for headers that were dropped for what they said."""
        # `copy` would put the names in one by one, at five times the cost.
        less = Shown.__new__(Shown)
        dict.update(less, self)
        vars(less).update(vars(self))
        less.update((wire, False) for name in spoiled for wire in self._wires.get(name, ()))
        return less


def written_inside(context: RequestContext, ids: RawHeaders) -> RawHeaders:
    """What it sees in their place: this hop's ids (`ids_of`), and the baggage that was kept."""
    members = context.baggage
    if not members:
        return ids
    return [*ids, (b"baggage", plain_baggage(members, max_bytes=_PLAIN_LIMIT_BYTES) or join_baggage(members))]


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
