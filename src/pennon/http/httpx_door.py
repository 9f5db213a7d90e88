"""httpx transports that stand around the client's own, sync and async."""

from collections.abc import AsyncIterator, Iterator, Mapping
from operator import itemgetter
from types import MethodType, TracebackType
from typing import Any, Final, Self

import httpx

from pennon.carry import Departure
from pennon.headers import DECIDED
from pennon.http.calling import Crossing, Terms, expect
from pennon.http.hooks import is_transport_hooked
from pennon.http.leaving import LOOKED_AT
from pennon.http.returning import SAID

# The time limits that a request bears, and which error says that one of them has run out.
_LIMITS: Final = ("connect", "read", "write", "pool")
_limits_of: Final = itemgetter(*_LIMITS)
_LIMIT_OF: Final[Mapping[type[Exception], str]] = {
    httpx.ConnectTimeout: "connect",
    httpx.ReadTimeout: "read",
    httpx.WriteTimeout: "write",
    httpx.PoolTimeout: "pool",
}
# Whether headers are kept as (name, name in lower case, value). Made from such a list they cost a fifth of what the
# public way costs, which looks at each once more; where httpx keeps them otherwise, that one is taken.
_IS_LIST_KNOWN: Final = vars(httpx.Headers([(b"A", b"b")])) == {"_list": [(b"A", b"a", b"b")], "_encoding": None}


def wrap(client: httpx.Client | httpx.AsyncClient, terms: Terms) -> None:
    """Put our transports around the client's. Raises: TypeError for another library's client."""
    expect(client, httpx.Client, httpx.AsyncClient)
    # httpx has no public way to take a client's transports; its instrumentations go the same way.
    if isinstance(client, httpx.Client):
        client._transport = SyncDoor.around(client._transport, terms)  # noqa: SLF001
        client._mounts = {  # noqa: SLF001
            pattern: None if mounted is None else SyncDoor.around(mounted, terms)
            for pattern, mounted in client._mounts.items()  # noqa: SLF001
        }
    else:
        client._transport = AsyncDoor.around(client._transport, terms)  # noqa: SLF001
        client._mounts = {  # noqa: SLF001
            pattern: None if mounted is None else AsyncDoor.around(mounted, terms)
            for pattern, mounted in client._mounts.items()  # noqa: SLF001
        }


class SyncDoor(httpx.BaseTransport):
    """A transport's requests under a contract."""

    def __init__(self, inner: httpx.BaseTransport, terms: Terms) -> None:
        self.inner = inner
        self._terms = terms
        self._hooks = Hooks(self, inner, "handle_request")

    @classmethod
    def around(cls, inner: httpx.BaseTransport, terms: Terms) -> Self:
        """The door around a transport, in place of one that is there already."""
        return cls(inner.inner if isinstance(inner, SyncDoor) else inner, terms)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a new request in place of this one.

        Raises: DeadlineExceeded; else what the transport inside does.
        """
        with _crossing(self._terms, request, self._hooks) as here:
            try:
                response = self.inner.handle_request(_leaving(request, here))
            except httpx.TimeoutException as error:
                _raise_for_deadline(here, request, error)
                raise
            _came_back(here, response)
        if here.timeout_s is not None and not isinstance(response.stream, httpx.ByteStream):
            response.stream = _SyncBody(response.stream, here, request)
        return response

    def close(self) -> None:
        """Close the transport inside."""
        self.inner.close()

    def __enter__(self) -> Self:
        self.inner.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.inner.__exit__(exc_type, exc_value, traceback)


class AsyncDoor(httpx.AsyncBaseTransport):
    """A transport's requests under a contract."""

    def __init__(self, inner: httpx.AsyncBaseTransport, terms: Terms) -> None:
        self.inner = inner
        self._terms = terms
        self._hooks = Hooks(self, inner, "handle_async_request")

    @classmethod
    def around(cls, inner: httpx.AsyncBaseTransport, terms: Terms) -> Self:
        """The door around a transport, in place of one that is there already."""
        return cls(inner.inner if isinstance(inner, AsyncDoor) else inner, terms)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a new request in place of this one.

        Raises: DeadlineExceeded; else what the transport inside does.
        """
        with _crossing(self._terms, request, self._hooks) as here:
            try:
                response = await self.inner.handle_async_request(_leaving(request, here))
            except httpx.TimeoutException as error:
                _raise_for_deadline(here, request, error)
                raise
            _came_back(here, response)
        if here.timeout_s is not None and not isinstance(response.stream, httpx.ByteStream):
            response.stream = _AsyncBody(response.stream, here, request)
        return response

    async def aclose(self) -> None:
        """Close the transport inside."""
        await self.inner.aclose()

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.inner.__aexit__(exc_type, exc_value, traceback)


class _SyncBody(httpx.SyncByteStream):
    """A response's body, whose reading the deadline limits as well: each wait for a piece of it, and all together."""

    def __init__(self, inner: Any, here: Crossing, request: httpx.Request) -> None:
        self._inner = inner
        self._here = here
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._inner:
                self._here.keep_to_deadline()
                yield piece
        except httpx.TimeoutException as error:
            _raise_for_deadline(self._here, self._request, error)
            raise

    def close(self) -> None:
        self._inner.close()


class _AsyncBody(httpx.AsyncByteStream):
    """The same, async."""

    def __init__(self, inner: Any, here: Crossing, request: httpx.Request) -> None:
        self._inner = inner
        self._here = here
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._inner:
                self._here.keep_to_deadline()
                yield piece
        except httpx.TimeoutException as error:
            _raise_for_deadline(self._here, self._request, error)
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()


class Hooks:
    """Whether an instrumentation has taken the door's method, and that inside: which it may do and undo at any time."""

    __slots__ = ("_free", "_method", "_transports")

    def __init__(self, door: Any, inner: Any, method: str) -> None:
        self._transports = (door, inner)
        self._method = method
        self._free: list[object] = [None, None]

    def __call__(self) -> tuple[bool, bool]:
        """Whether they are there now, around and within."""
        return self._are_at(0), self._are_at(1)

    def _are_at(self, place: int) -> bool:
        transport = self._transports[place]
        bound = getattr(transport, self._method, None)
        # What was a plain method of its class, and nobody's, is looked at once.
        function = bound.__func__ if type(bound) is MethodType else None
        if function is not None and function is self._free[place]:
            return False
        is_hooked = is_transport_hooked(transport, self._method)
        self._free[place] = None if is_hooked else function
        return is_hooked


def _crossing(terms: Terms, request: httpx.Request, hooks: Hooks) -> Crossing:
    url = request.url
    return Crossing(
        terms,
        method=request.method,
        scheme=url.scheme,
        host=url.raw_host.decode("ascii"),
        port=url.port,
        path=lambda: url.raw_path.partition(b"?")[0].decode("ascii"),
        own=_looked_at(request.headers),
        hooks=hooks,
    )


def _looked_at(headers: httpx.Headers) -> list[tuple[bytes, bytes]]:
    if _IS_LIST_KNOWN:
        return [line[1:] for line in headers._list if line[1] in LOOKED_AT]  # noqa: SLF001
    return [(low, value) for name, value in headers.raw if (low := name.lower()) in LOOKED_AT]


def _leaving(request: httpx.Request, here: Crossing) -> httpx.Request:
    """A new request in place of the caller's."""
    extensions = _lowered(request.extensions, here.timeout_s)
    if not _IS_LIST_KNOWN:
        headers = _headers(request.headers, here.outgoing)
        return httpx.Request(request.method, request.url, headers=headers, stream=request.stream, extensions=extensions)
    # As copy.copy would, if it did not leave the stream and the extensions behind.
    leaving = object.__new__(type(request))
    headers = _headers_by_list(request.headers, here.outgoing)
    leaving.__dict__ = {**request.__dict__, "headers": headers, "extensions": extensions}
    return leaving


def _lowered(extensions: dict[str, Any], limit_s: float | None) -> dict[str, Any]:
    """A request's extensions with all four time limits at most this."""
    if limit_s is None:
        return dict(extensions)
    own = extensions.get("timeout", {})
    try:
        is_enough = max(_limits_of(own)) <= limit_s
    except (KeyError, TypeError):  # one of them is not set
        is_enough = False
    if is_enough:
        return dict(extensions)
    lowered = {each: limit_s if (own_s := own.get(each)) is None or own_s > limit_s else own_s for each in _LIMITS}
    return {**extensions, "timeout": lowered}


def _headers(own: httpx.Headers, outgoing: Departure) -> httpx.Headers:
    kept = [header for header in own.raw if header[0].lower() not in outgoing.remove]
    return httpx.Headers([*kept, *outgoing.set])


def _headers_by_list(own: httpx.Headers, outgoing: Departure) -> httpx.Headers:
    removed, names = outgoing.remove, outgoing.names
    lines = [line for line in own._list if line[1] not in removed]  # noqa: SLF001
    lines += zip(names, names, outgoing.values, strict=True)
    headers = object.__new__(httpx.Headers)
    headers.__dict__ = {"_list": lines, "_encoding": None}
    return headers


def _raise_for_deadline(here: Crossing, request: httpx.Request, error: httpx.TimeoutException) -> None:
    """Raise DeadlineExceeded if it was the deadline's time that ran out, not the caller's own."""
    limit_s = here.timeout_s
    if limit_s is None or (limit := _LIMIT_OF.get(type(error))) is None:
        return
    own_s = request.extensions.get("timeout", {}).get(limit)
    if own_s is None or own_s > limit_s:
        here.ran_out(error)


def _came_back(here: Crossing, response: httpx.Response) -> None:
    headers = response.headers
    said = [line[1:] for line in headers._list if line[1] in SAID] if _IS_LIST_KNOWN else headers.raw  # noqa: SLF001
    if here.came_back(response.status_code, said):
        del headers[DECIDED]
