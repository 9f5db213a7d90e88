"""What the control plane is told beside exposures: which overrides were used, and how carried decisions compare.

Both are kept as counts by few keys until somebody drains them, and are bounded: a key that does not fit is dropped and
counted, those that are there go on counting.
"""

import os
from enum import StrEnum
from threading import Lock
from typing import Final

from pennon.carry import Divergence, DivergenceCount, OverrideUse
from pennon.counters import Count, count

# Of either kind, between two drains: a fleet has tens of testers and hundreds of flags.
KEYS_LIMIT_COUNT: Final = 1_000

_MILLISECOND_NS: Final = 1_000_000

# One for all clients of the process: what is reported is rare, and a fork then needs to mind one lock only.
_lock: Final = Lock()


class Report(StrEnum):
    """The label of `pennon.reports.dropped`."""

    OVERRIDE = "override"
    DIVERGENCE = "divergence"


class Reports:
    """See the module. Any thread adds; whoever sends drains."""

    __slots__ = ("_divergences", "_uses")

    def __init__(self) -> None:
        self._uses: dict[tuple[str, str, str], OverrideUse] = {}
        self._divergences: dict[tuple[str, Divergence], int] = {}

    def overridden(self, token_id: str, flag: str, variant: str, now_ns: int) -> None:
        """A token set a flag's variant."""
        count(Count.OVERRIDES_USED)
        place, now_ms = (token_id, flag, variant), now_ns // _MILLISECOND_NS
        with _lock:
            held = self._uses.get(place)
            is_kept = held is not None or len(self._uses) < KEYS_LIMIT_COUNT
            if held is not None:
                # A wall clock may be set back meanwhile.
                first_ms, last_ms = min(held.first_ms, now_ms), max(held.last_ms, now_ms)
                self._uses[place] = OverrideUse(*place, held.count + 1, first_ms, last_ms)
            elif is_kept:
                self._uses[place] = OverrideUse(*place, 1, now_ms, now_ms)
        if not is_kept:
            count(Count.REPORTS_DROPPED, Report.OVERRIDE)

    def compared(self, flag: str, cause: Divergence, *, by: int = 1) -> None:
        """A carried decision was compared with this process's own."""
        count(Count.DIVERGENCE, cause, by=by)
        place = (flag, cause)
        with _lock:
            is_kept = place in self._divergences or len(self._divergences) < KEYS_LIMIT_COUNT
            if is_kept:
                self._divergences[place] = self._divergences.get(place, 0) + by
        if not is_kept:
            count(Count.REPORTS_DROPPED, Report.DIVERGENCE, by=by)

    def drain_overrides(self) -> list[OverrideUse]:
        """What was used since the last time."""
        with _lock:
            drained, self._uses = self._uses, {}
        return list(drained.values())

    def drain_divergences(self) -> list[DivergenceCount]:
        """What was compared since the last time."""
        with _lock:
            drained, self._divergences = self._divergences, {}
        return [DivergenceCount(flag, cause, number) for (flag, cause), number in drained.items()]

    def clear(self) -> None:
        """Forget what is held: in a forked child, whose parent reports it."""
        self._uses, self._divergences = {}, {}


# The lock is held over a fork, or a child could inherit it from a thread that does not exist there.
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
