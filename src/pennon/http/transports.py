"""httpx transports that stand around the client's own, sync and async."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

import httpx
from msgspec import structs

from pennon import otel
from pennon.headers import DECIDED, Contract
from pennon.http.hooks import is_transport_hooked
from pennon.http.leaving import has_own_trace, headers_leaving
from pennon.http.returning import Call

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_FAILED_STATUS: Final = 400


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
        hooks = _hooks(self, self.inner, "handle_request")
        with _crossing(self._contract, request, *hooks) as (leaving, came_back):
            response = self.inner.handle_request(leaving)
            came_back(response)
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

    def __init__(self, inner: httpx.AsyncBaseTransport, contract: Contract) -> None:
        self.inner = inner
        self._contract = contract

    @classmethod
    def around(cls, inner: httpx.AsyncBaseTransport, contract: Contract) -> Self:
        """The door around a transport, in place of one that is there already."""
        return cls(inner.inner if isinstance(inner, AsyncDoor) else inner, contract)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a new request in place of this one."""
        hooks = _hooks(self, self.inner, "handle_async_request")
        with _crossing(self._contract, request, *hooks) as (leaving, came_back):
            response = await self.inner.handle_async_request(leaving)
            came_back(response)
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


def _hooks(door: object, inner: object, method: str) -> tuple[bool, bool]:
    """Whether an instrumentation stands around the door, and whether one stands within."""
    return is_transport_hooked(door, method), is_transport_hooked(inner, method)


@contextmanager
def _crossing(
    contract: Contract, request: httpx.Request, is_hooked_around: bool, is_hooked_within: bool
) -> Iterator[tuple[httpx.Request, Callable[[httpx.Response], None]]]:
    """The request that leaves, in the context that the transport inside may see, and what to do with its response."""
    url = request.url
    port = url.port or _DEFAULT_PORTS.get(url.scheme)
    downstream = contract.downstream_for_host(url.host, port)
    # The hook within writes the header of its own span. It may, if nobody else has made the span and this host may
    # have the trace.
    own_trace = has_own_trace(request.headers.raw)
    may_trace = downstream is not None and downstream.trace
    hook_traces = is_hooked_within and not is_hooked_around and may_trace and not own_trace
    span = otel.SILENT if is_hooked_around or hook_traces else _span(request, port)
    call = Call(downstream)

    def came_back(response: httpx.Response) -> None:
        if call.take(response):
            span.note(structs.replace(report, took=(DECIDED,)))
        _status(span, response.status_code)

    with span:
        headers, report = headers_leaving(
            contract,
            downstream,
            request.headers.raw,
            trace=span.trace,
            # A hook around us wrote it, not the caller: then it may leave only where the trace may.
            keeps_trace=own_trace and (may_trace or not is_hooked_around),
        )
        span.note(report)
        leaving = httpx.Request(
            request.method, url, headers=headers, stream=request.stream, extensions=request.extensions
        )
        with otel.outbound(is_silenced=not hook_traces):
            yield leaving, came_back


def _span(request: httpx.Request, port: int | None) -> otel.Span:
    url = request.url
    # Without user, password and query, which may hold secrets.
    shown = f"{url.scheme}://{url.netloc.decode('ascii')}{url.raw_path.partition(b'?')[0].decode('ascii')}"
    return otel.client_span(request.method, url=shown, host=url.host, port=port)


def _status(span: otel.Span, status: int) -> None:
    span.attribute("http.response.status_code", status)
    if status >= _FAILED_STATUS:
        span.fail(str(status))
