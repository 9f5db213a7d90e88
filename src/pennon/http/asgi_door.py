"""The door of an ASGI application: headers in, request context around the application, ids out.

It stands outermost. A caller is believed only if the boundary is a mesh and its verifier says so; what a stranger sent
of ours is dropped unread. Lifespan passes through.
"""

from itertools import compress
from typing import Final

import msgspec
from msgspec import structs

from pennon import ambient, otel
from pennon.context import RequestContext
from pennon.headers import Inbound
from pennon.http.arriving import Admission, Door, note_answer, peer_attributes
from pennon.http.refusal import refuse
from pennon.http.rewriting import ids_of, is_hidden_outside, written_inside, written_outside
from pennon.http.types import AsgiApp, Message, RawHeaders, Receive, Scope, Send

_RESPONSE: Final = "http.response.start"
_TRAILERS: Final = "http.response.trailers"
_HEADED: Final = frozenset({_RESPONSE, "websocket.accept", "websocket.http.response.start", _TRAILERS})


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
        elif otel.is_recording():
            with self._span(inbound, arrival, scope.get("scheme", "http"), _peer) as span:
                await self._serve(receive, send, inbound, admission, span.placing(arrival.context), span)
        else:
            # Not by a silent span: entering and leaving one costs more than all that it would say.
            await self._serve(receive, send, inbound, admission, arrival.context, None)

    async def _serve(
        self,
        receive: Receive,
        send: Send,
        inbound: Inbound,
        admission: Admission,
        context: RequestContext,
        span: otel.Span | None,
    ) -> None:
        """Serve one that was not refused, or came too late. span: None: there is nobody to tell anything."""
        refusal = admission.arrival.refusal
        if refusal is not None:
            if span is not None:
                note_answer(span, admission, context, refusal.status)
            await refuse(inbound.source, receive, send, refusal, context)
            return
        if context.deadline is not None and inbound.source["type"] == "websocket":
            # It is a connection: when it is there, whoever waited for it waits no more.
            context = structs.replace(context, deadline=None)
        headers = self._seen_inside(inbound, admission)
        ids = ids_of(context)
        headers += written_inside(context, ids)
        inside = {**inbound.source, "headers": headers}
        exchange = _Exchange(send, context, ids, admission, span, inside)
        token = ambient.CURRENT.set(context)
        try:
            if self._decide is not None:
                self._decide()
            await self.app(inside, receive, exchange.send)
        finally:
            # In this order, as `ambient.entered` does it.
            context.ledger.seal()
            ambient.CURRENT.reset(token)

    def _seen_inside(self, inbound: Inbound, admission: Admission) -> list[tuple[bytes, bytes | None]]:
        """Those of the request's headers that the application sees as they came."""
        known = admission.arrival.shown
        if known is not None:
            return list(compress(inbound.headers, known))
        shown = self._shown(admission)
        return [pair for pair in inbound.headers if shown[pair[0]]]


# A struct: built for every request, at half the price of a class.
class _Exchange(msgspec.Struct, frozen=True):
    """One request's way back: the hop's ids on the response, the crossing noted on whichever span there is.

    A verified caller is told what has been decided up to the response's start; nobody else is.
    """

    forward: Send
    context: RequestContext
    ids: RawHeaders
    admission: Admission
    span: otel.Span | None
    inside: Scope

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in _HEADED:
            own = message.get("headers")
            headers = [(name, value) for name, value in own if not is_hidden_outside(name.lower())] if own else []
            if kind != _TRAILERS:
                tells = kind == _RESPONSE and self.admission.is_trusted
                headers += written_outside(self.context, self.ids, tells=tells)
                if self.span is not None:
                    self._note(self.span, message.get("status"))
            message = {**message, "headers": headers}
        await self.forward(message)

    def _note(self, span: otel.Span, status: int | None) -> None:
        route = None if span is otel.SILENT else _route_of(self.inside)
        if route is not None:
            span.routed(self.inside.get("method", "GET"), route)
        note_answer(span, self.admission, self.context, status)


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
