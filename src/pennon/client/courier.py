"""The thread for what cannot wait for the stream: resyncs, exposures, reports, the end of break-glass kills.

A resync is asked for by the stream (a gap) or by an evaluation (a carried decision newer than the replica); however
often, one leaves per `resync_s`, and one that failed is tried again. Exposures and reports leave every `flush_s`,
exposures also when a whole batch waits, both when the client closes. A round sends one batch to each outlet, so that
nothing waits long for what has piled up.
"""

from collections.abc import Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import Final

from pennon.client.exposures import Buffer
from pennon.client.fetching import Failed, Fetcher
from pennon.client.outlets import Outlet
from pennon.client.reporting import Reporter
from pennon.client.state import State
from pennon.client.timing import Timing
from pennon.client.waiting import BATCH_COUNT
from pennon.clock import Clock

_NANOSECONDS: Final = 1_000_000_000


class Courier:
    """See the module."""

    def __init__(
        self,
        fetcher: Fetcher,
        state: State,
        buffer: Buffer,
        outlets: Sequence[Outlet],
        reporter: Reporter,
        timing: Timing,
        clock: Clock,
    ) -> None:
        self._fetcher = fetcher
        self._state = state
        self._buffer = buffer
        self._outlets = outlets
        self._reporter = reporter
        self._timing = timing
        self._clock = clock
        self._wakened = Event()
        self._is_stopped = False
        self._wants_resync = False
        self._resync_at_ns = 0
        self._takeover_at_ns = 0
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

    def wake(self) -> None:
        """Look again at what is to be done when: something may end sooner than it knew."""
        self._wakened.set()

    def _run(self) -> None:
        has_more = False
        while not self._is_stopped:
            self._wakened.wait(0.0 if has_more else self._wait_s())
            self._wakened.clear()
            self._state.coarse_now_ns = self._clock.now_ns()
            has_more = False
            # Whatever one round comes upon, the next is taken: nobody else does this work.
            with suppress(Exception):
                self._state.expire(self._state.coarse_now_ns // _NANOSECONDS)
                has_more = self._once(self._clock.monotonic_ns())
        # A batch first, then the reports, which are few; what has piled up may take longer than anybody waits.
        has_more = self._send(self._outlets)
        with suppress(Exception):
            self._reporter.finish()
        while has_more:
            has_more = self._send(self._outlets)
        self._buffer.close()

    def _wait_s(self) -> float:
        """Until the next round: when something is to be sent, or the first of the break-glass kills ends."""
        usual_s = self._timing.resync_s if self._wants_resync else self._timing.flush_s
        until_s = self._state.expires_s
        if until_s is None:
            return usual_s
        return max(0.0, min(usual_s, until_s - self._clock.now_ns() / _NANOSECONDS))

    def _once(self, now_ns: int) -> bool:
        """One round; whether there is more to send at once."""
        if self._wants_resync and now_ns >= self._resync_at_ns:
            self._resync(now_ns)
        if now_ns >= self._takeover_at_ns:
            self._take_over(now_ns)
        has_more = self._send([outlet for outlet in self._outlets if outlet.is_due(now_ns)])
        if self._reporter.is_due(now_ns):
            self._reporter.send()
        return has_more

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

    def _take_over(self, now_ns: int) -> None:
        held = self._state.replica.ruleset
        if held is not None:
            self._takeover_at_ns = now_ns + int(self._timing.takeover_s * _NANOSECONDS)
            self._buffer.take_over(held)

    def _send(self, outlets: Sequence[Outlet]) -> bool:
        """Send a batch to each; whether one of them may have more."""
        held = self._state.replica.ruleset
        if held is None:
            return False
        has_more = False
        for outlet in outlets:
            # A fault of one outlet's is none of the others'.
            with suppress(Exception):
                has_more |= outlet.send(held)
        return has_more
