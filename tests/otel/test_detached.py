"""`pennon.detached`: out of the request for a block, back in after it."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import pennon
import pennon.http
import pennon.kafka
from pennon import ambient, otel
from pennon.context import CorrelationId, Identity, Ledger, Member, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.headers import Contract, Downstream

CONTRACT = Contract(
    "test",
    version="1",
    owner="tests",
    downstreams=(Downstream("posts", host="posts.internal"), Downstream("feed", topic="feed")),
)


@pytest.fixture
def request_here() -> Iterator[RequestContext]:
    """A request being served, with a unit, a member of baggage, and OpenTelemetry's baggage beside it."""
    here = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "")
    given = RequestContext(
        here,
        RequestId("req-1"),
        Ledger(),
        CorrelationId("journey-1"),
        identity=Identity(units={"user": "7"}),
        baggage=(Member("region", "eu"),),
    )
    token = context.attach(baggage.set_baggage("promo", "x"))
    with ambient.entered(given) as entered:
        yield entered
    context.detach(token)


def test_request_is_gone_within_and_back_after(request_here: RequestContext) -> None:
    """Nested blocks, and blocks that end by an error, too."""
    with pennon.detached():
        assert None is pennon.current()
        with pennon.detached():
            assert None is pennon.current()
        assert None is pennon.current()
    assert request_here is pennon.current()
    with contextlib.suppress(ZeroDivisionError), pennon.detached():
        raise ZeroDivisionError
    assert request_here is pennon.current()


def test_request_is_not_closed_by_it(request_here: RequestContext) -> None:
    """It goes on to decide while others have left it."""
    with pennon.detached():
        assert not request_here.ledger.is_sealed


def test_baggage_is_gone_within_and_back_after(request_here: RequestContext) -> None:
    """OpenTelemetry's too: its own instrumentations would send it."""
    with pennon.detached():
        assert {} == dict(baggage.get_all())
        assert () == otel.current_baggage()
    assert {"promo": "x"} == dict(baggage.get_all())


def test_another_request_may_be_served_within(request_here: RequestContext) -> None:
    """A consumer's loop that was begun in a request serves its own records."""
    other = RequestContext(request_here.trace, RequestId("req-2"), Ledger())
    with pennon.detached():
        with ambient.entered(other):
            assert other is pennon.current()
        assert None is pennon.current()


def test_task_and_thread_begun_within_stay_out(request_here: RequestContext) -> None:
    """A task copies what is current where it is begun, however long it lives."""

    async def begun() -> object:
        async def child() -> object:
            return pennon.current()

        with pennon.detached():
            task = asyncio.create_task(child())
            thread = asyncio.create_task(asyncio.to_thread(pennon.current))
        assert request_here is pennon.current()
        return await task or await thread

    assert None is asyncio.run(begun())


def test_block_of_one_thread_is_no_other_s(request_here: RequestContext) -> None:
    """Whoever stays in the request keeps it."""
    inside, done, seen = threading.Event(), threading.Event(), []

    def leave() -> None:
        with pennon.detached():
            inside.set()
            done.wait(60)

    with pennon.ContextExecutor(2) as executor:
        left = executor.submit(leave)
        assert inside.wait(60)
        seen.append(executor.submit(pennon.current).result())
        done.set()
        left.result()
    assert [request_here] == seen


class Producer:
    """It keeps the headers of what it is asked to send."""

    def __init__(self) -> None:
        self.headers: list[Any] = []

    def produce(self, _topic: str, *, headers: list[Any]) -> None:
        self.headers += headers


def sent_within() -> tuple[dict[str, str], dict[str, Any]]:
    """What a detached call to a declared host, and a record for a declared topic, carry."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(204)

    producer = Producer()
    with pennon.detached(), httpx.Client(transport=httpx.MockTransport(answer)) as client:
        pennon.http.httpx(client, CONTRACT).get("http://posts.internal/")
        pennon.kafka.producer(producer, CONTRACT).produce("feed")
    names = {"traceparent", "tracestate", "baggage", "x-request-id", "x-correlation-id"}
    [request] = requests
    return {key: value for key, value in request.headers.items() if key in names}, dict(producer.headers)


def test_doors_send_nothing_of_the_request(request_here: RequestContext) -> None:
    """Neither ids nor baggage nor decisions, although the host and the topic are declared."""
    assert ({}, {}) == sent_within()


def test_spans_within_are_found_from_the_request_s_trace(
    request_here: RequestContext, spans: InMemorySpanExporter
) -> None:
    """The request's span stays the current one: what is done here is its child, and says so to the next hop."""
    with otel.server_span("GET", path="/", scheme="http", trace=request_here.trace) as serving:
        http, kafka = sent_within()

    assert serving.trace is not None
    assert {"traceparent"} == set(http) == set(kafka)
    sent, produced, _ = spans.get_finished_spans()
    for span, header in ((sent, http["traceparent"]), (produced, kafka["traceparent"].decode())):
        assert span.parent is not None
        assert serving.trace.span_id == trace.format_span_id(span.parent.span_id)
        assert serving.trace.trace_id == header.split("-")[1]
