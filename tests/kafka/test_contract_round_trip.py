"""Identity, batches and events over a real Apache Kafka, by confluent-kafka and by aiokafka."""

import asyncio
from typing import Any

import confluent_kafka
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition  # type: ignore[import-untyped]
from confluent_kafka import Consumer, Producer
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import pennon.kafka
from pennon import ambient
from pennon.context import ActorType, Identity, RequestContext, RequestId
from pennon.headers import Boundary, Contract, Downstream, mesh, std
from pennon.headers.cloudevents import CloudEvent, EventMode
from pennon.kafka import aio
from pennon.signing import ContextSigner, SignedContext, new_key
from pennon.testing import ManualClock
from pennon.testing.kafka import Kafka

pytestmark = pytest.mark.kafka

ADA = Identity(tenant="tenant-42", actor="user-991", units={"user": "991"}, actor_type=ActorType.HUMAN)
EVENT = CloudEvent(
    id="1", source="/orders/é", type="order.placed", datacontenttype="application/json", data=b'{"total": 7}'
)
KEY = new_key()[0]


def contract_of(topic: str) -> Contract:
    """One that tells the topic whose work a record is, in headers and signed."""
    fields = [std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF]
    downstream = Downstream("zone", topic=topic, tenant=True, actor=True, audience="zone")
    return Contract("feed", version="1", owner="feed-team", fields=fields, downstreams=[downstream])


def boundary_of(signer: ContextSigner, clock: ManualClock) -> Boundary:
    """Believes this signer."""
    trusted = SignedContext({"orders": {signer.key_id: signer.public}}, audience="zone", clock=clock)
    return mesh(verify=trusted.verify, identity=trusted.identity)


@pytest.fixture(params=["confluent-kafka", "aiokafka"])
def sent(request: pytest.FixtureRequest, kafka: Kafka, context: RequestContext) -> tuple[Contract, list[Any], Any]:
    """Three records sent in a user's request, and a tombstone: as one call of the library gave them; the signer."""
    topic = kafka.fresh_topic()
    contract = contract_of(topic)
    signer = ContextSigner(KEY, issuer="orders")
    within = RequestContext(context.trace, RequestId("req-1"), context.ledger, identity=ADA)
    event = pennon.kafka.event_record(EVENT)
    gone = pennon.kafka.event_record(CloudEvent(id="2", source="/orders", type="order.deleted"))
    records = [{"value": b"plain", "headers": [("X-Actor-Id", b"copied")]}, event, event, gone]
    with ambient.entered(within):
        if request.param == "confluent-kafka":
            return contract, _by_confluent(kafka, contract, topic, signer, records), signer
        return contract, asyncio.run(_by_aiokafka(kafka, contract, topic, signer, records)), signer


def _by_confluent(
    kafka: Kafka, contract: Contract, topic: str, signer: ContextSigner, records: list[dict[str, Any]]
) -> list[Any]:
    producer = pennon.kafka.producer(Producer({"bootstrap.servers": kafka.bootstrap}), contract, signer=signer)
    for each in records:
        producer.produce(topic, key=b"k", **each)
    producer.flush(60)
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "contract", "enable.auto.commit": False})
    try:
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, confluent_kafka.OFFSET_BEGINNING)])
        return consumer.consume(len(records), timeout=60)
    finally:
        consumer.close()


async def _by_aiokafka(
    kafka: Kafka, contract: Contract, topic: str, signer: ContextSigner, records: list[dict[str, Any]]
) -> list[Any]:
    async with aio.producer(AIOKafkaProducer(bootstrap_servers=kafka.bootstrap), contract, signer=signer) as producer:
        for each in records:
            await producer.send_and_wait(topic, key=b"k", **each)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        found: list[Any] = []
        while len(found) < len(records):
            several = await asyncio.wait_for(consumer.getmany(timeout_ms=60_000), 90)
            found += [record for each in several.values() for record in each]
        return found
    finally:
        await consumer.stop()


@pytest.mark.req(43, 69, 74)
def test_signed_identity_survives_the_topic(sent: Any) -> None:
    """Each record of the batch says whose work it is, and what was decided for them; headers of the identity too."""
    contract, records, signer = sent
    now = ManualClock(now_ns=_produced_ns(records[-1]))
    with pennon.kafka.batch(records, contract, boundary=boundary_of(signer, now), clock=now) as found:
        for _, handling in found:
            with handling as context:
                assert (ADA, "req-1") == (context.identity, context.request_id)
                assert context.ledger.arrived
    with pennon.kafka.process(records[0], contract, boundary=mesh(), clock=now) as context:
        assert Identity("tenant-42", "user-991", actor_type=ActorType.HUMAN) == context.identity


@pytest.mark.req(72, 73, 75, 76)
def test_record_read_a_day_later_is_the_systems_work(sent: Any) -> None:
    """By the record's own time, and by the token's."""
    contract, records, signer = sent
    later = ManualClock(now_ns=_produced_ns(records[0]) + 86_400_000_000_000)
    expected = Identity("tenant-42", "system:feed", {}, {}, ActorType.SYSTEM, "user-991")
    with pennon.kafka.process(records[0], contract, boundary=mesh(), clock=later) as context:
        assert expected == context.identity
    with pennon.kafka.process(records[0], contract, boundary=boundary_of(signer, later), clock=later) as context:
        assert (expected.actor, "user-991") == (context.identity.actor, context.identity.on_behalf_of)


@pytest.mark.req(33, 35)
def test_batch_of_real_records_is_one_span(sent: Any, spans: InMemorySpanExporter) -> None:
    """Linked to each of them."""
    contract, records, _ = sent
    spans.clear()
    with pennon.kafka.batch(records, contract, boundary=mesh()) as found:
        assert 4 == len(found)
    (span,) = spans.get_finished_spans()
    assert 4 == len(span.links) == (span.attributes or {})["messaging.batch.message_count"]


def test_event_survives_the_topic(sent: Any) -> None:
    """Binary mode: attributes in UTF-8, the data as the value; no value is a tombstone; other records are no events."""
    _, records, _ = sent
    plain, event, _, gone = (pennon.kafka.event_of(record) for record in records)
    assert (EventMode.NONE, EVENT) == (plain.mode, event.event)
    assert gone.event is not None
    assert gone.event.is_tombstone


def _produced_ns(record: Any) -> int:
    at_ms: int = record.timestamp()[1] if callable(record.timestamp) else record.timestamp
    return at_ms * 1_000_000
