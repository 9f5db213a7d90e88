"""HTTP spans against OpenTelemetry's own list of names, and its rules for status, methods and errors."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv.attributes import (
    client_attributes,
    error_attributes,
    http_attributes,
    network_attributes,
    server_attributes,
    url_attributes,
)
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

import pennon.http
from pennon.headers import Contract, Downstream, public

CONTRACT = Contract("test", version="1", owner="tests", downstreams=(Downstream("posts", host="posts.internal"),))
STABLE = {
    value
    for module in (
        client_attributes,
        error_attributes,
        http_attributes,
        network_attributes,
        server_attributes,
        url_attributes,
    )
    for value in vars(module).values()
    if isinstance(value, str)
}
# "Required" and "Conditionally Required" of the two tables, as far as the operation has them.
SERVER = {"http.request.method", "url.path", "url.scheme", "http.route", "http.response.status_code"}
CLIENT = {"http.request.method", "url.full", "server.address", "server.port", "http.response.status_code"}

Spans = InMemorySpanExporter


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    """A span's attributes that are not ours alone."""
    return {name: value for name, value in (span.attributes or {}).items() if not name.startswith("pennon.")}


def served(method: str, status: int = 200) -> None:
    """A request that is routed, and answered with this status."""

    async def handle(_: object) -> Response:
        return Response(status_code=status)

    app = Starlette()
    app.router.routes.append(Route("/users/{id}", handle))
    app.router.routes[0].methods = None  # type: ignore[attr-defined]  # a route that takes every method
    door = pennon.http.asgi(app, CONTRACT, boundary=public())

    async def call() -> None:
        transport = httpx.ASGITransport(door, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            await client.request(method, "/users/7?token=secret")

    asyncio.run(call())


def called(method: str, status: int = 200) -> None:
    """A call that is answered with this status."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status))
    with pennon.http.httpx(httpx.Client(transport=transport), CONTRACT) as client:
        client.request(method, "http://user:secret@posts.internal/x?token=secret")


@pytest.mark.req(33, 116)
@pytest.mark.parametrize(
    ("operate", "kind", "required"), [(served, SpanKind.SERVER, SERVER), (called, SpanKind.CLIENT, CLIENT)]
)
def test_http_span_has_the_conventions_names(
    operate: Callable[[str], None], kind: SpanKind, required: set[str], spans: Spans
) -> None:
    """All that is required, and nothing under a name that is not on the stable list."""
    operate("GET")

    [span] = spans.get_finished_spans()
    assert kind is span.kind
    assert set() == required - set(attributes(span))
    assert set() == set(attributes(span)) - STABLE
    assert "secret" not in str(span.attributes)


@pytest.mark.req(116)
@pytest.mark.parametrize("status", [200, 302, 404, 431, 500, 503])
@pytest.mark.parametrize(("operate", "fails_from"), [(served, 500), (called, 400)])
def test_http_span_fails_as_the_conventions_say(
    operate: Callable[[str, int], None], fails_from: int, status: int, spans: Spans
) -> None:
    """A 4xx is the caller's failure and the server's success; no description says what the status says."""
    operate("GET", status)

    [span] = spans.get_finished_spans()
    is_failed = status >= fails_from
    assert ("ERROR" if is_failed else "UNSET", None) == (span.status.status_code.name, span.status.description)
    assert (str(status) if is_failed else None) == attributes(span).get("error.type")


@pytest.mark.req(116)
@pytest.mark.parametrize(("operate", "name"), [(served, "HTTP /users/{id}"), (called, "HTTP")])
@pytest.mark.parametrize("method", ["BREW", "get"])
def test_http_span_of_an_unknown_method_says_other(
    operate: Callable[[str], None], name: str, method: str, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in its name, where a route is known: nobody outside makes up span names. Methods have a case."""
    # httpx writes methods in capitals.
    monkeypatch.setattr(httpx.Request, "__init__", _keeping_case(httpx.Request.__init__))
    operate(method)

    [span] = spans.get_finished_spans()
    assert name == span.name
    assert ("_OTHER", method) == (
        attributes(span)["http.request.method"],
        attributes(span)["http.request.method_original"],
    )


def _keeping_case(begin: Any) -> Any:
    def keeping(self: httpx.Request, method: str, *args: Any, **named: Any) -> None:
        begin(self, method, *args, **named)
        self.method = method

    return keeping


@pytest.mark.req(116)
def test_known_methods_can_be_replaced_by_the_conventions_variable() -> None:
    """As a whole: what it does not name is not known."""
    program = "from pennon.otel import spans; print(sorted(spans._METHODS))"
    environment = {**os.environ, "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS": "GET, REPORT"}
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, env=environment, timeout=60
    )

    assert "['GET', 'REPORT']" == ended.stdout.strip(), ended.stderr
