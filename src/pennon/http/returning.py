"""The way back of decisions: what a response says that its host has decided, on its way into the caller's ledger.

Taken only from a host that the contract declares to decide, off the response to the very request that went there. What
the header says, and how much of it is believed, is `carry`'s.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from pennon import ambient
from pennon.carry import take_returned
from pennon.clock import SYSTEM_CLOCK
from pennon.counters import Count, count
from pennon.headers import DECIDED, Downstream

_DECIDED: Final = DECIDED.encode()
# RFC 9111 §5.1: how long a cache has held the response.
_AGE: Final = b"age"


class Unread(StrEnum):
    """Why a door did not read what a response said; beside `carry.ReturnDrop` the causes of what it counts."""

    NOT_DECLARED = "not_declared"
    """Its host is not declared `decides=True`."""
    NO_REQUEST = "no_request"
    """The call was not made in a request, so that there is no ledger for it."""


class Call:
    """A call that begins now, and whose response may bring decisions for the request that makes it."""

    __slots__ = ("_began_ns", "_downstream", "_request")

    def __init__(self, downstream: Downstream | None) -> None:
        self._downstream = downstream
        self._request = ambient.current()
        self._began_ns = SYSTEM_CLOCK.now_ns()

    def take(self, headers: Iterable[tuple[bytes, bytes]]) -> "Said":
        """Take what a response's headers say into the ledger, if it may go there."""
        lines = [(name.lower(), value) for name, value in headers]
        values = [value for name, value in lines if name == _DECIDED]
        if not values:
            return Said(was_there=False, was_taken=False)
        if self._downstream is None or not self._downstream.decides:
            return _unread(Unread.NOT_DECLARED)
        if self._request is None:
            return _unread(Unread.NO_REQUEST)
        returned = take_returned(
            self._request.ledger,
            values,
            has_age=any(name == _AGE for name, _ in lines),
            began_ns=self._began_ns,
            note=lambda note: count(Count.CARRY_NOTED, note),
        )
        for fault in returned.faults:
            count(Count.CARRY_GROUPS_DROPPED, fault)
        if returned.dropped is not None:
            count(Count.CARRY_RETURNS_DROPPED, returned.dropped)
        return Said(was_there=True, was_taken=returned.taken_count > 0)


class Said(msgspec.Struct, frozen=True):
    """Whether the header was there, to be taken off the response, and whether any of it went into the ledger."""

    was_there: bool
    was_taken: bool


def _unread(cause: Unread) -> Said:
    count(Count.CARRY_RETURNS_DROPPED, cause)
    return Said(was_there=True, was_taken=False)
