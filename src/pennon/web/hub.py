"""Fan-out: the same encoded bytes to everybody who is attached.

The hub knows neither sockets nor tasks. A reader is a `write` that never waits: it takes the bytes, or says that this
reader cannot be served any longer. Who hands over sockets instead of queues brings another `write`; nothing here
moves. All calls come from one thread, the event loop's.
"""

from collections.abc import Callable
from typing import Protocol


class Write(Protocol):
    """One reader's end."""

    def __call__(self, data: bytes, *, is_urgent: bool = False) -> bool:
        """Take the bytes of whole events; False if this reader is gone or too slow, and must be let go.

        is_urgent: before anything that has not left yet.
        """
        ...


Detach = Callable[[], None]


class Hub:
    """Sends each event, encoded once, to all readers."""

    def __init__(self) -> None:
        self._writes: dict[int, Write] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._writes)

    def attach(self, write: Write) -> Detach:
        """From now on `write` gets every event; the answer ends that, and may be called again without harm."""
        place, self._next = self._next, self._next + 1
        self._writes[place] = write

        def detach() -> None:
            self._writes.pop(place, None)

        return detach

    def send(self, data: bytes, *, is_urgent: bool = False) -> int:
        """Give the bytes to every reader; how many were let go because they could not take them."""
        lost = [place for place, write in self._writes.items() if not write(data, is_urgent=is_urgent)]
        for place in lost:
            self._writes.pop(place, None)
        return len(lost)
