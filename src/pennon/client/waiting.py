"""Where exposures wait until they are delivered: one queue for each outlet, so that none holds up another."""

from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from pennon.carry import Exposure
from pennon.context import Decision
from pennon.counters import Count, count

# About 3 MB, or twenty seconds of 500 new exposures a second with the server gone. Beyond it the newest are dropped.
LIMIT_COUNT: Final = 10_000
# One request's worth: the server takes 1,000 and 1 MiB; half leaves room.
BATCH_COUNT: Final = 500


class Lost(StrEnum):
    """Why an exposure never reached the server; the label of `pennon.exposures.dropped`."""

    FULL = "full"
    REFUSED = "refused"
    CLOSED = "closed"
    VOID = "void"
    UNREADABLE = "unreadable"


class Early(msgspec.Struct, frozen=True):
    """A decision that was acted on before the replica knew what it was made from."""

    decision: Decision
    at_ns: int


# What kept an early decision may forget it: it has become an exposure, or will never.
Release = Callable[[], None]


class Queues(Protocol):
    """Any thread puts and keeps; one thread does everything else. environment: the id of the exposure's."""

    def __len__(self) -> int:
        """The most that waits for any outlet."""
        ...

    def put(self, exposure: Exposure, environment: int) -> bool:
        """Whether an outlet will get it; for each that has no room for it, it is dropped and counted."""
        ...

    def keep(self, early: Early) -> Release | None:
        """Remember it beyond the end of this process; None if that cannot be done."""
        ...

    def take(self, outlet: int) -> list[Exposure]:
        """Up to BATCH_COUNT exposures, which end with `give_back` or `done` before the next are taken."""
        ...

    def give_back(self, batch: list[Exposure], outlet: int) -> None:
        """What was taken could not be delivered; it is taken again first."""
        ...

    def done(self, outlet: int) -> None:
        """What was taken need not be delivered again."""
        ...

    def take_over(self, environment: int) -> Iterable[tuple[Early, Release]]:
        """Deliver what processes that are gone have left; the early decisions among it."""
        ...

    def clear(self) -> None:
        """Forget what waits: in a forked child, whose parent delivers it."""
        ...

    def close(self) -> None:
        """Take nothing any more, and count what is lost."""
        ...


class MemoryQueues:
    """Queues in memory, bounded, for as long as the process lives.

    `deque.append` is atomic, so putting takes no lock; the bounds may be overrun by as many exposures as there are
    threads putting at once.
    """

    def __init__(self, outlets_count: int) -> None:
        self._ready: tuple[deque[Exposure], ...] = tuple(deque() for _ in range(outlets_count))
        self._is_closed = False

    def __len__(self) -> int:
        return max(map(len, self._ready))

    def put(self, exposure: Exposure, environment: int) -> bool:  # noqa: ARG002 - all of a client's are of one
        """Whether an outlet has room for it."""
        is_kept = False
        for ready in self._ready:
            if self._is_closed:
                count(Count.EXPOSURES_DROPPED, Lost.CLOSED)
            elif len(ready) >= LIMIT_COUNT:
                count(Count.EXPOSURES_DROPPED, Lost.FULL)
            else:
                ready.append(exposure)
                is_kept = True
        return is_kept

    def keep(self, early: Early) -> None:
        """Nothing here outlives the process."""

    def take(self, outlet: int) -> list[Exposure]:
        """The first, taken out."""
        ready = self._ready[outlet]
        return [ready.popleft() for _ in range(min(BATCH_COUNT, len(ready)))]

    def give_back(self, batch: list[Exposure], outlet: int) -> None:
        """Put them before all others."""
        self._ready[outlet].extendleft(reversed(batch))

    def done(self, outlet: int) -> None:
        """What was taken is not here any more."""

    def take_over(self, environment: int) -> Iterable[tuple[Early, Release]]:  # noqa: ARG002 - as above
        """There is nothing of other processes."""
        return ()

    def clear(self) -> None:
        """Forget all."""
        self._ready = tuple(deque() for _ in self._ready)

    def close(self) -> None:
        """Drop and count what is left or comes yet, once for each outlet."""
        self._is_closed = True
        if left_count := sum(map(len, self._ready)):
            count(Count.EXPOSURES_DROPPED, Lost.CLOSED, by=left_count)
            self.clear()
