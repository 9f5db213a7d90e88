"""What the client sends to the server, what became of it, and when to send again."""

from collections.abc import Callable
from typing import Any, Final

import httpx
import msgspec

from pennon.client.fetching import retry_after_s
from pennon.client.timing import Timing
from pennon.clock import Clock
from pennon.sync import delay_s

_NANOSECONDS: Final = 1_000_000_000
_JSON: Final = {"content-type": "application/json"}
# What is sent is good, the moment is not: unauthorised for now, a timeout, limited.
_TRY_AGAIN: Final = frozenset({401, 403, 408, 425, 429})
_SERVER_ERRORS_FROM: Final = 500


class Posted(msgspec.Struct, frozen=True):
    """What became of what was sent; neither taken nor to be sent again: it is refused.

    pause_s: how many seconds the server wants us to wait before we send it again; None: not to be sent again.
    faulty: of what is refused, JSON pointers (RFC 6901) to what is wrong with it, as far as the server says.
    """

    is_taken: bool
    pause_s: float | None = None
    faulty: tuple[str, ...] = ()


class Poster:
    """Sends JSON to one server."""

    def __init__(self, http: httpx.Client, timing: Timing, clock: Clock) -> None:
        self._http = http
        self._timing = timing
        self._clock = clock

    def post(self, path: str, body: bytes) -> Posted:
        """Send it once."""
        try:
            response = self._http.post(path, content=body, headers=_JSON)
        except httpx.HTTPError:
            return Posted(is_taken=False, pause_s=0.0)
        if response.is_success:
            return Posted(is_taken=True)
        if response.status_code in _TRY_AGAIN or response.status_code >= _SERVER_ERRORS_FROM:
            asked_s = retry_after_s(response.headers, self._clock.now_ns() / _NANOSECONDS)
            return Posted(is_taken=False, pause_s=min(asked_s or 0.0, self._timing.retry_after_cap_s))
        return Posted(is_taken=False, faulty=_faulty(response.content))


class Pauses:
    """When to send next: at once, or after a failure in a while, which grows. sample: uniform in [0, 1)."""

    def __init__(self, timing: Timing, clock: Clock, sample: Callable[[], float]) -> None:
        self._timing = timing
        self._clock = clock
        self._sample = sample
        self._over_at_ns = 0
        self._failed_count = 0

    def are_over(self, now_ns: int) -> bool:
        """Whether it may be sent. now_ns: monotonic."""
        return now_ns >= self._over_at_ns

    def failed(self, asked_s: float) -> None:
        """Begin a pause: what the server asked for, and jitter on top."""
        self._failed_count += 1
        self.wait(asked_s + delay_s(self._failed_count, self._sample(), cap_s=self._timing.cap_s))

    def succeeded(self) -> None:
        """Begin anew with short ones."""
        self._failed_count = 0

    def wait(self, pause_s: float) -> None:
        """Send nothing for so long."""
        self._over_at_ns = self._clock.monotonic_ns() + int(pause_s * _NANOSECONDS)


class _Fault(msgspec.Struct):
    path: str


class _Problem(msgspec.Struct):
    """Of a problem document (RFC 9457) what we look at."""

    faults: list[_Fault] = []


def _faulty(body: bytes) -> tuple[str, ...]:
    try:
        problem: Any = msgspec.json.decode(body, type=_Problem)
    except msgspec.MsgspecError:
        return ()
    return tuple(fault.path for fault in problem.faults)
