"""Lanes: how many blocking calls of one kind run at once, and how many may wait.

Each lane has threads of its own, so that a crowd in one leaves the others free: authors in a hurry never stand in the
way of a kill.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException

T = TypeVar("T")

# Long enough that a crowd of retrying clients spreads, short enough for a person at a prompt.
RETRY_AFTER_S: Final = 1


class Lane:
    """Runs blocking calls in threads.

    threads: at once. waiting_limit_count: that may wait for a thread; None: any number (never shed).
    """

    def __init__(self, *, threads: int, waiting_limit_count: int | None = None) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._in_flight_limit_count = None if waiting_limit_count is None else threads + waiting_limit_count
        self._in_flight_count = 0

    async def run(self, call: Callable[[], T]) -> T:
        """What the call answers or raises. Raises: HTTPException 429 if too many wait already."""
        if self._in_flight_limit_count is not None and self._in_flight_count >= self._in_flight_limit_count:
            raise HTTPException(429, "too many requests at once", {"retry-after": str(RETRY_AFTER_S)})
        self._in_flight_count += 1
        try:
            # Not abandoned on cancellation: a commit under way has happened or not, and its thread says which.
            return await anyio.to_thread.run_sync(call, limiter=self._limiter)
        finally:
            self._in_flight_count -= 1
