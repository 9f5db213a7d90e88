"""The door of an ASGI application: headers in, request context around the application, ids out.

It stands outermost. A caller is believed only if the boundary is a mesh and its verifier says so; what a stranger sent
of ours is dropped unread. Lifespan passes through.
"""

import os
from collections.abc import Callable
from typing import Final

from msgspec import structs

from pennon import ambient, counters, otel
from pennon.carry import Arrival, arrive
from pennon.context import Identity, RequestContext
from pennon.headers import ENTROPY_BYTES, Boundary, Contract, Inbound, Report
from pennon.http.hooks import is_app_hooked
from pennon.http.refusal import refuse
from pennon.http.rewriting import decided_in, seen_inside, seen_outside
from pennon.http.types import AsgiApp, Message, Receive, Scope, Send

_RESPONSE: Final = "http.response.start"
_STARTS: Final = frozenset({_RESPONSE, "websocket.accept", "websocket.http.response.start"})
_FAILED_STATUS: Final = 500


def asgi(
    app: AsgiApp,
    contract: Contract,
    *,
    boundary: Boundary,
    spans: bool | None = None,
    decide: Callable[[], object] | None = None,
) -> "AsgiDoor":
    """The application behind a door that speaks this contract.

    boundary: `public()` or `mesh(verify=…)`; a mesh without a verifier verifies nobody. Its callables run in the event
        loop, once per request and before the application; what they raise is the application's error.
    spans: whether a server span per request is made, where OpenTelemetry's SDK is set up. None: unless somebody inside
        is found to make one (OpenTelemetry's ASGI, FastAPI or Starlette instrumentation, Starlette's middleware,
        FastAPI's own telemetry), which then gets our attributes. Say False if that stands where it cannot be found,
        mounted below a path. Where the spans are made inside, a trace begun at this boundary is begun there, and
        the request context has another trace id than the spans; doors that send take the span's.
    decide: called in each request's context before the application, e.g. `flags.decide_at_ingress("new-checkout")`:
        what it decides, all the request's calls agree on, also concurrent ones. It runs in the event loop, and what it
        raises is the application's error.

    Over the contract's limits a request is refused with 431 (RFC 6585 §5) and problem details naming the field.
    """
    return AsgiDoor(app, contract, boundary, spans=spans, decide=decide)


class AsgiDoor:
    """What `asgi` returns: an ASGI application; `app` is the one inside."""

    def __init__(
        self,
        app: AsgiApp,
        contract: Contract,
        boundary: Boundary,
        *,
        spans: bool | None,
        decide: Callable[[], object] | None,
    ) -> None:
        self.app = app
        self._contract = contract
        self._boundary = boundary
        self._makes_spans = spans
        self._decide = decide

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, WebSocket or lifespan (ASGI 3)."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        inbound = _inbound_of(scope)
        is_trusted = _is_trusted(self._boundary, inbound)
        arrival = arrive(
            self._contract,
            inbound.headers,
            is_trusted=is_trusted,
            identity=Identity(),
            entropy=os.urandom(ENTROPY_BYTES),
            takes_override=self._boundary.is_public,
        )
        _count(arrival)
        if arrival.refusal is not None:
            await refuse(scope, receive, send, arrival.refusal, arrival.context.request_id)
            return
        # Asked only now: a request that is refused costs no look at its token.
        identity = _identity(self._boundary, inbound, is_trusted=is_trusted)
        if identity is not None:
            arrival = structs.replace(arrival, context=structs.replace(arrival.context, identity=identity))
        with self._span(scope, arrival) as span:
            context = _within(arrival.context, span)
            inside = dict(scope)
            inside["headers"] = seen_inside(
                inbound.headers, self._contract, context, arrival.report, is_trusted=is_trusted
            )
            exchange = _Exchange(send, context, arrival.report, span, inside, is_trusted=is_trusted)
            with ambient.entered(context):
                if self._decide is not None:
                    self._decide()
                await self.app(inside, receive, exchange.send)

    def _span(self, scope: Scope, arrival: Arrival) -> otel.Span:
        # Looked up at the first request, not before: an application may be instrumented after it was wrapped, and
        # Starlette's builds its middlewares no later than now.
        if self._makes_spans is None:
            self._makes_spans = not is_app_hooked(self.app)
        if not self._makes_spans:
            return otel.SILENT
        return otel.server_span(
            scope.get("method", "GET"),
            path=scope["path"],
            scheme=scope.get("scheme", "http"),
            trace=arrival.context.trace,
            link=arrival.stranger_trace,
            extra={**_peer(scope), **_ids(arrival.context)},
        )


class _Exchange:
    """One request's way back: the hop's ids on the response, the crossing noted on whichever span there is.

    A verified caller is told what has been decided up to the response's start; nobody else is.
    """

    __slots__ = ("_context", "_inside", "_is_trusted", "_report", "_send", "_span")

    def __init__(
        self, send: Send, context: RequestContext, report: Report, span: otel.Span, inside: Scope, *, is_trusted: bool
    ) -> None:
        self._send = send
        self._context = context
        self._report = report
        self._span = span
        self._inside = inside
        self._is_trusted = is_trusted

    async def send(self, message: Message) -> None:
        if message["type"] in _STARTS:
            headers = seen_outside(message.get("headers") or (), self._context)
            if self._is_trusted and message["type"] == _RESPONSE:
                headers += decided_in(self._context)
            message = {**message, "headers": headers}
            self._note(message.get("status"))
        await self._send(message)

    def _note(self, status: int | None) -> None:
        span = self._span
        if span is otel.SILENT:
            otel.note_here(self._report, _ids(self._context))
            return
        span.note(self._report)
        route = _route_of(self._inside)
        if route is not None:
            span.rename(f"{self._inside.get('method', 'GET')} {route}")
            span.attribute("http.route", route)
        if status is not None:
            span.attribute("http.response.status_code", status)
            if status >= _FAILED_STATUS:
                span.fail(str(status))


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


def _is_trusted(boundary: Boundary, inbound: Inbound) -> bool:
    return not boundary.is_public and boundary.verify is not None and boundary.verify(inbound)


def _identity(boundary: Boundary, inbound: Inbound, *, is_trusted: bool) -> Identity | None:
    """What the boundary knows of the caller. In a mesh it may read plain headers, so nobody unverified gets there."""
    if boundary.identity is None or not (boundary.is_public or is_trusted):
        return None
    return boundary.identity(inbound)


def _count(arrival: Arrival) -> None:
    for drop in arrival.report.dropped:
        counters.count(counters.Count.HEADERS_DROPPED, drop.reason)
    for fault in arrival.group_faults:
        counters.count(counters.Count.CARRY_GROUPS_DROPPED, fault)


def _within(context: RequestContext, span: otel.Span) -> RequestContext:
    """The context, standing where the span stands."""
    here = span.trace
    if here is None:
        return context
    is_continued = here.trace_id == context.trace.trace_id
    parent = context.trace.parent_span_id if is_continued else None
    return structs.replace(context, trace=structs.replace(here, parent_span_id=parent))


def _route_of(inside: Scope) -> str | None:
    """The route that a Starlette router left in the scope, e.g. "/users/{id}"; the path would be a name per user."""
    route = inside.get("route")
    path = getattr(route, "path_format", None)
    # A mount has no endpoint: what it leads to has no routes that we know.
    if not isinstance(path, str) or not hasattr(route, "endpoint"):
        return None
    return f"{inside.get('root_path', '').rstrip('/')}{path}"


def _ids(context: RequestContext) -> dict[str, otel.AttributeValue]:
    """What somebody who looks for this request in a trace store has at hand: what its response named."""
    ids: dict[str, otel.AttributeValue] = {"pennon.request_id": context.request_id}
    if context.correlation_id is not None:
        ids["pennon.correlation_id"] = context.correlation_id
    return ids


def _peer(scope: Scope) -> dict[str, otel.AttributeValue]:
    extra: dict[str, otel.AttributeValue] = {"network.protocol.version": scope.get("http_version", "1.1")}
    if client := scope.get("client"):
        extra["client.address"] = client[0]
    if server := scope.get("server"):
        extra["server.address"] = server[0]
        if server[1] is not None:
            extra["server.port"] = server[1]
    return extra
