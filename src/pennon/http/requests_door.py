"""requests' adapters that stand around the session's own.

urllib3's door inside of those would not do: a session may have adapters that know no urllib3, and its own make their
pools anew for each proxy, and where they are unpickled.
"""

import copy
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import ReadTimeoutError

from pennon.headers import DECIDED
from pennon.http.calling import Crossing, Terms, expect
from pennon.http.hooks import is_wrapped
from pennon.http.on_urllib3 import encoded, is_the_deadlines, leaving_lines, limit_body, looked_at, lowered


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
            leaving.headers = CaseInsensitiveDict(leaving_lines(request.headers, here.outgoing))
            try:
                response = self.inner.send(leaving, timeout=lowered(timeout, here.timeout_s), **named)
            except requests.RequestException as error:
                # Whoever tries again takes the request from here.
                if error.request is leaving:
                    error.request = request
                if _is_the_deadlines(error, timeout, here.timeout_s):
                    here.ran_out(error)
                raise
            lines = getattr(response.raw, "headers", None) or response.headers
            if here.came_back(response.status_code, encoded(lines.items())):
                lines.pop(DECIDED, None)
                response.headers.pop(DECIDED, None)
        # Digest authentication sends a copy of this one, by this.
        response.request = request
        response.connection = self  # type: ignore[assignment]  # any adapter may stand there
        limit_body(response.raw, here, timeout)
        return response

    def close(self) -> None:
        """Close the adapter inside."""
        self.inner.close()


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
        own=looked_at(request.headers),
        hooks=_hooks,
    )


def _hooks() -> tuple[bool, bool]:
    return is_wrapped(requests.Session.send), is_wrapped(HTTPConnectionPool.urlopen)


def _is_the_deadlines(error: requests.RequestException, timeout: Any, limit_s: float | None) -> bool:
    """Whether the time that ran out is the deadline's, not the caller's own."""
    # Where the adapter tries by itself, requests tells only that the tries are over.
    last = getattr(error.args[0], "reason", None) if error.args else None
    is_late = isinstance(error, requests.Timeout) or isinstance(last, ReadTimeoutError)
    is_connecting = isinstance(error, requests.ConnectTimeout)
    return is_late and is_the_deadlines(timeout, limit_s, is_connecting=is_connecting)
