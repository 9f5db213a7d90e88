"""Work: how much of one message's lists is looked at, so that several long ones cost little more than one alone.

Rules. One budget for a message, spent in the order of what matters: what proxies say of who calls, then baggage, then
tracestate, which W3C lets a hop drop. It is counted in steps before anything is parsed: an element that a proxy wrote
is sixteen, a member of baggage two, a member of tracestate one, which is what they cost in proportion; and 32 bytes of
any of them are one at least. The budget is what a message has at the most that nobody made up: five proxies in a row,
as much baggage as its contract keeps, and all 32 members of tracestate. A few members of each list are read in any
case, and so is baggage that the contract keeps whole.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pennon.headers.baggage import READ_LIMIT_COUNT
from pennon.headers.fields import BaggagePolicy
from pennon.headers.grammar import wire_bytes

# A chain is read by its own limit, also a longer one.
_PROXIES_COUNT: Final = 5
_ELEMENT_STEPS: Final = 16
MEMBER_STEPS: Final = 2
STATE_STEPS: Final = 1
# W3C's limit for tracestate.
_WHOLE_STATE_STEPS: Final = 32
_STEP_BYTES: Final = 32
# A contract that keeps little has room for as much as others: what others have set may stand before what it keeps.
_KEPT_LEAST_STEPS: Final = 32
# So many members of baggage are looked at however long the other lists are,
_LEAST_COUNT: Final = 8
# and of tracestate the 512 bytes that a hop should pass on are read, if it has no more members than this.
_LEAST_STATE_STEPS: Final = 16
# The longest list whose members are counted: a megabyte of commas costs as much as all the rest, and is never read.
_COUNTED_BYTES: Final = 16_447


class Shares(msgspec.Struct, frozen=True):
    """What is looked at of the lists behind the proxies' word.

    members: of how many members of baggage. reads_state: whether tracestate is read.
    """

    members: int
    reads_state: bool


# Of a message whose lists are not long.
UNSHARED: Final = Shares(READ_LIMIT_COUNT, reads_state=True)


def shares_of(policy: BaggagePolicy, *, chain: int, baggage: int, state: int) -> Shares:
    """What is left for each list: their steps, 0 of one that is not there or not read anyway."""
    kept = max(MEMBER_STEPS * policy.max_members, policy.max_bytes // _STEP_BYTES, _KEPT_LEAST_STEPS)
    left = _ELEMENT_STEPS * _PROXIES_COUNT + kept + _WHOLE_STATE_STEPS - chain
    members = min(max(left // MEMBER_STEPS, _LEAST_COUNT), READ_LIMIT_COUNT)
    return Shares(members, reads_state=state <= max(left - baggage, _LEAST_STATE_STEPS))


def chain_steps(elements: int, size_bytes: int) -> int:
    """Those of what proxies said. elements: how many were looked at, 0: nobody was believed; bytes of all headers."""
    return max(_ELEMENT_STEPS * elements, size_bytes // _STEP_BYTES) if elements else 0


def list_steps(lines: Sequence[bytes], member_steps: int) -> int:
    """Those of all lines of a list; 0 of one that is too long to be read at all."""
    size_bytes = wire_bytes(lines)
    if size_bytes > _COUNTED_BYTES:
        return 0
    return max(member_steps * (len(lines) + sum([line.count(b",") for line in lines])), size_bytes // _STEP_BYTES)
