"""The door of an ASGI application: headers in, request context around the application, ids out.

It stands outermost. A caller is believed only if the boundary is a mesh and its verifier says so; what a stranger sent
of ours is dropped unread. Lifespan passes through.
"""

from typing import Final

from pennon import ambient, otel
from pennon.context import RequestContext
from pennon.headers import Inbound
from pennon.http.arriving import Admission, Door, note_answer, peer_attributes
from pennon.http.refusal import refuse
from pennon.http.rewriting import ids_of, is_hidden_outside, written_inside, written_outside
from pennon.http.types import AsgiApp, Message, RawHeaders, Receive, Scope, Send

_RESPONSE: Final = "http.response.start"
_STARTS: Final = frozenset({_RESPONSE, "websocket.accept", "websocket.http.response.start"})


class AsgiDoor(Door[AsgiApp]):
    """What `asgi` returns: an ASGI application; `app` is the one inside."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, WebSocket or lifespan (ASGI 3)."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        inbound = _inbound_of(scope)
        admission = self._admit(inbound)
        arrival = admission.arrival
        if arrival.refusal is not None and not admission.is_late:
            await refuse(scope, receive, send, arrival.refusal, arrival.context)
            return
        with self._span(inbound, arrival, scope.get("scheme", "http"), _peer) as span:
            context = span.placing(arrival.context)
            if arrival.refusal is not None:
                note_answer(span, admission, context, arrival.refusal.status)
                await refuse(scope, receive, send, arrival.refusal, context)
                return
            shown = self._shown(admission)
            inside = dict(scope)
            inside["headers"] = headers = [pair for pair in inbound.headers if shown[pair[0]]]
            ids = ids_of(context)
            headers += written_inside(context, ids)
            exchange = _Exchange(send, context, ids, admission, span, inside)
            with ambient.entered(context):
                if self._decide is not None:
                    self._decide()
                await self.app(inside, receive, exchange.send)


class _Exchange:
    """One request's way back: the hop's ids on the response, the crossing noted on whichever span there is.

    A verified caller is told what has been decided up to the response's start; nobody else is.
    """

    __slots__ = ("_admission", "_context", "_ids", "_inside", "_send", "_span")

    def __init__(
        self,
        send: Send,
        context: RequestContext,
        ids: RawHeaders,
        admission: Admission,
        span: otel.Span,
        inside: Scope,
    ) -> None:
        self._send = send
        self._context = context
        self._ids = ids
        self._admission = admission
        self._span = span
        self._inside = inside

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in _STARTS:
            own = message.get("headers") or ()
            headers = [(name, value) for name, value in own if not is_hidden_outside(name.lower())]
            headers += written_outside(self._context, self._ids, tells=self._admission.is_trusted and kind == _RESPONSE)
            message = {**message, "headers": headers}
            self._name_span()
            note_answer(self._span, self._admission, self._context, message.get("status"))
        await self._send(message)

    def _name_span(self) -> None:
        route = None if self._span is otel.SILENT else _route_of(self._inside)
        if route is not None:
            self._span.routed(self._inside.get("method", "GET"), route)


def _inbound_of(scope: Scope) -> Inbound:
    client = scope.get("client")
    return Inbound(
        address=client[0] if client else None,
        method=scope.get("method", "GET"),
        path=scope["path"],
        topic=None,
        headers=tuple(scope["headers"]),
        source=scope,
    )


def _route_of(inside: Scope) -> str | None:
    """The route that a Starlette router left in the scope, e.g. "/users/{id}"; the path would be a name per user."""
    route = inside.get("route")
    path = getattr(route, "path_format", None)
    # A mount has no endpoint: what it leads to has no routes that we know.
    if not isinstance(path, str) or not hasattr(route, "endpoint"):
        return None
    return f"{inside.get('root_path', '').rstrip('/')}{path}"


def _peer(scope: Scope) -> dict[str, otel.AttributeValue]:
    client, (server, port) = scope.get("client"), scope.get("server") or (None, None)
    return peer_attributes(scope.get("http_version", "1.1"), client[0] if client else None, server, port)
