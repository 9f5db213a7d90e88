"""What urllib3's door has in common with that of requests, which sits on it: headers as they are given, and limits.

A call keeps to the deadline by urllib3's timeouts, and as its body is read.
"""

import io
from collections.abc import Iterable, Mapping
from http.client import HTTPResponse
from typing import Any

from urllib3 import Timeout

from pennon.carry import Departure
from pennon.http.calling import Crossing
from pennon.http.leaving import LOOKED_AT

Headers = Mapping[Any, Any]


def looked_at(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Those that a crossing looks at, lower-case."""
    return [(low, value) for name, value in encoded(headers.items()) if (low := name.lower()) in LOOKED_AT]


def leaving_lines(headers: Headers, outgoing: Departure) -> list[tuple[Any, Any]]:
    """The lines that leave in place of these."""
    kept = [(name, value) for name, value in headers.items() if _bytes(name).lower() not in outgoing.remove]
    return [*kept, *((name.decode(), value.decode()) for name, value in outgoing.set)]


def encoded(headers: Iterable[tuple[str | bytes, str | bytes]]) -> list[tuple[bytes, bytes]]:
    """Names and values as bytes."""
    return [(_bytes(name), _bytes(value)) for name, value in headers]


def lowered(timeout: Any, limit_s: float | None) -> Any:
    """A timeout in any of the forms that urllib3 and requests take, lowered to a limit where it is above it."""
    if limit_s is None:
        return timeout
    if isinstance(timeout, Timeout):
        timeout = timeout.clone()
        timeout.total = _lower(timeout.total, limit_s)
        return timeout
    if isinstance(timeout, tuple):
        return tuple(_lower(each, limit_s) for each in timeout)
    return _lower(timeout, limit_s)


def is_the_deadlines(timeout: Any, limit_s: float | None, *, is_connecting: bool) -> bool:
    """Whether the time that ran out is the deadline's, not the caller's own. timeout: as the caller gave it."""
    if limit_s is None:
        return False
    if isinstance(timeout, Timeout):
        own_s = min(_spans_of(timeout, is_connecting=is_connecting), default=None)
    elif isinstance(timeout, tuple):
        own_s = timeout[0 if is_connecting else 1]
    else:
        own_s = timeout
    return _lower(own_s, limit_s) is limit_s


def limit_body(response: Any, here: Crossing, timeout: Any) -> None:
    """Let the deadline limit the reading of a response's body, however it is read. Without a deadline: nothing.

    response: urllib3's, or http.client's; of any other nothing is known, and it is left as it is.
    """
    received = getattr(response, "_original_response", response)
    if here.timeout_s is None or not isinstance(received, HTTPResponse):
        return
    # All ways to read end here, also chunks, their lengths, and compressed bytes of which nothing comes.
    stream: Any = received.fp
    if isinstance(stream, io.BufferedReader):
        received.fp = io.BufferedReader(_Limited(stream, here, timeout))


class _Limited(io.RawIOBase):
    """What has been received, and comes yet: no wait for a piece, nor all together, is longer than the deadline."""

    def __init__(self, inner: io.BufferedReader, here: Crossing, timeout: Any) -> None:
        super().__init__()
        self._inner = inner
        self._here = here
        self._timeout = timeout

    def readinto(self, buffer: Any, /) -> int:
        """What is there already, or comes first. Raises: DeadlineExceeded; TimeoutError by the caller's own limit."""
        try:
            count = self._inner.readinto1(buffer)
        except TimeoutError as error:
            if is_the_deadlines(self._timeout, self._here.timeout_s, is_connecting=False):
                self._here.ran_out(error)
            raise
        self._here.keep_to_deadline()
        return count

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._inner.fileno()

    def close(self) -> None:
        self._inner.close()
        super().close()


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "replace")


def _lower(own_s: Any, limit_s: float) -> Any:
    return own_s if isinstance(own_s, int | float) and own_s <= limit_s else limit_s


def _spans_of(timeout: Timeout, *, is_connecting: bool) -> list[float]:
    """What a urllib3 timeout says of connecting, or of reading, as far as it says anything."""
    # Read of a fresh copy: one that has not begun knows no reading time but its own.
    said = (timeout.total, timeout.connect_timeout if is_connecting else timeout.clone().read_timeout)
    return [each for each in said if isinstance(each, int | float)]
