"""A bucket of permissions that refills with time: so many at once, so many a second."""

from collections.abc import Callable
from typing import Final

_S_NS: Final = 1_000_000_000


class Bucket:
    """full_count: permissions at most. rate_per_s: how fast they come back. monotonic_ns: the clock."""

    def __init__(self, *, full_count: int, rate_per_s: float, monotonic_ns: Callable[[], int]) -> None:
        self._full_count = full_count
        self._rate_per_s = rate_per_s
        self._monotonic_ns = monotonic_ns
        self._level = float(full_count)
        self._at_ns = monotonic_ns()

    def wait_s(self) -> float:
        """0, and one permission is taken; or after how many seconds there is one again."""
        now_ns = self._monotonic_ns()
        self._level += (now_ns - self._at_ns) / _S_NS * self._rate_per_s
        self._level, self._at_ns = min(self._level, float(self._full_count)), now_ns
        if self._level < 1:
            return (1 - self._level) / self._rate_per_s
        self._level -= 1
        return 0.0
