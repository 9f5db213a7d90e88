"""requests' adapters that stand around the session's own."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool

from pennon.carry import Departure
from pennon.headers import DECIDED, Contract
from pennon.http.calling import Going, crossing
from pennon.http.hooks import is_wrapped


def wrap(session: requests.Session, contract: Contract) -> None:
    """Put our adapters around the session's."""
    for prefix, adapter in session.adapters.items():
        session.adapters[prefix] = AdapterDoor.around(adapter, contract)


class AdapterDoor(BaseAdapter):
    """An adapter's requests under a contract; `inner` is the one inside."""

    def __init__(self, inner: BaseAdapter, contract: Contract) -> None:
        super().__init__()
        self.inner = inner
        self._contract = contract

    @classmethod
    def around(cls, inner: BaseAdapter, contract: Contract) -> Self:
        """The door around an adapter, in place of one that is there already."""
        return cls(inner.inner if isinstance(inner, AdapterDoor) else inner, contract)

    def send(self, request: requests.PreparedRequest, *arguments: Any, **named: Any) -> requests.Response:
        """Send a new request in place of this one, with an adapter's own arguments."""
        hooks = {
            "is_hooked_around": is_wrapped(requests.Session.send),
            "is_hooked_within": is_wrapped(HTTPConnectionPool.urlopen),
        }
        with crossing(self._contract, _going(request), **hooks) as here:
            leaving = copy.copy(request)
            leaving.headers = _rewritten(request.headers, here.outgoing)
            try:
                response = self.inner.send(leaving, *arguments, **named)
            except requests.RequestException as error:
                # Whoever tries again takes the request from here.
                if error.request is leaving:
                    error.request = request
                raise
            lines = getattr(response.raw, "headers", None) or response.headers
            if here.came_back(response.status_code, _encoded(lines.items())):
                lines.pop(DECIDED, None)
                response.headers.pop(DECIDED, None)
        # Digest authentication sends a copy of this one, by this.
        response.request = request
        response.connection = self  # type: ignore[assignment]  # any adapter may stand there
        return response

    def close(self) -> None:
        """Close the adapter inside."""
        self.inner.close()


def _going(request: requests.PreparedRequest) -> Going:
    # Read as requests' adapter reads it, so that what we take for the host is the one it connects to.
    try:
        url = urlsplit(request.url or "")
        port = url.port
    except ValueError:  # of a redirect; the adapter inside refuses it
        url, port = urlsplit(""), None
    return Going(
        method=request.method or "GET",
        scheme=url.scheme,
        host=url.hostname or "",
        port=port,
        path=url.path,
        own=_encoded(request.headers.items()),
    )


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
