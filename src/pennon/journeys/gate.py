"""How many exports are under way."""

from collections.abc import Iterator
from contextlib import contextmanager


class Full(Exception):
    """As many as may be are under way."""


class Gate:
    """Lets so many through at once. All calls come from one thread, the event loop's."""

    def __init__(self, *, limit_count: int) -> None:
        self._limit_count = limit_count
        self._count = 0

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Count one while it is inside. Raises: Full."""
        if self._count >= self._limit_count:
            raise Full
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
