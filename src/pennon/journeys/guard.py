"""What stands around every route: only this machine's names, only this page's scripts, nothing embedded.

1. A request must name a host that is ours: a page elsewhere that lets its own name point here (DNS rebinding) does not.
2. A request that a browser sends from another site is refused, whatever it asks for. Programs send no `Sec-Fetch-Site`.
3. A change must come from this page: same origin, and the token that is rendered into it.
"""

import hmac
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pennon.errors import Forbidden
from pennon.web import problem

TOKEN_HEADER: Final = "x-page-token"  # noqa: S105 - the name of a header

_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_OWN_SITE: Final = frozenset({"same-origin", "none"})


class Guard:
    """ASGI middleware for 1 and 2. hosts: the names, without a port, by which this app is reached."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        headers = Headers(scope=scope)
        if (refused := self._refused(scope["method"], headers)) is not None:
            await problem.of_error(Forbidden(refused))(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _refused(self, method: str, headers: Headers) -> str | None:
        host = hostname_of(headers.get("host", ""))
        if len(headers.getlist("host")) != 1 or host not in self._hosts:
            return f"the host {host[:80]!r} is not a name of this app; allowed: {', '.join(sorted(self._hosts))}"
        # Absent where no browser asks, or one that is too old to say. A link from elsewhere may lead here.
        is_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site", "none") in _OWN_SITE or is_link:
            return None
        return "this app answers its own page only"


def demand_page(request: Request, token: str) -> None:
    """Rule 3. Raises: Forbidden."""
    origin = request.headers.get("origin")
    # Its scheme is the browser's word: behind a proxy for TLS it is another than ours.
    if origin is not None and origin.partition("://")[2] != request.headers.get("host", ""):
        raise Forbidden("a change must come from this app's own page")
    if not hmac.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), token.encode()):
        raise Forbidden(f"{TOKEN_HEADER}: must be the token in this page; load it anew")


def hostname_of(host: str) -> str:
    """A Host header without its port, lower-case."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()
