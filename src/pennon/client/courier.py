"""The thread for what cannot wait for the stream: resyncs, and batches of exposures.

A resync is asked for by the stream (a gap) or by an evaluation (a carried decision newer than the replica); however
often, one leaves per `resync_s`, and one that failed is tried again. Exposures leave every `flush_s`, when half the
buffer is full, and when the client closes.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Final

import httpx

from pennon.carry import Exposure
from pennon.client.exposures import BATCH_COUNT, Buffer, Lost, encode_batch
from pennon.client.fetching import Failed, Fetcher, retry_after_s
from pennon.client.state import State
from pennon.client.timing import Timing
from pennon.clock import Clock
from pennon.counters import Count, count
from pennon.sync import delay_s

_NANOSECONDS: Final = 1_000_000_000
_JSON: Final = {"content-type": "application/json"}
# The batch is good, the moment is not: unauthorised for now, a timeout, limited.
_TRY_AGAIN: Final = frozenset({401, 403, 408, 425, 429})
_SERVER_ERRORS_FROM: Final = 500


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
    ) -> None:
        self._http = http
        self._fetcher = Fetcher(http)
        self._state = state
        self._buffer = buffer
        self._timing = timing
        self._clock = clock
        self._sample = sample
        self._wakened = Event()
        self._is_stopped = False
        self._wants_resync = False
        self._resync_at_ns = 0
        self._send_at_ns = 0
        self._failed_count = 0
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
                self._once(self._clock.monotonic_ns())
        with suppress(Exception):
            self._send()
        self._buffer.drop_all(Lost.CLOSED)

    def _once(self, now_ns: int) -> None:
        if self._wants_resync and now_ns >= self._resync_at_ns:
            self._resync(now_ns)
        if now_ns >= self._send_at_ns:
            self._send()

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

    def _send(self) -> None:
        """Send batches until nothing is left that may leave, or one fails."""
        while batch := self._next_batch():
            pause_s = self._post(batch)
            if pause_s is not None:
                self._buffer.give_back(batch)
                self._failed_count += 1
                pause_s += delay_s(self._failed_count, self._sample(), cap_s=self._timing.cap_s)
                self._send_at_ns = self._clock.monotonic_ns() + int(pause_s * _NANOSECONDS)
                return
            self._failed_count = 0

    def _next_batch(self) -> list[Exposure]:
        held = self._state.replica.ruleset
        return [] if held is None else self._buffer.take(held)

    def _post(self, batch: list[Exposure]) -> float | None:
        """None if the batch is done with, sent or refused; else how long the server asked us to wait."""
        try:
            response = self._http.post("/v1/sdk/exposures", content=encode_batch(batch), headers=_JSON)
        except httpx.HTTPError:
            return 0.0
        if response.is_success:
            count(Count.EXPOSURES_SENT, by=len(batch))
            return None
        if response.status_code in _TRY_AGAIN or response.status_code >= _SERVER_ERRORS_FROM:
            asked_s = retry_after_s(response.headers, self._clock.now_ns() / _NANOSECONDS)
            return min(asked_s or 0.0, self._timing.retry_after_cap_s)
        count(Count.EXPOSURES_DROPPED, Lost.REFUSED, by=len(batch))
        return None
