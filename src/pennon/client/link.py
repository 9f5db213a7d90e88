"""A client's connection to its server: the two threads, begun, ended, and begun anew in a forked child."""

from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom
from typing import Any, Final

import httpx

from pennon.carry import RESYNC_NOTES, Note
from pennon.client.courier import Courier
from pennon.client.exposures import Buffer
from pennon.client.fetching import Fetcher, open_http
from pennon.client.follower import Follower
from pennon.client.outlets import Outlet, Sink, to_server, to_sink
from pennon.client.posting import Pauses, Poster
from pennon.client.reporting import Reporter
from pennon.client.reports import Reports
from pennon.client.spool import Spool
from pennon.client.state import State
from pennon.client.target import Target
from pennon.client.timing import Timing
from pennon.clock import Clock
from pennon.counters import Count, count

_NANOSECONDS: Final = 1_000_000_000

# What a fork left behind. It is never closed nor collected: its locks may be held by threads that the child lacks.
_abandoned: Final[list[Any]] = []


class Link:
    """Follows the server into a state, and sends what waits to server and sinks. It knows no client.

    service: who reports. spool: the directory in which exposures outlive the process; None: they do not.
    """

    def __init__(
        self,
        target: Target,
        state: State,
        timing: Timing,
        clock: Clock,
        *,
        sinks: Sequence[Sink],
        service: str,
        spool: Path | None,
    ) -> None:
        outlets_count = 1 + len(sinks)
        self.buffer = Buffer(outlets_count, None if spool is None else Spool(spool, outlets_count))
        self.reports = Reports()
        self._sinks = sinks
        self._service = service
        self._target = target
        self._state = state
        self._timing = timing
        self._clock = clock
        self._sample = SystemRandom().random
        self._is_started = False
        self._is_stopped = False
        self._make()

    def start(self) -> None:
        """Begin to follow; again, or after the end, does nothing."""
        if not self._is_started and not self._is_stopped:
            self._is_started = True
            self._courier.start()
            self._follower.start()

    def close(self) -> None:
        """End both threads, the last exposures sent, in at most `close_s` together."""
        self.stop()
        if self._is_started:
            deadline_ns = self._clock.monotonic_ns() + int(self._timing.close_s * _NANOSECONDS)
            for thread in (self._courier, self._follower):
                thread.join(max(0.0, (deadline_ns - self._clock.monotonic_ns()) / _NANOSECONDS))
        self._http.close()

    def stop(self) -> None:
        """Let both threads end, and wait for neither."""
        self._is_stopped = True
        self._follower.stop()
        self._courier.stop()
        if not self._is_started:
            self.buffer.close()

    def noted(self, note: Note) -> None:
        """Count what judging a carried decision came upon; resync if it says that the replica is behind."""
        if note is Note.LEDGER_FULL:
            count(Count.LEDGER_FULL)
            return
        count(Count.CARRY_NOTED, note)
        if note in RESYNC_NOTES:
            self._courier.resync()

    def hurry(self) -> None:
        """An exposure was added."""
        self._courier.hurry()

    def after_fork(self) -> None:
        """In the child: new threads, a new connection, an empty buffer; what waits in the parent's leaves there."""
        self._follower.abandon()
        _abandoned.append((self._http, self._follower, self._courier))
        self.buffer.clear()
        self.reports.clear()
        self._make()
        if self._is_started and not self._is_stopped:
            self._courier.start()
            self._follower.start()

    def _make(self) -> None:
        self._http: httpx.Client = open_http(self._target, self._timing)
        poster = Poster(self._http, self._timing, self._clock)
        deliveries = (to_server(poster), *map(to_sink, self._sinks))
        self._courier = Courier(
            Fetcher(self._http),
            self._state,
            self.buffer,
            [Outlet(number, deliver, self.buffer, self._pauses()) for number, deliver in enumerate(deliveries)],
            Reporter(self.reports, self._service, poster, self._pauses(), self._timing),
            self._timing,
            self._clock,
        )
        self._follower = Follower(
            self._http,
            self._state,
            self._timing,
            clock=self._clock,
            sample=self._sample,
            on_resync=self._courier.resync,
            on_break_glass=self._courier.wake,
        )

    def _pauses(self) -> Pauses:
        return Pauses(self._timing, self._clock, self._sample)
