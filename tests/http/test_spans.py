"""Spans of the HTTP doors: ours, and beside OpenTelemetry's own instrumentations."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import fastapi
import httpx
import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import (
    AsyncOpenTelemetryTransport,
    HTTPXClientInstrumentor,
    SyncOpenTelemetryTransport,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.opentelemetry import OpenTelemetryMiddleware as StarletteMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import pennon.http
from pennon import ambient
from pennon.context import Ledger, Member, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.headers import Contract, Downstream, mesh, networks, public

CONTRACT = Contract(
    "test",
    version="1",
    owner="tests",
    downstreams=(Downstream("posts", host="posts.internal"), Downstream("quiet", host="quiet.internal", trace=False)),
)
TRUSTED = mesh(verify=networks("127.0.0.0/8"))
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

Spans = InMemorySpanExporter
Decide = Callable[[str], str]
Carried = Callable[[list[bytes]], list[tuple[int, str]]]


def of_kind(spans: Spans, kind: SpanKind) -> list[ReadableSpan]:
    """The spans of one kind."""
    return [span for span in spans.get_finished_spans() if span.kind is kind]


def ids(span: ReadableSpan) -> tuple[str, str, str | None]:
    """Trace id, span id, parent's id."""
    where = span.get_span_context()
    assert where is not None
    parent = None if span.parent is None else trace.format_span_id(span.parent.span_id)
    return trace.format_trace_id(where.trace_id), trace.format_span_id(where.span_id), parent


def get(app: Any, path: str = "/", **headers: str) -> httpx.Response:
    """One request to an application in process, from loopback."""

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(call())


seen: list[Trace] = []


@pytest.fixture
def app() -> Starlette:
    """It keeps the trace of its requests' contexts."""
    seen.clear()

    async def user(request: Request) -> PlainTextResponse:
        current = ambient.current()
        assert current is not None
        seen.append(current.trace)
        return PlainTextResponse("", status_code=int(request.query_params.get("status", "200")))

    return Starlette(routes=[Route("/users/{id}", user)])


def test_server_span_continues_a_verified_caller(spans: Spans, app: Starlette) -> None:
    """Its parent is the caller's span; the context stands where the span does."""
    get(pennon.http.asgi(app, CONTRACT, boundary=TRUSTED), "/users/7?token=secret", traceparent=PARENT)

    [span] = of_kind(spans, SpanKind.SERVER)
    assert ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7") == (ids(span)[0], ids(span)[2])
    assert ids(span) == (seen[0].trace_id, seen[0].span_id, seen[0].parent_span_id)
    assert ("traceparent",) == (span.attributes or {})["pennon.headers.took"]
    assert "secret" not in str(dict(span.attributes or {}))


def test_server_span_bears_the_ids_that_its_response_names(spans: Spans, app: Starlette) -> None:
    """Who holds a response finds its trace, and all of its conversation."""
    headers = {"x-correlation-id": "order-4711"}
    answer = get(pennon.http.asgi(app, CONTRACT, boundary=public()), "/users/7", **headers)

    [span] = of_kind(spans, SpanKind.SERVER)
    attributes = span.attributes or {}
    assert answer.headers["x-request-id"] == attributes["pennon.request_id"]
    assert "order-4711" == answer.headers["x-correlation-id"] == attributes["pennon.correlation_id"]


def test_server_span_of_a_stranger_is_a_root_with_a_link(spans: Spans, app: Starlette) -> None:
    """A stranger's sampling flag decides nothing; its trace can still be found."""
    get(pennon.http.asgi(app, CONTRACT, boundary=public()), "/users/7", traceparent=PARENT)

    [span] = of_kind(spans, SpanKind.SERVER)
    assert ids(span) == (seen[0].trace_id, seen[0].span_id, None)
    assert ["00f067aa0ba902b7"] == [trace.format_span_id(link.context.span_id) for link in span.links]
    assert ("traceparent",) == (span.attributes or {})["pennon.headers.dropped"]


@pytest.mark.parametrize(("status", "expected"), [(200, "UNSET"), (404, "UNSET"), (503, "ERROR")])
def test_server_span_has_route_and_status(spans: Spans, app: Starlette, status: int, expected: str) -> None:
    """A 4xx is the caller's error (semantic conventions, HTTP server)."""
    get(pennon.http.asgi(app, CONTRACT, boundary=public()), f"/users/7?status={status}")

    [span] = of_kind(spans, SpanKind.SERVER)
    assert status == (span.attributes or {})["http.response.status_code"]
    assert expected == span.status.status_code.name


@pytest.mark.parametrize(("path", "expected"), [("/users/7", "/users/{id}"), ("/v1/users/7", "/v1/users/{id}")])
def test_server_span_is_named_by_its_route(spans: Spans, app: Starlette, path: str, expected: str) -> None:
    """The path itself would be a name per user."""
    app.router.routes.append(Mount("/v1", routes=list(app.routes)))
    get(pennon.http.asgi(app, CONTRACT, boundary=public()), path)

    [span] = of_kind(spans, SpanKind.SERVER)
    assert f"GET {expected}" == span.name
    assert expected == (span.attributes or {})["http.route"]


def test_server_span_of_no_route_is_named_by_its_method(spans: Spans, app: Starlette) -> None:
    """A stranger who tries paths does not make up span names."""
    get(pennon.http.asgi(app, CONTRACT, boundary=public()), "/wp-admin")

    assert ["GET"] == [span.name for span in of_kind(spans, SpanKind.SERVER)]


def members() -> dict[str, object]:
    """What OpenTelemetry's API says is in the baggage."""
    return dict(baggage.get_all())


def self_tracing_fastapi() -> Any:
    """FastAPI as it is: it traces itself once there is an SDK."""
    app = fastapi.FastAPI()
    app.add_api_route("/", members)
    return app


def hooked_fastapi() -> Any:
    """An instrumented FastAPI application."""
    app = fastapi.FastAPI()
    app.add_api_route("/", members)
    FastAPIInstrumentor.instrument_app(app)
    return app


def hooked_by_hand() -> Any:
    """OpenTelemetry's middleware around an application, and something around that."""
    plain = Starlette(routes=[Route("/", lambda _: PlainTextResponse("{}"))])
    return _Around(OpenTelemetryMiddleware(plain))


def hooked_by_starlette() -> Any:
    """Starlette's own middleware, which the application puts on at its first request."""
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("{}"))])
    app.add_middleware(StarletteMiddleware)
    return app


class _Around:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture
def _unhooked() -> Iterator[None]:
    # The FastAPI instrumentation also puts a span around every BackgroundTask of the process.
    yield
    if hasattr(BackgroundTask, "_otel_original_call"):
        BackgroundTask.__call__ = BackgroundTask._otel_original_call  # type: ignore[method-assign]
        del BackgroundTask._otel_original_call


@pytest.mark.req(116)
@pytest.mark.usefixtures("_unhooked")
@pytest.mark.parametrize("make", [hooked_fastapi, hooked_by_hand, hooked_by_starlette, self_tracing_fastapi])
def test_instrumented_application_has_one_server_span(spans: Spans, make: Callable[[], Any]) -> None:
    """It is the instrumentation's, continued from a verified caller, with our attributes."""
    door = pennon.http.asgi(make(), CONTRACT, boundary=TRUSTED)
    answer = get(door, traceparent=PARENT, baggage="promo=x,pennon=AAAA")

    [span] = of_kind(spans, SpanKind.SERVER)
    assert span.instrumentation_scope is not None
    assert "pennon" != span.instrumentation_scope.name
    assert ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7") == (ids(span)[0], ids(span)[2])
    assert ("traceparent", "baggage") == (span.attributes or {})["pennon.headers.took"]
    assert answer.headers["x-request-id"] == (span.attributes or {})["pennon.request_id"]


@pytest.mark.req(9)
@pytest.mark.usefixtures("_unhooked")
@pytest.mark.parametrize("make", [hooked_fastapi, self_tracing_fastapi])
def test_instrumented_application_believes_no_stranger(spans: Spans, make: Callable[[], Any]) -> None:
    """OpenTelemetry's middleware has no boundary of its own; ours keeps trace and baggage from it."""
    door = pennon.http.asgi(make(), CONTRACT, boundary=public())
    answer = get(door, traceparent=PARENT, baggage="isAdmin=true,pennon=AAAA")

    [span] = of_kind(spans, SpanKind.SERVER)
    assert span.parent is None
    assert {} == answer.json()


@pytest.mark.usefixtures("_unhooked")
def test_application_inside_sees_the_baggage_that_was_kept(spans: Spans) -> None:
    """By OpenTelemetry's API, without ours."""
    answer = get(pennon.http.asgi(hooked_fastapi(), CONTRACT, boundary=TRUSTED), baggage="promo=x,pennon=AAAA")

    assert {"promo": "x"} == answer.json()


@pytest.mark.usefixtures("_unhooked")
def test_spans_can_be_refused_where_an_instrumentation_hides(spans: Spans) -> None:
    """One that is mounted below a path is not found; its span stays the only one."""
    app = Starlette(routes=[Mount("/below", hooked_fastapi())])
    get(pennon.http.asgi(app, CONTRACT, boundary=TRUSTED, spans=False), "/below/")

    assert 1 == len(of_kind(spans, SpanKind.SERVER))


class Wire:
    """What was sent."""

    def __init__(self, status: int = 204) -> None:
        self.sent: list[httpx.Request] = []
        self._status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return httpx.Response(self._status)

    def lines(self, name: str) -> list[bytes]:
        """All lines of a header of the last request."""
        return [value for key, value in self.sent[-1].headers.raw if key.lower() == name.encode()]


def client(wire: Wire) -> httpx.Client:
    """A client behind the door."""
    return pennon.http.httpx(httpx.Client(transport=httpx.MockTransport(wire)), CONTRACT)


def serving() -> RequestContext:
    """A request with a member that form encoding would spoil."""
    here = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "")
    return RequestContext(here, RequestId("req-1"), Ledger(), baggage=(Member("promo", "1+1 ", "p=1"),))


@pytest.mark.req(116)
def test_client_span_is_what_the_next_hop_continues(spans: Spans) -> None:
    """One span per call; its id is the parent that is sent; names of what was added stand on it."""
    wire = Wire(404)
    with ambient.entered(serving()):
        client(wire).get("http://user:secret@posts.internal/x?token=secret")

    [span] = of_kind(spans, SpanKind.CLIENT)
    trace_id, span_id, _ = ids(span)
    assert [f"00-{trace_id}-{span_id}-03".encode()] == wire.lines("traceparent")
    assert "GET" == span.name
    assert "http://posts.internal/x" == (span.attributes or {})["url.full"]
    assert (404, StatusCode.ERROR) == ((span.attributes or {})["http.response.status_code"], span.status.status_code)
    assert "baggage" in (span.attributes or {})["pennon.headers.added"]  # type: ignore[operator]


def test_client_span_of_a_call_that_fails_says_how(spans: Spans) -> None:
    """The exception's class, with its module, is its error type."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there", request=request)

    failing = pennon.http.httpx(httpx.Client(transport=httpx.MockTransport(fail)), CONTRACT)
    with pytest.raises(httpx.ConnectError):
        failing.get("http://posts.internal/")

    [span] = of_kind(spans, SpanKind.CLIENT)
    assert "httpx.ConnectError" == (span.attributes or {})["error.type"]


Hook = Callable[[Wire], Callable[[str], None]]


def hooked_within(wire: Wire) -> Callable[[str], None]:
    """The instrumentation's transport inside ours."""
    inside = SyncOpenTelemetryTransport(httpx.MockTransport(wire))
    return pennon.http.httpx(httpx.Client(transport=inside), CONTRACT).get  # type: ignore[return-value]


def hooked_within_async(wire: Wire) -> Callable[[str], None]:
    """The same, async."""

    async def call(url: str) -> None:
        inside = AsyncOpenTelemetryTransport(httpx.MockTransport(wire))
        async with pennon.http.httpx(httpx.AsyncClient(transport=inside), CONTRACT) as wrapped:
            await wrapped.get(url)

    return lambda url: asyncio.run(call(url))


def hooked_before(wire: Wire) -> Callable[[str], None]:
    """The client was instrumented, then wrapped."""
    bare = httpx.Client(transport=httpx.MockTransport(wire))
    HTTPXClientInstrumentor.instrument_client(bare)
    return pennon.http.httpx(bare, CONTRACT).get  # type: ignore[return-value]


def hooked_around(wire: Wire) -> Callable[[str], None]:
    """The client was wrapped, then instrumented."""
    wrapped = client(wire)
    HTTPXClientInstrumentor.instrument_client(wrapped)
    return wrapped.get  # type: ignore[return-value]


def hooked_both(wire: Wire) -> Callable[[str], None]:
    """In both places."""
    inside = SyncOpenTelemetryTransport(httpx.MockTransport(wire))
    wrapped = pennon.http.httpx(httpx.Client(transport=inside), CONTRACT)
    HTTPXClientInstrumentor.instrument_client(wrapped)
    return wrapped.get  # type: ignore[return-value]


HOOKS = [hooked_within, hooked_within_async, hooked_before, hooked_around, hooked_both]


@pytest.fixture
def in_baggage() -> Iterator[None]:
    """What the application has in OpenTelemetry's baggage: what arrived, spoilt, and a member of its own."""
    inside = baggage.set_baggage("secret", "internal", baggage.set_baggage("promo", "1 1"))
    token = context.attach(inside)
    yield
    context.detach(token)


@pytest.mark.usefixtures("in_baggage")
@pytest.mark.parametrize("hook", HOOKS)
def test_hooked_client_sends_the_declared_host_exactly_ours(
    spans: Spans, hook: Hook, decide: Decide, carried: Carried
) -> None:
    """One span, the hook's; its traceparent; and baggage as we write it, not form-encoded, in one header."""
    wire = Wire()
    call = hook(wire)
    with ambient.entered(serving()):
        decide("blue")
        call("http://posts.internal/")

    [span] = of_kind(spans, SpanKind.CLIENT)
    assert "opentelemetry.instrumentation.httpx" in str(span.instrumentation_scope)
    trace_id, span_id, _ = ids(span)
    assert [f"00-{trace_id}-{span_id}-03".encode()] == wire.lines("traceparent")
    [line] = wire.lines("baggage")
    assert [b"promo=1+1%20;p=1", b"secret=internal"] == [each for each in line.split(b",") if b"pennon" not in each]
    assert [(7, "b")] == carried([line])


@pytest.mark.usefixtures("in_baggage")
@pytest.mark.parametrize("host", ["elsewhere.example", "quiet.internal"])
@pytest.mark.parametrize("hook", HOOKS)
def test_hooked_client_sends_no_trace_where_none_may_go(spans: Spans, hook: Hook, decide: Decide, host: str) -> None:
    """The hook writes nothing there; the call has one span all the same."""
    wire = Wire()
    call = hook(wire)
    with ambient.entered(serving()):
        decide("blue")
        call(f"http://{host}/")

    assert [] == wire.lines("traceparent") + wire.lines("tracestate")
    assert (host == "quiet.internal") is bool(wire.lines("baggage"))
    assert 1 == len(of_kind(spans, SpanKind.CLIENT))


def test_hooked_client_keeps_the_caller_s_own_traceparent(spans: Spans) -> None:
    """OpenTelemetry's hook alone would overwrite it."""
    wire = Wire()
    inside = SyncOpenTelemetryTransport(httpx.MockTransport(wire))
    wrapped = pennon.http.httpx(httpx.Client(transport=inside), CONTRACT)
    with ambient.entered(serving()):
        wrapped.get("http://posts.internal/", headers={"traceparent": PARENT})

    assert [PARENT.encode()] == wire.lines("traceparent")
    assert 1 == len(of_kind(spans, SpanKind.CLIENT))
