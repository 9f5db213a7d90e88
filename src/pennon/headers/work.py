"""Work: how much of one message's lists is looked at, so that several long ones in one cost no more than one alone.

Rules. One budget for a message, spent in the order of what matters: what proxies say of who calls, then as many members
of baggage as can be kept, then tracestate, which W3C lets a hop drop, then the other members of baggage. It is counted
in steps, before anything is parsed: a member of tracestate is one, a member of baggage two, an element that a proxy
wrote sixteen; they cost in this proportion. The budget is what a message has at the most that nobody made up: all 32
members of tracestate, as many of baggage as its contract keeps, and five proxies in a row. A few members of each list
are read in any case, and so is baggage that the contract keeps whole.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pennon.headers.baggage import READ_LIMIT_COUNT
from pennon.headers.grammar import wire_bytes

# A chain is read by its own limit, also a longer one.
_PROXIES_COUNT: Final = 5
_PROXY_STEPS: Final = 16
_MEMBER_STEPS: Final = 2
# W3C's limit for tracestate.
_STATE_STEPS: Final = 32
# A contract that keeps fewer has room for so many members of baggage all the same: others' stand before its own.
_KEPT_LEAST_COUNT: Final = 16
# So many members of baggage are looked at, and so many of tracestate are read, however long a chain of proxies is.
_LEAST_COUNT: Final = 8
# The longest list that is counted: a megabyte of commas costs as much as all the rest, and is never read.
_COUNTED_BYTES: Final = 16_447


class Shares(msgspec.Struct, frozen=True):
    """What is looked at of the lists behind the proxies' word.

    members: of how many members of baggage. reads_state: whether tracestate is read.
    """

    members: int
    reads_state: bool


# Of a message whose lists are not long.
UNSHARED: Final = Shares(READ_LIMIT_COUNT, reads_state=True)


def shares_of(*, kept: int, elements: int, members: int, state: int) -> Shares:
    """What is left for each.

    kept: how many members of baggage the contract keeps at the most. elements: how many the proxies' word had.
    members, state: how many there are of baggage and of tracestate (`count_of`), 0 where it is not read anyway.
    """
    kept = max(kept, _KEPT_LEAST_COUNT)
    left = _STATE_STEPS + _MEMBER_STEPS * kept + _PROXY_STEPS * (_PROXIES_COUNT - elements)
    reads_state = state <= max(left - _MEMBER_STEPS * min(members, kept), _LEAST_COUNT)
    if reads_state:
        left -= state
    return Shares(min(max(left // _MEMBER_STEPS, _LEAST_COUNT), READ_LIMIT_COUNT), reads_state)


def count_of(lines: Sequence[bytes]) -> int:
    """How many members a list has at the most, all its lines; 0 of one that is too long to be read."""
    if wire_bytes(lines) > _COUNTED_BYTES:
        return 0
    return len(lines) + sum([line.count(b",") for line in lines])
