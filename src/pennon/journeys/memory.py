"""The journeys that are remembered: a bounded number, in bounded bytes; the one that came first goes first.

Pure but for its lock: times come in, values go out. Spans arrive in any order, twice, and in pieces from many services.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from threading import Lock
from typing import Any, Final

import msgspec

from pennon.journeys.hops import Hop
from pennon.journeys.journey import Journey, Summary
from pennon.journeys.search import Query
from pennon.journeys.waterfall import waterfall

LIMIT_JOURNEYS_COUNT: Final = 2_000
# 2,000 journeys of 40 spans of ours take about 130 MiB with what Python adds; only larger ones reach this.
LIMIT_BYTES: Final = 192 * 1024 * 1024
# So that a late span does not bring a journey back as one hop.
_FORGOTTEN_LIMIT_COUNT: Final = 20_000

# Services export every 200 ms; a journey that was quiet for longer is likely whole.
QUIET_NS: Final = 300_000_000
# One that never falls quiet is told of as often as this.
LONGEST_NS: Final = 1_000_000_000
RATE_WINDOW_S: Final = 5
_RATE_LIMIT_COUNT: Final = 100_000


class Traffic(msgspec.Struct, frozen=True):
    """per_s: journeys that began, over the last seconds. Totals: since the memory was made."""

    per_s: float
    journeys_total: int
    errors_total: int


class Memory:
    """See the module. limit_journeys: at least 1."""

    def __init__(self, *, limit_journeys: int = LIMIT_JOURNEYS_COUNT, limit_bytes: int = LIMIT_BYTES) -> None:
        if limit_journeys < 1:
            raise ValueError(f"limit_journeys is {limit_journeys}, must be at least 1")
        self._limit_journeys = limit_journeys
        self._limit_bytes = limit_bytes
        self._lock = Lock()
        self._journeys: dict[str, Journey] = {}
        self._forgotten: dict[str, None] = {}
        self._size_bytes = 0
        # trace id -> since when it has changed without anybody being told
        self._untold: dict[str, int] = {}
        self._began_ns: deque[int] = deque(maxlen=_RATE_LIMIT_COUNT)
        self._journeys_total = 0
        self._errors_total = 0

    def __len__(self) -> int:
        return len(self._journeys)

    @property
    def size_bytes(self) -> int:
        """What all journeys together take, about."""
        return self._size_bytes

    def add(self, hops: Iterable[Hop], now_ns: int) -> None:
        """Take hops of any journeys. now_ns: of a clock that never goes back, as everywhere here."""
        with self._lock:
            for hop in hops:
                self._add(hop, now_ns)

    def search(self, query: Query, *, limit: int) -> list[Summary]:
        """The journeys that the query means, at most `limit`, newest first."""
        with self._lock:
            found = (journey for journey in reversed(self._journeys.values()) if query.means(journey.names))
            return [journey.summary for journey in islice(found, limit)]

    def waterfall(self, trace_id: str) -> dict[str, Any] | None:
        """The journey of this trace as it is looked at; None if it is not remembered."""
        with self._lock:
            journey = self._journeys.get(trace_id)
            return None if journey is None else waterfall(journey)

    def take_due(self, now_ns: int, *, limit: int) -> list[Summary]:
        """The journeys to tell of now: changed since they were told of, and quiet, or changing for long.

        Newest first; what is beyond `limit` is not told of.
        """
        with self._lock:
            due = list(self._due(now_ns))
            for trace_id in due:
                del self._untold[trace_id]
            return [self._journeys[trace_id].summary for trace_id in due[: -limit - 1 : -1]]

    def traffic(self, now_ns: int) -> Traffic:
        """How much comes in."""
        with self._lock:
            while self._began_ns and self._began_ns[0] <= now_ns - RATE_WINDOW_S * 1_000_000_000:
                self._began_ns.popleft()
            return Traffic(len(self._began_ns) / RATE_WINDOW_S, self._journeys_total, self._errors_total)

    def _add(self, hop: Hop, now_ns: int) -> None:
        journey = self._journeys.get(hop.trace_id)
        if journey is None:
            if hop.trace_id in self._forgotten:
                return
            journey = self._journeys[hop.trace_id] = Journey(hop.trace_id)
            self._began_ns.append(now_ns)
            self._journeys_total += 1
        before_bytes, was_failed = journey.size_bytes, journey.error_count > 0
        if not journey.add(hop, now_ns):
            return
        self._size_bytes += journey.size_bytes - before_bytes
        self._errors_total += not was_failed and journey.error_count > 0
        self._untold.setdefault(hop.trace_id, now_ns)
        while len(self._journeys) > self._limit_journeys or self._size_bytes > self._limit_bytes:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        trace_id = next(iter(self._journeys))
        self._size_bytes -= self._journeys.pop(trace_id).size_bytes
        self._untold.pop(trace_id, None)
        self._forgotten[trace_id] = None
        if len(self._forgotten) > _FORGOTTEN_LIMIT_COUNT:
            del self._forgotten[next(iter(self._forgotten))]

    def _due(self, now_ns: int) -> Iterator[str]:
        for trace_id, since_ns in self._untold.items():
            is_quiet = now_ns - self._journeys[trace_id].updated_ns >= QUIET_NS
            if is_quiet or now_ns - since_ns >= LONGEST_NS:
                yield trace_id
