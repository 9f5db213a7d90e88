"""Exposures on their way to the server and to sinks: who was exposed already, and what may leave when.

1. An exposure is made when the code branched. If its decision is newer than the replica, the phase it belongs to is
   not known here yet: the decision waits, and becomes an exposure when the replica has caught up.
2. Any thread adds, one thread does everything else. `deque.append` and `set.add` are atomic, so adding takes no lock
   here; where exposures wait is `waiting`'s, or the spool's.
"""

from collections import deque
from typing import Final

import msgspec

from pennon.carry import Exposure, exposure_of
from pennon.client.waiting import LIMIT_COUNT, Early, Lost, MemoryQueues, Queues, Release
from pennon.context import Decision
from pennon.counters import Count, count
from pennon.flags import Flag, Ruleset

# Who was exposed already, so that a page that asks ten times sends once. Emptied when full: the server counts each id
# once anyway.
SEEN_LIMIT_COUNT: Final = 100_000

_MILLISECOND_NS: Final = 1_000_000


class _Draft(msgspec.Struct, frozen=True):
    """An exposure as the server takes it. at: milliseconds since 1970."""

    id: str
    flag: str
    variant: str
    unit_kind: str
    phase: int
    at: int


class Buffer:
    """See the module. queues: where exposures wait; None: in memory."""

    def __init__(self, outlets_count: int = 1, queues: Queues | None = None) -> None:
        self._outlets_count = outlets_count
        self._queues: Queues = MemoryQueues(outlets_count) if queues is None else queues
        self._early: deque[tuple[Early, Release | None]] = deque()
        self._seen: set[tuple[str, str | None, int | None]] = set()

    def __len__(self) -> int:
        """The most that waits for any outlet."""
        return len(self._queues) + len(self._early)

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
            is_kept = self._add_early(Early(decision, now_ns))
        else:
            is_kept = self._queues.put(exposure, decision.scope.environment.id)
        if is_kept:
            if len(self._seen) >= SEEN_LIMIT_COUNT:
                self._seen = set()
            self._seen.add(place)

    def take(self, ruleset: Ruleset, outlet: int = 0) -> list[Exposure]:
        """Up to BATCH_COUNT exposures that a replica of this ruleset knows all about; the others stay.

        outlet: for which of them; the server's is the first. `give_back` or `done` comes before the next are taken.
        """
        self._settle(ruleset)
        return self._queues.take(outlet)

    def give_back(self, batch: list[Exposure], outlet: int = 0) -> None:
        """Keep a batch that could not be sent; it leaves again first, with the same ids."""
        self._queues.give_back(batch, outlet)

    def done(self, outlet: int = 0) -> None:
        """The batch that was taken need not leave again."""
        self._queues.done(outlet)

    def take_over(self, ruleset: Ruleset) -> None:
        """Send what processes of this environment that are gone have left, too."""
        for early, release in self._queues.take_over(ruleset.environment.id):
            if len(self._early) < LIMIT_COUNT:
                self._early.append((early, release))
            else:
                self._drop(Lost.FULL)
                release()

    def clear(self) -> None:
        """Forget what waits, but not who was exposed: in a forked child, whose parent sends it."""
        self._queues.clear()
        self._early = deque()

    def close(self) -> None:
        """Keep nothing any more; drop and count what is left and not kept elsewhere, once for each outlet."""
        for _, release in self._early:
            if release is None:
                self._drop(Lost.CLOSED)
        self._early = deque()
        self._queues.close()

    def _add_early(self, early: Early) -> bool:
        """Whether there is room for it."""
        if len(self) >= LIMIT_COUNT:
            self._drop(Lost.FULL)
            return False
        self._early.append((early, self._queues.keep(early)))
        return True

    def _settle(self, ruleset: Ruleset) -> None:
        """Make exposures of the early decisions that the ruleset has caught up with."""
        for _ in range(len(self._early)):
            early, release = self._early.popleft()
            decision = early.decision
            if (decision.scope.epoch, decision.revision) > (ruleset.epoch, ruleset.revision):
                self._early.append((early, release))
                continue
            exposure = _settled(ruleset.flag_by_id(decision.scope.flag_id), early)
            if exposure is None:
                self._drop(Lost.VOID)
            else:
                self._queues.put(exposure, decision.scope.environment.id)
            # Last: whenever the process is killed, it is on the disk as one or the other.
            if release is not None:
                release()

    def _drop(self, cause: Lost) -> None:
        """Count an early decision that no outlet will get as an exposure."""
        count(Count.EXPOSURES_DROPPED, cause, by=self._outlets_count)


def encode_batch(batch: list[Exposure]) -> bytes:
    """The body of `POST /v1/sdk/exposures`."""
    drafts = [
        _Draft(each.id, each.flag, each.variant, each.unit_kind, each.phase, each.at_ns // _MILLISECOND_NS)
        for each in batch
    ]
    return msgspec.json.encode({"exposures": drafts})


def _settled(flag: Flag | None, early: Early) -> Exposure | None:
    """The exposure in the phase that the decision belongs to; None if that phase is over or the flag gone."""
    if flag is None or early.decision.revision < flag.floor:
        return None
    return exposure_of(flag, early.decision, is_replay=False, now_ns=early.at_ns)
