"""httpx transports that stand around the client's own, sync and async."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

import httpx

from pennon.carry import Departure
from pennon.headers import DECIDED, Contract
from pennon.http.calling import Crossing, Going, crossing
from pennon.http.hooks import is_transport_hooked


def wrap(client: httpx.Client | httpx.AsyncClient, contract: Contract) -> None:
    """Put our transports around the client's."""
    # httpx has no public way to take a client's transports; its instrumentations go the same way.
    if isinstance(client, httpx.Client):
        client._transport = SyncDoor.around(client._transport, contract)  # noqa: SLF001
        client._mounts = {  # noqa: SLF001
            pattern: None if mounted is None else SyncDoor.around(mounted, contract)
            for pattern, mounted in client._mounts.items()  # noqa: SLF001
        }
    else:
        client._transport = AsyncDoor.around(client._transport, contract)  # noqa: SLF001
        client._mounts = {  # noqa: SLF001
            pattern: None if mounted is None else AsyncDoor.around(mounted, contract)
            for pattern, mounted in client._mounts.items()  # noqa: SLF001
        }


class SyncDoor(httpx.BaseTransport):
    """A transport's requests under a contract."""

    def __init__(self, inner: httpx.BaseTransport, contract: Contract) -> None:
        self.inner = inner
        self._contract = contract

    @classmethod
    def around(cls, inner: httpx.BaseTransport, contract: Contract) -> Self:
        """The door around a transport, in place of one that is there already."""
        return cls(inner.inner if isinstance(inner, SyncDoor) else inner, contract)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a new request in place of this one."""
        with _crossing(self._contract, request, self, self.inner, "handle_request") as here:
            return _came_back(here, self.inner.handle_request(_leaving(request, here.outgoing)))

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

    def __init__(self, inner: httpx.AsyncBaseTransport, contract: Contract) -> None:
        self.inner = inner
        self._contract = contract

    @classmethod
    def around(cls, inner: httpx.AsyncBaseTransport, contract: Contract) -> Self:
        """The door around a transport, in place of one that is there already."""
        return cls(inner.inner if isinstance(inner, AsyncDoor) else inner, contract)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a new request in place of this one."""
        with _crossing(self._contract, request, self, self.inner, "handle_async_request") as here:
            return _came_back(here, await self.inner.handle_async_request(_leaving(request, here.outgoing)))

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


def _crossing(
    contract: Contract, request: httpx.Request, door: object, inner: object, method: str
) -> AbstractContextManager[Crossing]:
    url = request.url
    going = Going(
        method=request.method,
        scheme=url.scheme,
        host=url.raw_host.decode("ascii"),
        port=url.port,
        path=url.raw_path.partition(b"?")[0].decode("ascii"),
        own=request.headers.raw,
    )
    return crossing(
        contract,
        going,
        is_hooked_around=is_transport_hooked(door, method),
        is_hooked_within=is_transport_hooked(inner, method),
    )


def _leaving(request: httpx.Request, outgoing: Departure) -> httpx.Request:
    """A new request in place of the caller's."""
    headers = [header for header in request.headers.raw if header[0].lower() not in outgoing.remove]
    headers += outgoing.set
    return httpx.Request(
        request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions
    )


def _came_back(here: Crossing, response: httpx.Response) -> httpx.Response:
    if here.came_back(response.status_code, response.headers.raw):
        del response.headers[DECIDED]
    return response
