"""Both doors over a real Apache Kafka."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import Consumer, Message, Producer, SerializingProducer
from confluent_kafka.serialization import StringSerializer

import pennon.kafka
from pennon import ambient
from pennon.context import Decision, RequestContext
from pennon.headers import Contract, Downstream, mesh, public
from pennon.testing.kafka import Kafka

pytestmark = pytest.mark.kafka

Read = Callable[[str, int], list[Message]]


@pytest.fixture(scope="module")
def sender(kafka: Kafka) -> Producer:
    """A stock producer."""
    return Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 0})


@pytest.fixture(scope="module")
def read(kafka: Kafka) -> Read:
    """Reads so many records from the beginning of a topic's one partition."""

    def read(topic: str, count: int) -> list[Message]:
        consumer = Consumer(
            {"bootstrap.servers": kafka.bootstrap, "group.id": "round-trip", "enable.auto.commit": False}
        )
        try:
            consumer.assign([confluent_kafka.TopicPartition(topic, 0, confluent_kafka.OFFSET_BEGINNING)])
            found = consumer.consume(count, timeout=60)
        finally:
            consumer.close()
        assert count == len(found)
        return found

    return read


def contract_of(*topics: str) -> Contract:
    """One that declares these topics."""
    return Contract(
        "feed", version="1", owner="feed-team", downstreams=tuple(Downstream(topic, topic=topic) for topic in topics)
    )


def entries_of(context: RequestContext) -> list[tuple[int, int, int]]:
    """Flag, variant and revision of everything that arrived."""
    found = [entry for entries in context.ledger.arrived.values() for entry in entries]
    return [(entry.flag_id, entry.variant_id, entry.revision) for entry in found]


def test_a_decision_survives_the_topic(
    kafka: Kafka, sender: Producer, read: Read, context: RequestContext, decision: Decision
) -> None:
    """What was decided when the record was produced is what its consumer finds, for the same trace."""
    topic = kafka.fresh_topic()
    contract = contract_of(topic)
    with ambient.entered(context):
        pennon.kafka.producer(sender, contract).produce(topic, b"hello", headers={"own": b"\xff\x00"})
    sender.flush(60)
    (record,) = read(topic, 1)
    with pennon.kafka.process(record, contract, boundary=mesh()) as found:
        assert [(decision.scope.flag_id, decision.answer.variant_id, 41)] == entries_of(found)
    assert context.trace.trace_id == found.trace.trace_id
    assert context.correlation_id == found.correlation_id
    headers = record.headers()
    assert headers is not None
    assert ("own", b"\xff\x00") in headers


def test_a_public_boundary_takes_nothing_from_the_topic(
    kafka: Kafka, sender: Producer, read: Read, context: RequestContext
) -> None:
    """The same record, read as from a topic that strangers write to."""
    topic = kafka.fresh_topic()
    contract = contract_of(topic)
    with ambient.entered(context):
        pennon.kafka.producer(sender, contract).produce(topic, b"hello")
    sender.flush(60)
    (record,) = read(topic, 1)
    with pennon.kafka.process(record, contract, boundary=public()) as found:
        assert [] == entries_of(found)
    assert context.trace.trace_id != found.trace.trace_id


def test_a_forwarded_record_carries_the_forwarders_context_alone(
    kafka: Kafka, sender: Producer, read: Read, context: RequestContext
) -> None:
    """Consume, produce with the same headers, consume: each of our names once, and the second hop is the parent."""
    first, second = kafka.fresh_topic(), kafka.fresh_topic()
    contract = contract_of(first, second)
    producer = pennon.kafka.producer(sender, contract)
    with ambient.entered(context):
        producer.produce(first, b"hello", headers=[("own", None)])
    sender.flush(60)
    (record,) = read(first, 1)
    with pennon.kafka.process(record, contract, boundary=mesh()) as forwarder:
        producer.produce(second, record.value(), headers=record.headers())
    sender.flush(60)
    (forwarded,) = read(second, 1)
    names = [str(header[0]) for header in forwarded.headers() or ()]
    assert sorted(set(names)) == sorted(names)
    assert "own" in names
    with pennon.kafka.process(forwarded, contract, boundary=mesh()) as found:
        assert forwarder.trace.span_id == found.trace.parent_span_id
        assert entries_of(forwarder) == entries_of(found) != []


def test_an_undeclared_topic_gets_nothing_of_ours(
    kafka: Kafka, sender: Producer, read: Read, context: RequestContext
) -> None:
    """Not even when a carrying record is forwarded there."""
    first, elsewhere = kafka.fresh_topic(), kafka.fresh_topic()
    contract = contract_of(first)
    producer = pennon.kafka.producer(sender, contract)
    with ambient.entered(context):
        producer.produce(first, b"hello", headers=[("own", b"1")])
    sender.flush(60)
    (record,) = read(first, 1)
    with pennon.kafka.process(record, contract, boundary=mesh()):
        producer.produce(elsewhere, b"forwarded", headers=record.headers())
        producer.produce(elsewhere, b"new")
    sender.flush(60)
    forwarded, new = read(elsewhere, 2)
    assert [("own", b"1")] == forwarded.headers()
    assert not new.headers()


def test_a_serializing_producer_carries_too(kafka: Kafka, read: Read, context: RequestContext) -> None:
    """Its produce() takes key and value in another order and copies headers into its own context."""
    topic = kafka.fresh_topic()
    contract = contract_of(topic)
    stock = SerializingProducer({"bootstrap.servers": kafka.bootstrap, "value.serializer": StringSerializer()})
    with ambient.entered(context):
        pennon.kafka.producer(stock, contract).produce(topic, key=b"k", value="hello", headers=[("own", b"1")])
    stock.flush(60)
    (record,) = read(topic, 1)
    assert b"hello" == record.value()
    with pennon.kafka.process(record, contract, boundary=mesh()) as found:
        assert 1 == len(entries_of(found))


def test_header_values_that_are_not_utf8_reach_nobody_as_an_error(kafka: Kafka, sender: Producer, read: Read) -> None:
    """Bytes in every header that we read, from a producer that is not ours."""
    topic = kafka.fresh_topic()
    hostile: Any = [(name, b"\xff\xfe\x00") for name in ("traceparent", "baggage", "x-request-id", "x-correlation-id")]
    sender.produce(topic, b"hello", headers=[*hostile, ("own", b"\xff")])
    sender.flush(60)
    (record,) = read(topic, 1)
    with pennon.kafka.process(record, contract_of(topic), boundary=mesh()) as found:
        assert [] == entries_of(found)
        assert None is found.trace.parent_span_id


@pytest.mark.parametrize("names", [[b"bad\xff"], [b"bad\xff", b"good"], [b"good", b"bad\xff"], [b"\xff", b"\xfe"]])
def test_header_names_that_are_not_utf8_do_not_end_the_process(names: list[bytes], kafka: Kafka, read: Read) -> None:
    """confluent-kafka raises once for them, then hands out a list that must not be touched; the handler is safe.

    Also in a consumer that has handled many: Python's interpreter no longer checks what a method of C returns once it
    has specialized the call, and a half-made list then comes without an exception.
    """
    topic = kafka.fresh_topic()
    produce_by_librdkafka(kafka.bootstrap, topic, names)
    (record,) = read(topic, 1)
    for _ in range(100):
        with pennon.kafka.process(Message(topic=topic, headers=[("a", b"1")]), contract_of(topic), boundary=mesh()):
            pass
    with pennon.kafka.process(record, contract_of(topic), boundary=mesh()) as found:
        assert not record.headers()
        assert None is found.trace.parent_span_id
    assert b"hello" == record.value()


def produce_by_librdkafka(bootstrap: str, topic: str, header_names: list[bytes]) -> None:
    """Send a record with header names that Python's client cannot write, through the C library below it."""
    package = Path(confluent_kafka.__file__).parent
    found = [*package.parent.glob("confluent_kafka.libs/librdkafka*"), *package.glob(".dylibs/librdkafka*")]
    library = ctypes.CDLL(str(found[0]))
    for name in ("rd_kafka_conf_new", "rd_kafka_new"):
        getattr(library, name).restype = ctypes.c_void_p
    trouble = ctypes.create_string_buffer(512)
    config = ctypes.c_void_p(library.rd_kafka_conf_new())
    assert 0 == library.rd_kafka_conf_set(config, b"bootstrap.servers", bootstrap.encode(), trouble, 512)
    handle = ctypes.c_void_p(library.rd_kafka_new(0, config, trouble, 512))
    text, number, size = ctypes.c_char_p, ctypes.c_int, ctypes.c_ssize_t
    # rd_kafka_producev's tags, of rd_kafka_vtype_t: 1 topic, 4 value, 7 flags (2: copy), 9 header, 0 the end.
    words = [number(1), text(topic.encode()), number(4), text(b"hello"), size(5), number(7), number(2)]
    for header_name in header_names:
        words += [number(9), text(header_name), text(b"x"), size(1)]
    assert 0 == library.rd_kafka_producev(handle, *words, number(0))
    assert 0 == library.rd_kafka_flush(handle, 60_000)
    library.rd_kafka_destroy(handle)
