"""A clock that a test moves."""

from typing import Final

_NANOSECONDS: Final = 1_000_000_000

# 2026-01-01T00:00:00Z: any date will do, but one that looks like a date.
_START_NS: Final = 1_767_225_600 * _NANOSECONDS


class ManualClock:
    """A `pennon.clock.Clock` that stands still until it is told to move."""

    def __init__(self, *, now_ns: int = _START_NS, monotonic_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._monotonic_ns = monotonic_ns

    def now_ns(self) -> int:
        """Wall clock, since 1970."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Since this clock's start."""
        return self._monotonic_ns

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks. Raises: ValueError if it would go back."""
        if seconds < 0:
            raise ValueError(f"advance: {seconds} s; time goes forward, and `jump` moves the wall clock alone")
        self._now_ns += round(seconds * _NANOSECONDS)
        self._monotonic_ns += round(seconds * _NANOSECONDS)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator might; intervals do not notice."""
        self._now_ns += round(seconds * _NANOSECONDS)
