"""Doubles for records and producers: what the doors are not known to ask for fails the test."""

from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import ConsumerRecord  # type: ignore[import-untyped]  # it ships no types
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pennon.context import (
    Answer,
    CorrelationId,
    Decision,
    Environment,
    Ledger,
    Member,
    Origin,
    Reason,
    RequestContext,
    RequestId,
    Scope,
    SpanId,
    Trace,
    TraceId,
)

HeaderList = list[tuple[str, bytes | None]]

# 2026-11-21T10:15:00Z: when the records of these tests were produced.
PRODUCED_MS = 1_795_256_100_000


class RecordDouble:
    """confluent-kafka's record of the topic "posts", partition 3, offset 41."""

    def __init__(self, headers: HeaderList | Exception | None) -> None:
        self._headers = headers

    def headers(self) -> HeaderList | None:
        """What the test gave, or the error it gave."""
        if isinstance(self._headers, Exception):
            raise self._headers
        return self._headers

    def set_headers(self, headers: HeaderList) -> None:
        """Replace them, as confluent-kafka's does."""
        self._headers = headers

    def topic(self) -> str:
        """Always the same."""
        return "posts"

    def partition(self) -> int:
        """Always the same."""
        return 3

    def offset(self) -> int:
        """Always the same."""
        return 41

    def timestamp(self) -> tuple[int, int]:
        """When it was produced, as its producer says."""
        return 1, PRODUCED_MS

    def value(self) -> bytes:
        """Always empty."""
        return b""

    def error(self) -> None:
        """It is a record."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the door asked a record for {name!r}")


class ProducerDouble:
    """Keeps what it is asked to send, as confluent-kafka's does and as aiokafka's."""

    def __init__(self) -> None:
        self.sent: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def produce(self, *arguments: Any, **named: Any) -> str:
        """Keep the call."""
        self.sent.append((arguments, named))
        return "queued"

    async def send(self, *arguments: Any, **named: Any) -> str:
        """Keep the call."""
        return self.produce(*arguments, **named)

    async def send_and_wait(self, *arguments: Any, **named: Any) -> str:
        """Keep the call."""
        return self.produce(*arguments, **named)

    @property
    def headers(self) -> list[tuple[str, bytes | str | None]]:
        """Of the one record sent; aiokafka's sixth argument."""
        ((arguments, named),) = self.sent
        found: list[tuple[str, bytes | str | None]] = named["headers"] if "headers" in named else arguments[5]
        return found

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the door asked a producer for {name!r}")


def plain_record(headers: HeaderList | None) -> "ConsumerRecord[bytes, bytes]":
    """A real record of aiokafka, of the same topic, partition and offset."""
    return ConsumerRecord("posts", 3, 41, PRODUCED_MS, 0, None, b"", None, -1, 0, tuple(headers or ()))


@pytest.fixture(params=[RecordDouble, plain_record], ids=["confluent-kafka", "aiokafka"])
def record(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes a record of these headers, of either library."""
    made: Callable[..., Any] = request.param
    return made


@pytest.fixture
def confluent_record() -> Callable[..., RecordDouble]:
    """Makes a record of these headers, or one that raises when it is asked for them."""
    return RecordDouble


@pytest.fixture
def wrapped() -> ProducerDouble:
    """A producer to wrap."""
    return ProducerDouble()


@pytest.fixture
def decision() -> Decision:
    """User 7 got "on" of a carried flag, by a split."""
    environment = Environment(id=0x1122334455, key="production", salt="pepper")
    scope = Scope(environment, 1_000, 0x010203, "user", 40, carry=True, key="1122334455/1000/010203/40")
    answer = Answer(
        flag="new-feed",
        value=True,
        variant="on",
        variant_id=2,
        reason=Reason.SPLIT,
        origin=Origin.SPLIT,
        rule=None,
        revision=41,
    )
    return Decision(answer, scope, "7", 1_790_000_000_000_000_000, Origin.SPLIT, 41)


@pytest.fixture
def context(decision: Decision) -> RequestContext:
    """A request under way that has decided something, with ids and a baggage member of somebody else's."""
    ledger = Ledger()
    ledger.enter(decision)
    here = Trace(TraceId("4bf92f3577b34da6a3ce929d0e0e4736"), SpanId("00f067aa0ba902b7"), None, 1, "")
    return RequestContext(
        here, RequestId("req-1"), ledger, correlation_id=CorrelationId("corr-1"), baggage=(Member("tier", "gold"),)
    )


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """OpenTelemetry's SDK for this test; the spans that ended, in that order."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # The public setter works once per process.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter
