"""Exposures on their way to the server and to sinks: who was exposed already, and a bounded buffer of what waits.

1. An exposure is made when the code branched. If its decision is newer than the replica, the phase it belongs to is
   not known here yet: the decision waits, and becomes an exposure when the replica has caught up.
2. Any thread adds, one thread takes. `deque.append` and `set.add` are atomic, so adding takes no lock; the bounds may
   be overrun by as many exposures as there are threads adding at once.
3. Each outlet has a queue of its own: one that is stuck holds up and drops nothing of another's.
"""

from collections import deque
from enum import StrEnum
from typing import Final

import msgspec

from pennon.carry import Exposure, exposure_of
from pennon.context import Decision
from pennon.counters import Count, count
from pennon.flags import Flag, Ruleset

# About 3 MB, or twenty seconds of 500 new exposures a second with the server gone. Beyond it the newest are dropped.
LIMIT_COUNT: Final = 10_000
# One request's worth: the server takes 1,000 and 1 MiB; half leaves room.
BATCH_COUNT: Final = 500
# Who was exposed already, so that a page that asks ten times sends once. Emptied when full: the server counts each id
# once anyway.
SEEN_LIMIT_COUNT: Final = 100_000

_MILLISECOND_NS: Final = 1_000_000


class Lost(StrEnum):
    """Why an exposure never reached the server; the label of `pennon.exposures.dropped`."""

    FULL = "full"
    REFUSED = "refused"
    CLOSED = "closed"
    VOID = "void"


class _Early(msgspec.Struct, frozen=True):
    """A decision that was acted on before the replica knew what it was made from."""

    decision: Decision
    at_ns: int


class _Draft(msgspec.Struct, frozen=True):
    """An exposure as the server takes it. at: milliseconds since 1970."""

    id: str
    flag: str
    variant: str
    unit_kind: str
    phase: int
    at: int


class Buffer:
    """See the module."""

    def __init__(self, outlets_count: int = 1) -> None:
        self._ready: tuple[deque[Exposure], ...] = tuple(deque() for _ in range(outlets_count))
        self._early: deque[_Early] = deque()
        self._seen: set[tuple[str, str | None, int | None]] = set()

    def __len__(self) -> int:
        """The most that waits for any outlet."""
        return max(map(len, self._ready)) + len(self._early)

    def add(self, flag: Flag, ruleset: Ruleset, decision: Decision, now_ns: int) -> None:
        """Keep the exposure that this use of a decision is, if it is one and was not kept before.

        flag: of this ruleset, one that exposes. The caller has made sure that nothing is being replayed.
        """
        place = (decision.scope.key, decision.unit_key, decision.answer.variant_id)
        if place in self._seen:
            return
        exposure = exposure_of(flag, decision, is_replay=False, now_ns=now_ns)
        if exposure is None:
            return
        if decision.revision > ruleset.revision:
            is_kept = len(self) < LIMIT_COUNT
            if is_kept:
                self._early.append(_Early(decision, now_ns))
            else:
                count(Count.EXPOSURES_DROPPED, Lost.FULL)
        else:
            is_kept = self._queue(exposure)
        if is_kept:
            if len(self._seen) >= SEEN_LIMIT_COUNT:
                self._seen = set()
            self._seen.add(place)

    def take(self, ruleset: Ruleset, outlet: int = 0) -> list[Exposure]:
        """Up to BATCH_COUNT exposures that a replica of this ruleset knows all about; the others stay.

        outlet: for which of them; the server's is the first.
        """
        self._settle(ruleset)
        ready = self._ready[outlet]
        return [ready.popleft() for _ in range(min(BATCH_COUNT, len(ready)))]

    def give_back(self, batch: list[Exposure], outlet: int = 0) -> None:
        """Keep a batch that could not be sent; it leaves again first, with the same ids."""
        self._ready[outlet].extendleft(reversed(batch))

    def clear(self) -> None:
        """Forget what waits, but not who was exposed: in a forked child, whose parent sends it."""
        self._ready = tuple(deque() for _ in self._ready)
        self._early = deque()

    def drop_all(self, cause: Lost) -> None:
        """Drop and count what is left, once for each outlet that it was for."""
        left_count = sum(map(len, self._ready)) + len(self._early) * len(self._ready)
        if left_count:
            count(Count.EXPOSURES_DROPPED, cause, by=left_count)
            self.clear()

    def _queue(self, exposure: Exposure) -> bool:
        """Whether an outlet has room for it; for each that has none it is dropped and counted."""
        is_kept = False
        for ready in self._ready:
            if len(ready) + len(self._early) >= LIMIT_COUNT:
                count(Count.EXPOSURES_DROPPED, Lost.FULL)
            else:
                ready.append(exposure)
                is_kept = True
        return is_kept

    def _settle(self, ruleset: Ruleset) -> None:
        """Make exposures of the early decisions that the ruleset has caught up with."""
        for _ in range(len(self._early)):
            early = self._early.popleft()
            decision = early.decision
            if (decision.scope.epoch, decision.revision) > (ruleset.epoch, ruleset.revision):
                self._early.append(early)
                continue
            exposure = _settled(ruleset.flag_by_id(decision.scope.flag_id), early)
            if exposure is None:
                count(Count.EXPOSURES_DROPPED, Lost.VOID)
            else:
                for ready in self._ready:
                    ready.append(exposure)


def encode_batch(batch: list[Exposure]) -> bytes:
    """The body of `POST /v1/sdk/exposures`."""
    drafts = [
        _Draft(each.id, each.flag, each.variant, each.unit_kind, each.phase, each.at_ns // _MILLISECOND_NS)
        for each in batch
    ]
    return msgspec.json.encode({"exposures": drafts})


def _settled(flag: Flag | None, early: _Early) -> Exposure | None:
    """The exposure in the phase that the decision belongs to; None if that phase is over or the flag gone."""
    if flag is None or early.decision.revision < flag.floor:
        return None
    return exposure_of(flag, early.decision, is_replay=False, now_ns=early.at_ns)
