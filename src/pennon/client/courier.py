"""The thread for what cannot wait for the stream: resyncs, batches of exposures, the end of break-glass kills.

A resync is asked for by the stream (a gap) or by an evaluation (a carried decision newer than the replica); however
often, one leaves per `resync_s`, and one that failed is tried again. Exposures leave every `flush_s`, when half the
buffer is full, and when the client closes.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import Final

import httpx

from pennon.client.exposures import BATCH_COUNT, Buffer, Lost
from pennon.client.fetching import Failed, Fetcher
from pennon.client.outlets import Outlet, Sink, to_server, to_sink
from pennon.client.state import State
from pennon.client.timing import Timing
from pennon.clock import Clock

_NANOSECONDS: Final = 1_000_000_000


class Courier:
    """See the module."""

    def __init__(
        self,
        http: httpx.Client,
        state: State,
        buffer: Buffer,
        timing: Timing,
        *,
        clock: Clock,
        sample: Callable[[], float],
        sinks: Sequence[Sink] = (),
    ) -> None:
        self._fetcher = Fetcher(http)
        self._state = state
        self._buffer = buffer
        self._timing = timing
        self._clock = clock
        deliveries = (to_server(http, timing, clock), *map(to_sink, sinks))
        self._outlets = tuple(
            Outlet(number, deliver, buffer, timing, clock=clock, sample=sample)
            for number, deliver in enumerate(deliveries)
        )
        self._wakened = Event()
        self._is_stopped = False
        self._wants_resync = False
        self._resync_at_ns = 0
        self._thread = Thread(target=self._run, name="pennon-courier", daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self) -> None:
        """Send what can be sent, and end; `join` waits for it."""
        self._is_stopped = True
        self._wakened.set()

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended, at most timeout_s."""
        self._thread.join(timeout_s)

    def resync(self) -> None:
        """Fetch a snapshot soon."""
        if not self._wants_resync:
            self._wants_resync = True
            self._wakened.set()

    def hurry(self) -> None:
        """Send a batch now if a whole one waits."""
        if len(self._buffer) >= BATCH_COUNT:
            self._wakened.set()

    def _run(self) -> None:
        while not self._is_stopped:
            self._wakened.wait(self._timing.resync_s if self._wants_resync else self._timing.flush_s)
            self._wakened.clear()
            self._state.coarse_now_ns = self._clock.now_ns()
            # Whatever one round comes upon, the next is taken: nobody else does this work.
            with suppress(Exception):
                self._state.expire(self._state.coarse_now_ns // _NANOSECONDS)
                self._once(self._clock.monotonic_ns())
        self._send(self._outlets)
        self._buffer.drop_all(Lost.CLOSED)

    def _once(self, now_ns: int) -> None:
        if self._wants_resync and now_ns >= self._resync_at_ns:
            self._resync(now_ns)
        self._send([outlet for outlet in self._outlets if outlet.is_due(now_ns)])

    def _resync(self, now_ns: int) -> None:
        self._resync_at_ns = now_ns + int(self._timing.resync_s * _NANOSECONDS)
        self._wants_resync = False
        try:
            record = self._fetcher.fetch(self._clock.now_ns() / _NANOSECONDS)
        except Failed as failed:
            self._wants_resync = True
            self._resync_at_ns += int((failed.retry_after_s or 0.0) * _NANOSECONDS)
            return
        if record is not None:
            self._state.take(record)

    def _send(self, outlets: Sequence[Outlet]) -> None:
        held = self._state.replica.ruleset
        if held is None:
            return
        for outlet in outlets:
            # A fault of one outlet's is none of the others'.
            with suppress(Exception):
                outlet.send(held)
