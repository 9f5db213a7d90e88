"""The control plane as an ASGI app: the routes over one store, and what stands around them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from pennon.clock import SYSTEM_CLOCK, Clock
from pennon.control import Store
from pennon.headers import Contract, public
from pennon.http import asgi
from pennon.server import break_glass, flags, health, kills, overrides, projects, reports, sdk
from pennon.server.services import AUTHORING_WAITING_LIMIT_COUNT, Services
from pennon.web import AccessLog, HeadAsGet, problem

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


def create_app(
    store: Store,
    *,
    clock: Clock = SYSTEM_CLOCK,
    emergencies: Path | None = None,
    authoring_waiting_limit_count: int = AUTHORING_WAITING_LIMIT_COUNT,
) -> App:
    """The app over this store, which stays the caller's to close.

    emergencies: the folder where break-glass kills are kept until they are reconciled; None: in memory only.
    authoring_waiting_limit_count: authoring requests that may wait for a thread; more are answered 429.
    """
    services = Services.of(
        store,
        clock=clock,
        emergencies_folder=emergencies,
        authoring_waiting_limit_count=authoring_waiting_limit_count,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        services.emergencies.load()
        await services.memory.refresh()
        async with (
            services.feeds,
            _running(services.memory.follow()),
            _running(services.tokens.follow(services.feeds.token_ids, services.feeds.end)),
            _running(services.emergencies.follow(services.committed)),
        ):
            yield

    inner = FastAPI(title="pennon", version=version("pennon"), docs_url=None, redoc_url=None, lifespan=lifespan)
    inner.state.services = services
    inner.router.redirect_slashes = False
    for part in (flags, kills, break_glass, projects, overrides, sdk, reports, health):
        inner.include_router(part.router)
    problem.install(inner, answers_head=True)
    watched = AccessLog(HeadAsGet(inner), observe=services.metrics.observe, monotonic_ns=clock.monotonic_ns)
    return App(asgi(watched, CONTRACT, boundary=public()), services)


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """For as long as the block lasts."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
