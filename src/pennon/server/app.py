"""The control plane as an ASGI app: the routes over one store, and what stands around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from pennon.clock import SYSTEM_CLOCK
from pennon.control import Store
from pennon.headers import Contract, public
from pennon.http import asgi
from pennon.server import flags, health, kills, overrides, projects, reports, sdk
from pennon.server.services import AUTHORING_WAITING_LIMIT_COUNT, Services
from pennon.web import AccessLog, problem

# Of its callers' headers the control plane keeps nothing; it sends none on, so it declares no downstream.
CONTRACT: Final = Contract("pennon-server", version="1", owner="pennon")


class App:
    """An ASGI app, and the one thing that its server must tell it."""

    def __init__(self, asgi: ASGIApp, services: Services) -> None:
        self._asgi = asgi
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._asgi(scope, receive, send)

    def drain(self) -> None:
        """A shutdown has begun: not ready any more, every stream ends in good order. Call it on the event loop."""
        self._services.feeds.close()


def create_app(store: Store, *, authoring_waiting_limit_count: int = AUTHORING_WAITING_LIMIT_COUNT) -> App:
    """The app over this store, which stays the caller's to close.

    authoring_waiting_limit_count: authoring requests that may wait for a thread; more are answered 429.
    """
    services = Services.of(store, authoring_waiting_limit_count=authoring_waiting_limit_count)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with services.feeds:
            yield

    inner = FastAPI(title="pennon", version=version("pennon"), docs_url=None, redoc_url=None, lifespan=lifespan)
    inner.state.services = services
    inner.router.redirect_slashes = False
    for part in (flags, kills, projects, overrides, sdk, reports, health):
        inner.include_router(part.router)
    problem.install(inner)
    watched = AccessLog(inner, observe=services.metrics.observe, monotonic_ns=SYSTEM_CLOCK.monotonic_ns)
    return App(asgi(watched, CONTRACT, boundary=public()), services)
