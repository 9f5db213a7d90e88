"""What the door of an aiohttp session alone does; what it has in common with the others is in test_clients.py."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

import pennon.http
from pennon import ambient
from pennon.context import Ledger, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.headers import Contract, Downstream

Received = list[dict[str, str]]
NOTHING = Contract("none", version="1", owner="tests")


@pytest.fixture(autouse=True)
def serving() -> Iterator[RequestContext]:
    """A request being served."""
    with ambient.entered(
        RequestContext(Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, ""), RequestId("req-1"), Ledger())
    ) as entered:
        yield entered


def calling(
    use: Callable[[aiohttp.ClientSession, str, Contract], Awaitable[Any]],
    *,
    answers: list[int] | None = None,
    **options: Any,
) -> Received:
    """Use a bare session on a declared host; what the host received. answers: its statuses, then 200."""
    received: Received = []
    statuses = iter(answers or ())

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        received.append({name.lower(): value for name, value in request.headers.items()})
        if request.path == "/ws":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.close()
            return socket
        return web.Response(status=next(statuses, 200))

    async def run() -> None:
        server = web.Server(handle)
        runner = web.ServerRunner(server)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        place = "127.0.0.1:{1}".format(*runner.addresses[0])
        contract = Contract("test", version="1", owner="tests", downstreams=(Downstream("host", host=place),))
        try:
            async with aiohttp.ClientSession(**options) as session:
                await use(session, place, contract)
        finally:
            await runner.cleanup()

    asyncio.run(run())
    return received


def test_wrapping_twice_takes_the_new_contract() -> None:
    """There is one door, not two that undo each other's work; the session is the same."""

    async def use(session: aiohttp.ClientSession, place: str, contract: Contract) -> None:
        assert session is pennon.http.aiohttp(pennon.http.aiohttp(session, NOTHING), contract)
        assert 1 == len(session._middlewares)
        await session.get(f"http://{place}/")

    (got,) = calling(use)
    assert "req-1" == got["x-request-id"]


def test_each_try_of_a_middleware_is_a_call_of_its_own(spans: InMemorySpanExporter) -> None:
    """Its headers do not stay on the request: the second try has another span, and no trace set by hand."""

    async def twice(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        before = dict(request.headers)
        response = await handler(request)
        assert before == dict(request.headers)
        return response if response.status == 200 else await handler(request)

    async def use(session: aiohttp.ClientSession, place: str, contract: Contract) -> None:
        await pennon.http.aiohttp(session, contract).get(f"http://{place}/")

    got = calling(use, answers=[503], middlewares=[twice])

    client_spans = [span for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT]
    expected = [f"{span.context.span_id:016x}" for span in client_spans]
    assert expected == [each["traceparent"].split("-")[2] for each in got]
    assert 2 == len(set(expected))


def test_call_with_middlewares_of_its_own_goes_past_the_door() -> None:
    """Aiohttp takes them in place of the session's: nothing is added."""

    async def use(session: aiohttp.ClientSession, place: str, contract: Contract) -> None:
        await pennon.http.aiohttp(session, contract).get(f"http://{place}/", middlewares=())

    (got,) = calling(use)
    assert "x-request-id" not in got


def test_handshake_of_a_websocket_carries() -> None:
    """It is a request as any other."""

    async def use(session: aiohttp.ClientSession, place: str, contract: Contract) -> None:
        async with pennon.http.aiohttp(session, contract).ws_connect(f"ws://{place}/ws") as socket:
            await socket.receive()

    (got,) = calling(use)
    assert "req-1" == got["x-request-id"]


def hooked() -> aiohttp.TraceConfig:
    """A trace config that does what the one of OpenTelemetry's instrumentation does, and looks as if written there."""
    config = aiohttp.TraceConfig()

    async def on_request_start(_session: Any, here: SimpleNamespace, params: aiohttp.TraceRequestStartParams) -> None:
        here.current = trace.get_tracer("hook").start_as_current_span("GET", kind=SpanKind.CLIENT)
        here.current.__enter__()
        inject(params.headers)

    async def on_request_end(_session: Any, here: SimpleNamespace, _: aiohttp.TraceRequestEndParams) -> None:
        here.current.__exit__(None, None, None)

    on_request_start.__module__ = "opentelemetry.instrumentation.aiohttp_client"
    config.on_request_start.append(on_request_start)
    config.on_request_end.append(on_request_end)
    return config


@pytest.mark.parametrize("is_declared", [True, False])
def test_instrumented_session_has_one_client_span(is_declared: bool, spans: InMemorySpanExporter) -> None:
    """The instrumentation's; its trace leaves for a declared host, and for no other."""

    async def use(session: aiohttp.ClientSession, place: str, contract: Contract) -> None:
        await pennon.http.aiohttp(session, contract if is_declared else NOTHING).get(f"http://{place}/")

    async def run() -> Received:
        return await asyncio.to_thread(calling, use, trace_configs=[hooked()])

    (got,) = asyncio.run(run())
    (span,) = [span for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT]
    expected = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-03"
    assert (expected if is_declared else None) == got.get("traceparent")
