"""One event and one measurement per request, outside everything that can fail."""

from collections.abc import Callable
from typing import Final, Protocol

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pennon.web import problem

UNMATCHED: Final = "(unmatched)"


class Observe(Protocol):
    """What is told of each request that ended. route: its template, so that labels stay bounded."""

    def __call__(self, *, method: str, route: str, status: int, duration_s: float) -> None:
        """Take note. status: 0 if the client left before the response began."""
        ...


class AccessLog:
    """ASGI middleware: logs and measures each HTTP request; what the app raises becomes a 500, logged once.

    Of the request only method and route template are logged: paths name flags of others, queries may hold anything.
    """

    def __init__(self, app: ASGIApp, *, observe: Observe, monotonic_ns: Callable[[], int]) -> None:
        self._app = app
        self._observe = observe
        self._monotonic_ns = monotonic_ns
        self._log = structlog.get_logger("pennon.web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, then tell of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_ns, status = self._monotonic_ns(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the outermost place: what gets here would else end in the server's log
            self._log.error("http.failed", route=_route_of(scope), exc_info=error)
            if not status:
                await problem.of_status(500)(scope, receive, watched)
        finally:
            self._note(scope, status, (self._monotonic_ns() - began_ns) / 1e9)

    def _note(self, scope: Scope, status: int, duration_s: float) -> None:
        method, route = scope["method"], _route_of(scope)
        self._observe(method=method, route=route, status=status, duration_s=duration_s)
        level = "debug" if route.startswith("/health/") or route == "/metrics" else "info"
        getattr(self._log, level)(
            "http.request", method=method, route=route, status=status, duration_ms=round(duration_s * 1e3, 2)
        )


def _route_of(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", None) or UNMATCHED
