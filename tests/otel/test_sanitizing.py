"""OpenTelemetry's own instrumentations, told what to leave off the spans that they make."""

import asyncio
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

import httpx
import pytest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import SyncOpenTelemetryTransport
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware as WsgiMiddleware
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from pennon.headers import Category, Classification, Contract, Field, Log, Propagate, Trust
from pennon.otel import sanitize_fields, server_span

CAPTURE = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_"
SECRET = "s3cr3t"
HIDDEN = [
    "authorization",
    "cookie",
    "x-api-key",
    "x-unknown",
    "x-tenant-id",
    "x-hashed",
    "x-accept",
    "baggage",
    "pennon-context",
]
SHOWN = ["accept", "x-region", "x-open"]
HEADERS = dict.fromkeys(HIDDEN, SECRET) | dict.fromkeys(SHOWN, "shown")


def field(name: str, log: Log) -> Field:
    """One that is logged so."""
    return Field(
        name,
        category=Category.ROUTING,
        owner="t",
        syntax=".+",
        max_length=32,
        trust=Trust.CLIENT,
        caller_may_set=True,
        gateway_overwrites=False,
        downstream_may_forward=True,
        propagate=Propagate.NEVER,
        log=log,
        classification=Classification.INTERNAL,
        description="A field of the test",
    )


CONTRACT = Contract("c", version="1", owner="t", fields=[field("x-open", Log.CLEAR), field("x-hashed", Log.HASH)])


@pytest.fixture(autouse=True)
def captures_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who debugs asks for all headers."""
    for direction in ("SERVER_REQUEST", "SERVER_RESPONSE", "CLIENT_REQUEST", "CLIENT_RESPONSE"):
        monkeypatch.setenv(CAPTURE + direction, ".*")
    monkeypatch.setenv(CAPTURE + "SANITIZE_FIELDS", sanitize_fields(CONTRACT))


def by_asgi() -> None:
    async def answer(_: Any) -> Response:
        return Response(headers={"x-api-key": SECRET})

    app = OpenTelemetryMiddleware(Starlette(routes=[Route("/", answer)]))

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            await client.get("http://h/", headers=HEADERS)

    asyncio.run(ask())


def by_wsgi() -> None:
    def app(_: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("x-api-key", SECRET)])
        return [b""]

    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in HEADERS.items()}
    setup_testing_defaults(environ)
    wrapped: Any = WsgiMiddleware(app)
    list(wrapped(environ, lambda *_: None))


def by_httpx() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"x-api-key": SECRET})

    with httpx.Client(transport=SyncOpenTelemetryTransport(httpx.MockTransport(answer))) as client:
        client.get("http://h/", headers=HEADERS)


@pytest.mark.req(98, 119)
@pytest.mark.parametrize("ask", [by_asgi, by_wsgi, by_httpx])
def test_captured_headers_are_sanitised_unless_they_are_harmless(
    ask: Callable[[], None], spans: InMemorySpanExporter
) -> None:
    """What may not be logged in clear, and what nobody has declared, stands on no span; the rest does."""
    ask()
    attributes = {key: value for span in spans.get_finished_spans() for key, value in (span.attributes or {}).items()}
    captured = {
        key.rsplit(".", 1)[1].replace("_", "-"): value for key, value in attributes.items() if ".header." in key
    }

    assert SECRET not in str(attributes)
    assert {("shown",)} == {captured[name] for name in SHOWN}
    assert {("[REDACTED]",)} == {captured[name] for name in HIDDEN}


def test_list_is_one_pattern() -> None:
    """The variable is divided at commas."""
    assert "," not in sanitize_fields(CONTRACT)


@pytest.mark.req(97, 119)
def test_exception_on_a_span_of_ours_says_nothing_secret(spans: InMemorySpanExporter) -> None:
    """Neither its message nor its traceback, its causes' included; what went wrong can be read all the same."""

    def fail() -> None:
        with server_span("GET", path="/", scheme="http", trace=None):
            try:
                raise KeyError(f"x-tenant-id: {SECRET}")
            except KeyError as error:
                raise ValueError(f"bad cookie: sid={SECRET}") from error

    with pytest.raises(ValueError):
        fail()
    (event,) = spans.get_finished_spans()[0].events
    attributes = event.attributes or {}

    assert SECRET not in str(attributes)
    assert ("ValueError", "bad <redacted>") == (attributes["exception.type"], attributes["exception.message"])
    assert "in fail" in str(attributes["exception.stacktrace"])
