"""Where exposures go: to the server, and to the sinks that `connect(..., sinks=...)` was given.

An outlet takes batches from the buffer in order. A batch that cannot be delivered now is given back and leaves again,
whole, after a growing pause: what an outlet is given it is given at least once, and the ids tell what came twice.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from pennon.carry import Exposure
from pennon.client.exposures import Buffer, encode_batch
from pennon.client.posting import Pauses, Poster
from pennon.client.waiting import Lost
from pennon.counters import Count, count
from pennon.flags import Ruleset

Sink = Callable[[Sequence[Exposure]], object]

_PATH: Final = "/v1/sdk/exposures"
# The server names every fault of a batch, so that what is left is good; one more, for a server that changes its mind.
_SPLIT_LIMIT_COUNT: Final = 2


class Delivery(Protocol):
    """What an outlet does with a batch."""

    def __call__(self, batch: list[Exposure]) -> float | None:
        """None if the batch is done with, delivered or refused; else how many seconds it wants us to wait."""
        ...


class Outlet:
    """One place that exposures go to, with its own pauses. number: of its queue in the buffer."""

    def __init__(self, number: int, deliver: Delivery, buffer: Buffer, pauses: Pauses) -> None:
        self._number = number
        self._deliver = deliver
        self._buffer = buffer
        self._pauses = pauses

    def is_due(self, now_ns: int) -> bool:
        """Whether no pause is being kept."""
        return self._pauses.are_over(now_ns)

    def send(self, ruleset: Ruleset) -> bool:
        """Send a batch; whether it was done with, and another may be waiting."""
        batch = self._buffer.take(ruleset, self._number)
        if not batch:
            return False
        pause_s = self._deliver(batch)
        if pause_s is not None:
            self._buffer.give_back(batch, self._number)
            self._pauses.failed(pause_s)
            return False
        self._buffer.done(self._number)
        self._pauses.succeeded()
        return True


def to_server(poster: Poster) -> Delivery:
    """Delivery to the control plane, which counts each id once."""

    def deliver(batch: list[Exposure]) -> float | None:
        left = batch
        for _ in range(1 + _SPLIT_LIMIT_COUNT):
            posted = poster.post(_PATH, encode_batch(left))
            if posted.pause_s is not None:
                # The whole batch leaves again, so nothing of it is counted yet.
                return posted.pause_s
            if posted.is_taken:
                _settle(sent_count=len(left), refused_count=len(batch) - len(left))
                return None
            good = _without(left, posted.faulty)
            if not good or len(good) == len(left):
                break
            left = good
        _settle(sent_count=0, refused_count=len(batch))
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


def _without(batch: list[Exposure], faulty: Iterable[str]) -> list[Exposure]:
    """What nobody has found a fault with. faulty: JSON pointers into the body, e.g. "/exposures/3/variant"."""
    refused = {pointer.split("/")[2] for pointer in faulty if pointer.startswith("/exposures/")}
    return [exposure for at, exposure in enumerate(batch) if str(at) not in refused]


def _settle(*, sent_count: int, refused_count: int) -> None:
    if sent_count:
        count(Count.EXPOSURES_SENT, by=sent_count)
    if refused_count:
        count(Count.EXPOSURES_DROPPED, Lost.REFUSED, by=refused_count)
