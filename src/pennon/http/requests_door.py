"""requests' adapters that stand around the session's own."""

import copy
from collections.abc import Generator, Iterable, Mapping
from typing import Any, Final, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPResponse, Timeout
from urllib3.exceptions import ReadTimeoutError

from pennon.carry import Departure
from pennon.errors import DeadlineExceeded
from pennon.headers import DECIDED
from pennon.http.calling import Crossing, Terms, expect
from pennon.http.hooks import is_wrapped
from pennon.http.leaving import LOOKED_AT

# urllib3 2 reads what there is; before that a read waits until it has all that was asked for.
_HAS_READ1: Final = "read1" in vars(HTTPResponse)


def wrap(session: requests.Session, terms: Terms) -> None:
    """Put our adapters around the session's. Raises: TypeError for another library's session."""
    expect(session, requests.Session)
    for prefix, adapter in session.adapters.items():
        session.adapters[prefix] = AdapterDoor.around(adapter, terms)


class AdapterDoor(BaseAdapter):
    """An adapter's requests under a contract; `inner` is the one inside."""

    def __init__(self, inner: BaseAdapter, terms: Terms) -> None:
        super().__init__()
        self.inner = inner
        self._terms = terms

    @classmethod
    def around(cls, inner: BaseAdapter, terms: Terms) -> Self:
        """The door around an adapter, in place of one that is there already."""
        return cls(inner.inner if isinstance(inner, AdapterDoor) else inner, terms)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # as an adapter is called
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
        **named: Any,
    ) -> requests.Response:
        """Send a new request in place of this one, with an adapter's own arguments.

        Raises: DeadlineExceeded; else what the adapter inside does.
        """
        named |= {"stream": stream, "verify": verify, "cert": cert, "proxies": proxies}
        with _crossing(self._terms, request) as here:
            leaving = copy.copy(request)
            leaving.headers = _rewritten(request.headers, here.outgoing)
            try:
                response = self.inner.send(leaving, timeout=_lowered(timeout, here.timeout_s), **named)
            except requests.RequestException as error:
                # Whoever tries again takes the request from here.
                if error.request is leaving:
                    error.request = request
                if _is_the_deadlines(error, timeout, here.timeout_s):
                    here.ran_out(error)
                raise
            lines = getattr(response.raw, "headers", None) or response.headers
            if here.came_back(response.status_code, _encoded(lines.items())):
                lines.pop(DECIDED, None)
                response.headers.pop(DECIDED, None)
        # Digest authentication sends a copy of this one, by this.
        response.request = request
        response.connection = self  # type: ignore[assignment]  # any adapter may stand there
        if here.timeout_s is not None and type(response.raw) is HTTPResponse and _HAS_READ1:
            # In place: requests, and whoever takes it for urllib3's, go on with the object that they have.
            body: Any = response.raw
            body.__class__ = _Body
            body.pennon_limit = (here, timeout)
        return response

    def close(self) -> None:
        """Close the adapter inside."""
        self.inner.close()


class _Body(HTTPResponse):
    """A response's body, whose reading the deadline limits as well: each wait for a piece of it, and all together."""

    pennon_limit: tuple[Crossing, Any]

    def stream(self, amt: int | None = 2**16, decode_content: bool | None = None) -> Generator[bytes, None, None]:
        """As it is read by requests, but as it comes: pieces may be smaller."""
        here, timeout = self.pennon_limit
        try:
            while piece := self.read1(amt, decode_content=decode_content):
                here.keep_to_deadline()
                yield piece
        except ReadTimeoutError as error:
            if _is_the_deadlines(requests.ReadTimeout(error), timeout, here.timeout_s):
                here.ran_out(error)
            raise
        except DeadlineExceeded:
            self.close()
            raise


def _crossing(terms: Terms, request: requests.PreparedRequest) -> Crossing:
    # Read as requests' adapter reads it, so that what we take for the host is the one it connects to.
    try:
        url = urlsplit(request.url or "")
        port = url.port
    except ValueError:  # of a redirect; the adapter inside refuses it
        url, port = urlsplit(""), None
    return Crossing(
        terms,
        method=request.method or "GET",
        scheme=url.scheme,
        host=url.hostname or "",
        port=port,
        path=lambda: url.path,
        own=[(low, value) for name, value in _encoded(request.headers.items()) if (low := name.lower()) in LOOKED_AT],
        hooks=_hooks,
    )


def _hooks() -> tuple[bool, bool]:
    return is_wrapped(requests.Session.send), is_wrapped(HTTPConnectionPool.urlopen)


def _lowered(timeout: Any, limit_s: float | None) -> Any:
    """A timeout in any of the forms that requests takes, lowered to a limit where it is above it."""
    if limit_s is None:
        return timeout
    if isinstance(timeout, Timeout):
        timeout = timeout.clone()
        timeout.total = _lower(timeout.total, limit_s)
        return timeout
    if isinstance(timeout, tuple):
        return tuple(_lower(each, limit_s) for each in timeout)
    return _lower(timeout, limit_s)


def _lower(own_s: Any, limit_s: float) -> Any:
    return own_s if isinstance(own_s, int | float) and own_s <= limit_s else limit_s


def _is_the_deadlines(error: requests.RequestException, timeout: Any, limit_s: float | None) -> bool:
    """Whether the time that ran out is the deadline's, not the caller's own."""
    if limit_s is None or not isinstance(error, requests.Timeout):
        return False
    is_connecting = isinstance(error, requests.ConnectTimeout)
    if isinstance(timeout, Timeout):
        own_s = min((each for each in _spans_of(timeout, is_connecting=is_connecting)), default=None)
    elif isinstance(timeout, tuple):
        own_s = timeout[0 if is_connecting else 1]
    else:
        own_s = timeout
    return _lower(own_s, limit_s) is limit_s


def _spans_of(timeout: Timeout, *, is_connecting: bool) -> list[float]:
    """What a urllib3 timeout says of connecting, or of reading, as far as it says anything."""
    # Read of a fresh copy: one that has not begun knows no reading time but its own.
    said = (timeout.total, timeout.connect_timeout if is_connecting else timeout.clone().read_timeout)
    return [each for each in said if isinstance(each, int | float)]


def _rewritten(own: Mapping[str, Any], outgoing: Departure) -> CaseInsensitiveDict[Any]:
    headers = CaseInsensitiveDict[Any](
        (name, value) for name, value in own.items() if _bytes(name).lower() not in outgoing.remove
    )
    headers.update((name.decode(), value.decode()) for name, value in outgoing.set)
    return headers


def _encoded(headers: Iterable[tuple[str | bytes, str | bytes]]) -> list[tuple[bytes, bytes]]:
    return [(_bytes(name), _bytes(value)) for name, value in headers]


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "replace")
