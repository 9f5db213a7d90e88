"""HEAD answers what GET would, without the body (RFC 9110 §9.3.2).

The response ends with its headers, and a caller whose response has ended counts as gone (ASGI): a stream ends, too.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware: the app sees a GET; of its response only status and headers leave."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        asked = dict(scope, method="GET")
        await self._app(asked, receive, headed)
        # Whoever watches from outside wants to know which it was.
        scope["route"] = asked.get("route")
