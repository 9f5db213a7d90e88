"""The reference page shows code that runs."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import aiokafka  # type: ignore[import-untyped]  # it ships no types
import confluent_kafka
import pytest

from pennon import ambient
from pennon.context import RequestContext
from pennon.headers.cloudevents import EventMode

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "kafka.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


class OverError(Exception):
    """There are no more records."""


class Clients:
    """Both libraries' producers and consumers, without a broker: what was sent, and each record once a consumer."""

    def __init__(self, record: Callable[[], Any]) -> None:
        self.sent: list[tuple[str, dict[str, bytes]]] = []
        self._record = record

    def producer(self, *_: Any, **__: Any) -> Any:
        """Of either library."""

        async def send_and_wait(topic: str, *arguments: Any) -> None:
            *_, headers = arguments
            produce(topic, headers=headers)

        def produce(topic: str, *, headers: Any, **_: Any) -> None:
            self.sent.append((topic, dict(headers)))

        return _Entered(produce=produce, send_and_wait=send_and_wait)

    def consumer(self, *_: Any, **__: Any) -> Any:
        """Of confluent-kafka: nothing, a record, the end of the test; then a batch."""
        polled = [None, self._record()]

        def poll(_: float) -> Any:
            if not polled:
                raise OverError
            return polled.pop(0)

        return SimpleNamespace(poll=poll, consume=lambda *_: [self._record()], subscribe=lambda _: None)

    def stream(self, *_: Any, **__: Any) -> Any:
        """Of aiokafka."""
        return _Entered([self._record()])


class _Entered(SimpleNamespace):
    """What aiokafka's clients are used with."""

    def __init__(self, records: Any = (), **methods: Any) -> None:
        super().__init__(**methods)
        self._records = records

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stopped."""

    async def __aiter__(self) -> Any:
        for record in self._records:
            yield record


@pytest.fixture
def clients(confluent_record: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Clients:
    """In place of the libraries' own."""
    clients = Clients(lambda: confluent_record([("x-request-id", b"req-1"), ("ce_specversion", b"1.0")]))
    monkeypatch.setattr(confluent_kafka, "Producer", clients.producer)
    monkeypatch.setattr(confluent_kafka, "Consumer", clients.consumer)
    monkeypatch.setattr(aiokafka, "AIOKafkaProducer", clients.producer)
    monkeypatch.setattr(aiokafka, "AIOKafkaConsumer", clients.stream)
    return clients


def test_page_shows_code_that_runs(clients: Clients, context: RequestContext) -> None:
    """Each example, one after the other, in a request; each record is handled in a request of its own."""
    handled: list[Any] = []

    def handle(_: object) -> None:
        handled.append(ambient.current())

    async def handle_async(record: object) -> None:
        handle(record)

    names: dict[str, Any] = {"handle": handle}
    doors, aio, batch, events, fixture = BLOCKS
    with ambient.entered(context):
        with pytest.raises(OverError):
            exec(doors, names)
        exec(aio, names)
        asyncio.run(names["feed"](handle_async))
        exec(batch, names)
        exec(events, names)
    exec(fixture, names)
    names["test_a_post_reaches_the_feed"](SimpleNamespace(fresh_topic=lambda **_: "t", bootstrap="localhost:9092"))

    assert ["req-1"] * 3 == [each.request_id for each in handled]
    assert ["posts.created"] * 3 == [topic for topic, _ in clients.sent]
    assert [b"req-1"] * 3 == [headers["x-request-id"] for _, headers in clients.sent]
    assert EventMode.BINARY is names["found"].mode
