"""The clock that tests move."""

import pytest

from pennon.clock import Clock
from pennon.testing import ManualClock


def test_clock_stands_until_it_is_moved() -> None:
    """And both of its readings move together."""
    clock: Clock = ManualClock(now_ns=1_000, monotonic_ns=5)
    assert (1_000, 1_000, 5) == (clock.now_ns(), clock.now_ns(), clock.monotonic_ns())
    assert isinstance(clock, ManualClock)
    clock.advance(1.5)
    assert (1_500_001_000, 1_500_000_005) == (clock.now_ns(), clock.monotonic_ns())


def test_wall_clock_jumps_alone() -> None:
    """Intervals do not notice that somebody set the date."""
    clock = ManualClock(now_ns=10_000_000_000)
    clock.jump(-3)
    assert (7_000_000_000, 0) == (clock.now_ns(), clock.monotonic_ns())


def test_time_does_not_go_back() -> None:
    """Or a test would test what cannot be."""
    with pytest.raises(ValueError, match="time goes forward"):
        ManualClock().advance(-1)
