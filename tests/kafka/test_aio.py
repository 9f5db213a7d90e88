"""aiokafka's producers and records at the doors, without a broker."""

import asyncio
from collections.abc import Callable
from typing import Any, Self

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import pennon.kafka
from pennon import ambient
from pennon.context import RequestContext
from pennon.headers import Contract, Downstream, mesh
from pennon.kafka import aio

CONTRACT = Contract("feed", version="1", owner="feed-team", downstreams=(Downstream("posts", topic="posts"),))


def test_send_passes_everything_else_on(wrapped: Any) -> None:
    """By place or by name, in the order of aiokafka's own; its answer comes back."""
    sender = aio.producer(wrapped, CONTRACT)
    assert "queued" == asyncio.run(sender.send("posts", b"value", b"key", 2, timestamp_ms=7))
    assert "queued" == asyncio.run(sender.send_and_wait("posts", b"value", partition=2, key=b"key", timestamp_ms=7))
    assert [(("posts", b"value", b"key", 2, 7, []), {})] * 2 == wrapped.sent


@pytest.mark.parametrize("name", ["send", "send_and_wait"])
def test_decide_is_called_where_decisions_may_go(name: str, wrapped: Any, context: RequestContext) -> None:
    """Within a request, before the headers are made; not for a topic that gets none, nor outside a request."""
    asked: list[str] = []
    sender = getattr(aio.producer(wrapped, CONTRACT, decide=lambda: asked.append("asked")), name)
    asyncio.run(sender("posts", b"outside"))
    with ambient.entered(context):
        asyncio.run(sender("elsewhere", b"hello"))
        assert [] == asked
        asyncio.run(sender("posts", b"hello"))

    assert ["asked"] == asked


def test_send_batch_is_refused(wrapped: Any) -> None:
    """A batch was written before it is sent: what should be carried would be lost without a word."""
    with pytest.raises(NotImplementedError, match="written before"):
        asyncio.run(aio.producer(wrapped, CONTRACT).send_batch(object(), "posts", partition=0))
    assert [] == wrapped.sent


def test_producer_is_otherwise_the_wrapped_one() -> None:
    """Entering it starts the wrapped one, and gives the door."""

    class Wrapped:
        def __init__(self) -> None:
            self.was: list[str] = []

        async def __aenter__(self) -> Self:
            self.was.append("started")
            return self

        async def __aexit__(self, *_: object) -> None:
            self.was.append("stopped")

        async def flush(self) -> str:
            return "flushed"

    wrapped = Wrapped()

    async def use() -> str:
        async with aio.producer(wrapped, CONTRACT) as sender:
            assert isinstance(sender, aio.AioCarryingProducer)
            answer: str = await sender.flush()
        return answer

    assert ("flushed", ["started", "stopped"]) == (asyncio.run(use()), wrapped.was)


class Failing:
    """A broker that refuses."""

    async def send_and_wait(self, *_: Any) -> None:
        raise TimeoutError("nobody there")


def test_failure_stands_on_the_record_s_span(spans: InMemorySpanExporter) -> None:
    """Who waits for the broker's answer has it in the span."""
    with pytest.raises(TimeoutError):
        asyncio.run(aio.producer(Failing(), CONTRACT).send_and_wait("posts", b"hello"))

    (span,) = spans.get_finished_spans()
    assert ("send posts", "TimeoutError") == (span.name, (span.attributes or {})["error.type"])


def test_records_handled_at_once_have_a_context_each(record: Callable[..., Any]) -> None:
    """Tasks of one loop do not see one another's request, whichever ends first."""
    barrier = asyncio.Barrier(2)

    async def handle(request_id: bytes) -> str:
        with pennon.kafka.process(record([("x-request-id", request_id)]), CONTRACT, boundary=mesh()) as context:
            await barrier.wait()
            current = ambient.current()
            assert current is context
            return current.request_id

    async def both() -> list[str]:
        return list(await asyncio.gather(handle(b"first"), handle(b"second")))

    assert ["first", "second"] == asyncio.run(both())
    assert ambient.current() is None
