"""The one clock. Pure rooms take times as arguments; whoever calls them asks here, and tests move it."""

import time
from typing import Final, Protocol


class Clock(Protocol):
    """Two readings in nanoseconds: one for dates, one for intervals."""

    def now_ns(self) -> int:
        """Wall clock, since 1970; may jump. Never for intervals."""
        ...

    def monotonic_ns(self) -> int:
        """Since some start; never goes back. Never for dates."""
        ...


class SystemClock:
    """The machine's."""

    # Bound to C functions, not wrapped: a first decision reads the time, and a Python frame would double its cost.
    now_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


SYSTEM_CLOCK: Final[Clock] = SystemClock()
