"""The thread that follows the server: a stream while it can, polls while it cannot, and never gives up.

1. One connection at a time. Its read timeout is the watchdog: the server pings more often than that.
2. A stream that ends for whatever reason makes the client STALE, at once; the next attempt comes after a full-jitter
   delay, or after what the server asked for. Only a stream that lived counts as success: a server that takes
   connections and drops them is not hammered.
3. It resumes where the replica stands. After nonsense it does not: a snapshot heals what a delta could not.
4. After several failures in a row the ruleset is polled beside the attempts: something in between may refuse streams.
   While polls succeed the client is READY.
5. `stop` shuts the connection's socket down, which ends a read in progress; only connecting can outlast it, by
   `connect_s`, in a daemon thread.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from threading import Event, Thread
from typing import Final

import httpx

from pennon.client.fetching import Failed, Fetcher, Trouble, check, failure_of
from pennon.client.state import State
from pennon.client.timing import Timing
from pennon.clock import Clock
from pennon.counters import Count, count
from pennon.errors import RulesetInvalid
from pennon.sync import BreakGlass, Effect, Frame, FrameReader, decode_message, delay_s, encode_position

_NANOSECONDS: Final = 1_000_000_000
# What the server refuses, a poll would be refused as well.
_HOPELESS: Final = frozenset({Trouble.REFUSED, Trouble.LIMITED})


class Source(StrEnum):
    """Where the ruleset comes from; the client's `status_detail` says it."""

    STREAM = "following the stream"
    POLL = "polling"


class Follower:
    """See the module. sample: uniform in [0, 1).

    on_resync: asks for a snapshot beside the stream. on_break_glass: something has come that ends by the clock.
    """

    def __init__(
        self,
        http: httpx.Client,
        state: State,
        timing: Timing,
        *,
        clock: Clock,
        sample: Callable[[], float],
        on_resync: Callable[[], None],
        on_break_glass: Callable[[], None],
    ) -> None:
        self._http = http
        self._fetcher = Fetcher(http)
        self._state = state
        self._timing = timing
        self._clock = clock
        self._sample = sample
        self._on_resync = on_resync
        self._on_break_glass = on_break_glass
        self._stopped = Event()
        self._socket: socket.socket | None = None
        self._failed_count = 0
        self._resumes = True
        self._is_heard = False
        self._thread = Thread(target=self._run, name="pennon-follower", daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; `join` waits for it."""
        self._stopped.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended, at most timeout_s."""
        self._thread.join(timeout_s)

    def abandon(self) -> None:
        """In a forked child: close its copy of the socket, which says nothing to the server; the parent goes on."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            pause_s = self._timing.cap_s
            try:
                pause_s = self._once()
            except Exception:  # noqa: BLE001 - whatever it is, following must go on
                count(Count.STREAM_FAILURES, Trouble.NONSENSE)
            self._stopped.wait(pause_s)

    def _once(self) -> float:
        """One connection; how long to pause before the next."""
        began_ns = self._clock.monotonic_ns()
        self._is_heard = False
        failed = self._follow()
        if self._stopped.is_set():
            return 0.0
        has_lived = self._clock.monotonic_ns() - began_ns >= self._timing.silence_s * _NANOSECONDS
        self._failed_count = 1 if has_lived and self._is_heard else self._failed_count + 1
        self._resumes = failed.trouble is not Trouble.NONSENSE
        count(Count.STREAM_FAILURES, failed.trouble)
        return self._pause_s(failed)

    def _follow(self) -> Failed:
        """Read one connection from its beginning to its end; why it ended."""
        try:
            self._read_stream()
        except Failed as failed:
            return failed
        except (httpx.HTTPError, RulesetInvalid) as error:
            return failure_of(error)
        return Failed(Trouble.ENDED, "the server ended the stream")

    def _read_stream(self) -> None:
        timeout = httpx.Timeout(self._timing.connect_s, read=self._timing.silence_s)
        with self._http.stream("GET", "/v1/sdk/stream", headers=self._headers(), timeout=timeout) as response:
            check(response, self._clock.now_ns() / _NANOSECONDS, media_type="text/event-stream")
            self._hold(response)
            count(Count.STREAM_CONNECTS)
            reader = FrameReader()
            for chunk in response.iter_bytes():
                for frame in reader.feed(chunk):
                    self._take(frame)
                if self._stopped.is_set():
                    return

    def _headers(self) -> dict[str, str]:
        # Identity: a compressing proxy would hold small events back until its block is full.
        headers = {"accept": "text/event-stream", "accept-encoding": "identity", "cache-control": "no-store"}
        held = self._state.replica.ruleset
        if held is not None and self._resumes:
            headers["last-event-id"] = encode_position(held.epoch, held.revision)
        return headers

    def _hold(self, response: httpx.Response) -> None:
        self._socket = response.extensions["network_stream"].get_extra_info("socket")
        if self._stopped.is_set():
            self.stop()

    def _take(self, frame: Frame) -> None:
        message = decode_message(frame.name, frame.data)
        if message is None:
            return
        if self._state.take(message) is Effect.RESYNC:
            self._on_resync()
        if isinstance(message, BreakGlass):
            self._on_break_glass()
        self._is_heard = True
        self._state.heard(Source.STREAM.value)

    def _pause_s(self, failed: Failed) -> float:
        """What to do until the next attempt, and how long it may take."""
        pause_s = delay_s(self._failed_count, self._sample(), base_s=self._timing.base_s, cap_s=self._timing.cap_s)
        if failed.retry_after_s is not None:
            # Jitter on top, so that those who were sent away together do not come back together.
            pause_s += min(failed.retry_after_s, self._timing.retry_after_cap_s)
        elif self._failed_count >= self._timing.poll_after_count and failed.trouble not in _HOPELESS and self._poll():
            return min(pause_s, self._timing.poll_s)
        self._state.lost(failed.detail, is_refused=failed.trouble is Trouble.REFUSED)
        return pause_s

    def _poll(self) -> bool:
        try:
            record = self._fetcher.fetch(self._clock.now_ns() / _NANOSECONDS)
        except Failed:
            return False
        if record is not None:
            self._state.take(record)
        self._state.heard(Source.POLL.value)
        return True
