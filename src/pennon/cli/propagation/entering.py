"""Into a request context by each door, with the probe's headers, and there do what is to be probed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from wsgiref.util import setup_testing_defaults

import pennon.http
from pennon.cli.propagation.clients import Client
from pennon.cli.propagation.probe import IDENTITY
from pennon.context import RequestContext
from pennon.headers import Boundary, Contract, mesh, public

Headers = tuple[tuple[bytes, bytes], ...]
Within = Callable[[RequestContext], Awaitable[None]]

# Probes enter as from one of ours: what a stranger brings is probed apart.
TRUSTED: Final = mesh(verify=lambda _: True, identity=lambda _: IDENTITY)
STRANGERS: Final = public()


def by_asgi(contract: Contract, boundary: Boundary, headers: Headers, within: Within) -> None:
    """Run `within` in a request that came in by ASGI."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await within(_here())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(_: Any) -> None:
        return

    peers = {"client": ("127.0.0.1", 4711), "server": ("127.0.0.1", 80)}
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", **peers, "headers": list(headers)}
    asyncio.run(pennon.http.asgi(app, contract, boundary=boundary)(scope, receive, send))


def by_wsgi(contract: Contract, boundary: Boundary, headers: Headers, within: Within) -> None:
    """Run `within` in a request that came in by WSGI, in a loop of its own where it awaits anything."""

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        context = _here()

        async def run() -> None:
            await within(context)

        asyncio.run(run())
        start_response("204 No Content", [])
        return [b""]

    environ: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "QUERY_STRING": ""}
    environ |= {
        "HTTP_" + name.decode("latin-1").upper().replace("-", "_"): value.decode("latin-1") for name, value in headers
    }
    setup_testing_defaults(environ)
    # No twin with an underscore is among the probe's headers.
    door = pennon.http.wsgi(app, contract, boundary=boundary, drops_underscores=True)
    body: Any = door(environ, lambda *_: lambda _: None)
    try:
        list(body)
    finally:
        # A refusal is a plain list.
        if hasattr(body, "close"):
            body.close()


DOORS: Final[Mapping[str, Callable[[Contract, Boundary, Headers, Within], None]]] = {"asgi": by_asgi, "wsgi": by_wsgi}


async def call(client: Client, contract: Contract, url: str, proxy: str) -> None:
    """One call; a client that does not await keeps the loop, which has nothing else to do."""
    if client.sync is not None:
        client.sync(contract, url, proxy)
    elif client.awaited is not None:
        await client.awaited(contract, url, proxy)


def _here() -> RequestContext:
    context = pennon.current()
    if context is None:
        raise RuntimeError("the door entered no request context")
    return context
