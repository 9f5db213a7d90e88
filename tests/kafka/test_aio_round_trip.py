"""aiokafka's side of the doors over a real Apache Kafka, and beside confluent-kafka's."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import confluent_kafka
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition  # type: ignore[import-untyped]

import pennon.kafka
from pennon import ambient
from pennon.context import Decision, RequestContext
from pennon.headers import Contract, Downstream, mesh, public
from pennon.kafka import aio
from pennon.testing.kafka import Kafka

pytestmark = pytest.mark.kafka

Sender = aio.AioCarryingProducer


def contract_of(*topics: str) -> Contract:
    """One that declares these topics."""
    return Contract(
        "feed", version="1", owner="feed-team", downstreams=tuple(Downstream(topic, topic=topic) for topic in topics)
    )


def entries_of(context: RequestContext) -> list[tuple[int, int, int]]:
    """Flag, variant and revision of everything that arrived."""
    found = [entry for entries in context.ledger.arrived.values() for entry in entries]
    return [(entry.flag_id, entry.variant_id, entry.revision) for entry in found]


def send(kafka: Kafka, contract: Contract, sending: Callable[[Sender], Awaitable[object]], **options: Any) -> None:
    """Do this with a wrapped producer, and wait for what it has sent."""

    async def run() -> None:
        async with aio.producer(AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, **options), contract) as sender:
            await sending(sender)

    asyncio.run(run())


def read(kafka: Kafka, topic: str, count: int, **options: Any) -> list[Any]:
    """So many records from the beginning of a topic's one partition."""

    async def run() -> list[Any]:
        options.setdefault("auto_offset_reset", "earliest")
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, enable_auto_commit=False, **options)
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, 0)])
            return [await asyncio.wait_for(consumer.getone(), 60) for _ in range(count)]
        finally:
            await consumer.stop()

    return asyncio.run(run())


@pytest.mark.parametrize("name", ["send", "send_and_wait"])
def test_a_decision_survives_the_topic(name: str, kafka: Kafka, context: RequestContext, decision: Decision) -> None:
    """What was decided when the record was sent is what its consumer finds, for the same trace; others' bytes too."""
    topic = kafka.fresh_topic()
    contract = contract_of(topic)
    own = [("own", b"\xff\x00"), ("own", None)]
    with ambient.entered(context):
        send(kafka, contract, lambda sender: getattr(sender, name)(topic, b"hello", headers=own))
    (record,) = read(kafka, topic, 1)
    with pennon.kafka.process(record, contract, boundary=mesh()) as found:
        assert [(decision.scope.flag_id, decision.answer.variant_id, 41)] == entries_of(found)
    assert (context.trace.trace_id, "corr-1") == (found.trace.trace_id, found.correlation_id)
    assert own == [header for header in record.headers if header[0] == "own"]
    with aio.process(record, contract, boundary=public()) as strangers:
        assert [] == entries_of(strangers)


def test_send_and_wait_tells_where_the_record_is(kafka: Kafka) -> None:
    """The answer is aiokafka's own."""
    topic = kafka.fresh_topic()
    told: list[Any] = []

    async def sending(sender: Sender) -> None:
        told.append(await sender.send_and_wait(topic, b"hello"))

    send(kafka, contract_of(topic), sending)
    assert [(topic, 0, 0)] == [(each.topic, each.partition, each.offset) for each in told]


def test_a_forwarded_record_carries_the_forwarders_context_alone(kafka: Kafka, context: RequestContext) -> None:
    """Consume, send with the same headers, a tuple, consume: each of our names once, and the second hop is parent."""
    first, second, elsewhere = (kafka.fresh_topic() for _ in range(3))
    contract = contract_of(first, second)
    with ambient.entered(context):
        send(kafka, contract, lambda sender: sender.send(first, b"hello", headers=(("own", b"1"),)))
    (record,) = read(kafka, first, 1)

    async def forward(sender: Sender) -> None:
        await sender.send_and_wait(second, record.value, headers=record.headers)
        await sender.send_and_wait(elsewhere, record.value, headers=record.headers)

    with pennon.kafka.process(record, contract, boundary=mesh()) as forwarder:
        send(kafka, contract, forward)

    (forwarded,) = read(kafka, second, 1)
    names = [name for name, _ in forwarded.headers]
    assert sorted(set(names)) == sorted(names)
    assert "own" in names
    with pennon.kafka.process(forwarded, contract, boundary=mesh()) as found:
        assert forwarder.trace.span_id == found.trace.parent_span_id
        assert entries_of(forwarder) == entries_of(found) != []
    (undeclared,) = read(kafka, elsewhere, 1)
    assert (("own", b"1"),) == tuple(undeclared.headers)


def test_either_library_reads_what_the_other_sent(kafka: Kafka, context: RequestContext, decision: Decision) -> None:
    """One format on the wire."""
    topic = kafka.fresh_topic()
    contract = contract_of(topic)
    stock = confluent_kafka.Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 0})
    with ambient.entered(context):
        pennon.kafka.producer(stock, contract).produce(topic, b"hello", headers={"own": None})
        stock.flush(60)
        send(kafka, contract, lambda sender: sender.send(topic, b"hello", headers={"own": None}))
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": "either", "enable.auto.commit": False}
    )
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, confluent_kafka.OFFSET_BEGINNING)])
    by_confluent = consumer.consume(2, timeout=60)
    consumer.close()

    expected = [(decision.scope.flag_id, decision.answer.variant_id, 41)]
    for record in [*by_confluent, *read(kafka, topic, 2)]:
        with pennon.kafka.process(record, contract, boundary=mesh()) as found:
            assert expected == entries_of(found)


def test_a_transaction_s_records_carry(kafka: Kafka, context: RequestContext) -> None:
    """Its calls are the wrapped producer's, its records are the door's."""
    topic = kafka.fresh_topic()
    contract = contract_of(topic)

    async def sending(sender: Sender) -> None:
        async with sender.transaction():
            await sender.send(topic, b"hello")

    with ambient.entered(context):
        send(kafka, contract, sending, transactional_id=f"tx-{topic}")
    (record,) = read(kafka, topic, 1, isolation_level="read_committed")
    with pennon.kafka.process(record, contract, boundary=mesh()) as found:
        assert 1 == len(entries_of(found))


def test_header_values_that_are_not_utf8_reach_nobody_as_an_error(kafka: Kafka) -> None:
    """Bytes in every header that we read, from a producer that is not ours."""
    topic = kafka.fresh_topic()
    hostile = [(name, b"\xff\xfe\x00") for name in ("traceparent", "baggage", "x-request-id", "x-correlation-id")]

    async def sending(sender: Sender) -> None:
        await sender._wrapped.send_and_wait(topic, b"hello", headers=hostile)

    send(kafka, contract_of(topic), sending)
    (record,) = read(kafka, topic, 1)
    with pennon.kafka.process(record, contract_of(topic), boundary=mesh()) as found:
        assert [] == entries_of(found)
        assert None is found.trace.parent_span_id
