"""The journeys app as an ASGI app: its routes over one memory, and what stands around them."""

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from pennon.clock import SYSTEM_CLOCK
from pennon.headers import Contract, public
from pennon.http import asgi
from pennon.journeys import api, intake, pages
from pennon.journeys.control import ControlPlane
from pennon.journeys.gate import Gate
from pennon.journeys.guard import Guard
from pennon.journeys.intake import REQUESTS_LIMIT_COUNT
from pennon.journeys.live import Live
from pennon.journeys.memory import Memory
from pennon.journeys.services import Services
from pennon.web import AccessLog, Lane, problem

# Of its callers' headers it keeps nothing; it sends none on.
CONTRACT: Final = Contract("pennon-journeys", version="1", owner="pennon")

LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class App:
    """An ASGI app, and the one thing that its server must tell it."""

    def __init__(self, asgi: ASGIApp, live: Live) -> None:
        self._asgi = asgi
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._asgi(scope, receive, send)

    def drain(self) -> None:
        """A shutdown has begun: every stream ends in good order. Call it on the event loop."""
        self._live.close()


def create_app(
    *, memory: Memory, control: ControlPlane | None, page_token: str, hosts: Collection[str] = LOOPBACK_HOSTS
) -> App:
    """The app over this memory.

    control: closed when the app's lifespan ends; None: flags are neither shown nor changed.
    page_token: rendered into the page; a change must bring it along.
    hosts: the names, without a port, that a request's Host may have.
    """
    live = Live(memory, control)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if control is not None:
                await stack.enter_async_context(control)
            await stack.enter_async_context(live)
            yield

    inner = FastAPI(title="pennon journeys", openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    gate = Gate(limit_count=REQUESTS_LIMIT_COUNT)
    inner.state.services = Services(memory, live, control, gate, Lane(threads=1), page_token)
    inner.router.redirect_slashes = False
    for part in (pages, intake, api):
        inner.include_router(part.router)
    problem.install(inner)
    watched = AccessLog(Guard(inner, hosts=hosts), observe=_unobserved, monotonic_ns=SYSTEM_CLOCK.monotonic_ns)
    return App(asgi(watched, CONTRACT, boundary=public(), spans=False), live)


def _unobserved(*, method: str, route: str, status: int, duration_s: float) -> None:
    """This app has no metrics of its own."""
