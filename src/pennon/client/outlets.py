"""Where exposures go: to the server, and to the sinks that `connect(..., sinks=...)` was given.

An outlet takes batches from the buffer in order. A batch that cannot be delivered now is given back and leaves again,
whole, after a growing pause: what an outlet is given it is given at least once, and the ids tell what came twice.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import httpx

from pennon.carry import Exposure
from pennon.client.exposures import Buffer, Lost, encode_batch
from pennon.client.fetching import retry_after_s
from pennon.client.timing import Timing
from pennon.clock import Clock
from pennon.counters import Count, count
from pennon.flags import Ruleset
from pennon.sync import delay_s

Sink = Callable[[Sequence[Exposure]], object]

_NANOSECONDS: Final = 1_000_000_000
_JSON: Final = {"content-type": "application/json"}
# The batch is good, the moment is not: unauthorised for now, a timeout, limited.
_TRY_AGAIN: Final = frozenset({401, 403, 408, 425, 429})
_SERVER_ERRORS_FROM: Final = 500


class Delivery(Protocol):
    """What an outlet does with a batch."""

    def __call__(self, batch: list[Exposure]) -> float | None:
        """None if the batch is done with, delivered or refused; else how many seconds it wants us to wait."""
        ...


class Outlet:
    """One place that exposures go to, with its own pauses. number: of its queue in the buffer."""

    def __init__(
        self,
        number: int,
        deliver: Delivery,
        buffer: Buffer,
        timing: Timing,
        *,
        clock: Clock,
        sample: Callable[[], float],
    ) -> None:
        self._number = number
        self._deliver = deliver
        self._buffer = buffer
        self._timing = timing
        self._clock = clock
        self._sample = sample
        self._send_at_ns = 0
        self._failed_count = 0

    def is_due(self, now_ns: int) -> bool:
        """Whether no pause is being kept."""
        return now_ns >= self._send_at_ns

    def send(self, ruleset: Ruleset) -> None:
        """Send batches until nothing is left that may leave, or one fails."""
        while batch := self._buffer.take(ruleset, self._number):
            pause_s = self._deliver(batch)
            if pause_s is not None:
                self._buffer.give_back(batch, self._number)
                self._failed_count += 1
                pause_s += delay_s(self._failed_count, self._sample(), cap_s=self._timing.cap_s)
                self._send_at_ns = self._clock.monotonic_ns() + int(pause_s * _NANOSECONDS)
                return
            self._failed_count = 0


def to_server(http: httpx.Client, timing: Timing, clock: Clock) -> Delivery:
    """Delivery to the control plane, which counts each id once."""

    def deliver(batch: list[Exposure]) -> float | None:
        try:
            response = http.post("/v1/sdk/exposures", content=encode_batch(batch), headers=_JSON)
        except httpx.HTTPError:
            return 0.0
        if response.is_success:
            count(Count.EXPOSURES_SENT, by=len(batch))
            return None
        if response.status_code in _TRY_AGAIN or response.status_code >= _SERVER_ERRORS_FROM:
            asked_s = retry_after_s(response.headers, clock.now_ns() / _NANOSECONDS)
            return min(asked_s or 0.0, timing.retry_after_cap_s)
        count(Count.EXPOSURES_DROPPED, Lost.REFUSED, by=len(batch))
        return None

    return deliver


def to_sink(sink: Sink) -> Delivery:
    """Delivery to a sink; one that raises is given the batch again."""

    def deliver(batch: list[Exposure]) -> float | None:
        try:
            sink(tuple(batch))
        except Exception:  # noqa: BLE001 - the user's code; its fault must not end the thread, and is counted
            count(Count.SINK_FAILURES)
            return 0.0
        count(Count.EXPOSURES_SUNK, by=len(batch))
        return None

    return deliver
