"""Who is told of a record's delivery is told in the request that produced it, whoever polls."""

from collections.abc import Callable
from typing import Any

import pytest

import pennon
import pennon.kafka
from pennon import ambient
from pennon.headers import Contract, Downstream

CONTRACT = Contract("feed", version="1", owner="feed-team", downstreams=[Downstream("posts", topic="posts.created")])

Told = Callable[[object, object], None]
Ask = Callable[[Any, Told], None]


class Producer:
    """confluent-kafka's, as far as it is asked here: it tells of deliveries when it is polled."""

    def __init__(self) -> None:
        self.waiting: list[Told] = []

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int = -1,
        callback: Told | None = None,
        on_delivery: Told | None = None,
        *,
        headers: object,
    ) -> None:
        told = callback or on_delivery
        assert told is not None, "nobody is to be told"
        self.waiting.append(told)

    def poll(self, timeout: float) -> int:
        for told in self.waiting:
            told(None, "a message")
        return len(self.waiting)


WAYS: list[Ask] = [
    lambda producer, told: producer.produce("posts.created", b"a post", on_delivery=told),
    lambda producer, told: producer.produce("posts.created", b"a post", callback=told),
    lambda producer, told: producer.produce("posts.created", b"a post", b"7", -1, told),
    lambda producer, told: producer.produce("posts.created", b"a post", b"7", -1, None, told),
]


def actor_here() -> str | None:
    context = ambient.current()
    return None if context is None else context.identity.actor


@pytest.fixture
def told() -> list[tuple[str | None, object]]:
    """Who acted when a delivery was told of, and of what."""
    return []


@pytest.mark.req(93)
@pytest.mark.parametrize("ask", WAYS)
def test_delivery_is_told_in_the_request_that_produced(ask: Ask, told: list[tuple[str | None, object]]) -> None:
    """A failed record that is produced again from there bears its own request, not that of whoever polls."""
    producer = pennon.kafka.producer(Producer(), CONTRACT)

    def tell(error: object, message: object) -> None:
        told.append((actor_here(), message))

    with pennon.system_context("ada"):
        ask(producer, tell)
        with pennon.system_context("ben"):
            producer.poll(0)
    assert told == [("system:ada", "a message")]


@pytest.mark.req(92)
@pytest.mark.parametrize("ask", WAYS)
def test_delivery_after_the_request_is_told_in_none(ask: Ask, told: list[tuple[str | None, object]]) -> None:
    """Its door has closed; that of another one is not its."""
    producer = pennon.kafka.producer(Producer(), CONTRACT)
    with pennon.system_context("ada"):
        ask(producer, lambda _, message: told.append((actor_here(), message)))
    with pennon.system_context("ben"):
        producer.poll(0)
    assert told == [(None, "a message")]


def test_nobody_who_is_to_be_told_stays_nobody() -> None:
    """None is passed on as it is."""
    produced: list[dict[str, Any]] = []

    class Silent:
        def produce(self, topic: str, *arguments: object, **named: Any) -> None:
            produced.append({"arguments": arguments, **named})

    pennon.kafka.producer(Silent(), CONTRACT).produce("posts.created", b"a post", None, -1, None, on_delivery=None)
    assert produced == [{"arguments": (b"a post", None, -1, None), "on_delivery": None, "headers": []}]
