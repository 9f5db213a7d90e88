"""The way back of decisions: what a response says that its host has decided, on its way into the caller's ledger.

Taken only from a host that the contract declares to decide, off the response to the very request that went there. What
the header says, and how much of it is believed, is `carry`'s.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from pennon.carry import take_returned
from pennon.context import RequestContext
from pennon.counters import Count, count
from pennon.headers import DECIDED, Downstream

_DECIDED: Final = DECIDED.encode()
# RFC 9111 §5.1: how long a cache has held the response.
_AGE: Final = b"age"
SAID: Final = frozenset({_DECIDED, _AGE})


class Unread(StrEnum):
    """Why a door did not read what a response said; beside `carry.ReturnDrop` the causes of what it counts."""

    NOT_DECLARED = "not_declared"
    """Its host is not declared `decides=True`."""
    NO_REQUEST = "no_request"
    """The call was not made in a request, so that there is no ledger for it."""


class Said(msgspec.Struct, frozen=True):
    """Whether the header was there, to be taken off the response, and whether any of it went into the ledger."""

    was_there: bool
    was_taken: bool


NOTHING_SAID: Final = Said(was_there=False, was_taken=False)


def take(
    downstream: Downstream | None,
    context: RequestContext | None,
    began_ns: int,
    headers: Sequence[tuple[bytes, bytes]],
) -> Said:
    """Take what a response's headers say into the ledger of the request that made the call, if it may go there.

    context: of that request as the call began; None: it was not made in one. began_ns: wall clock.
    """
    values = [value for name, value in headers if name.lower() == _DECIDED]
    if not values:
        return NOTHING_SAID
    if downstream is None or not downstream.decides:
        return _unread(Unread.NOT_DECLARED)
    if context is None:
        return _unread(Unread.NO_REQUEST)
    returned = take_returned(
        context.ledger,
        values,
        has_age=any(name.lower() == _AGE for name, _ in headers),
        began_ns=began_ns,
        note=lambda note: count(Count.CARRY_NOTED, note),
    )
    for fault in returned.faults:
        count(Count.CARRY_GROUPS_DROPPED, fault)
    if returned.dropped is not None:
        count(Count.CARRY_RETURNS_DROPPED, returned.dropped)
    return Said(was_there=True, was_taken=returned.taken_count > 0)


def _unread(cause: Unread) -> Said:
    count(Count.CARRY_RETURNS_DROPPED, cause)
    return Said(was_there=True, was_taken=False)
