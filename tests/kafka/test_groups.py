"""A record of a real Kafka in several hands: two consumer groups, a crash before the commit, a retry topic."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer

import pennon
import pennon.kafka
from pennon import ambient
from pennon.client import Client, answering
from pennon.context import Ledger, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.flags import DecideAt
from pennon.headers import Contract, Downstream, Identity, mesh
from pennon.testing import Kafka

pytestmark = pytest.mark.kafka

PATIENCE_S = 60.0
BOUNDARY = mesh(identity=lambda inbound: Identity(units={"user": inbound.source.value().decode()}))


@pytest.fixture(scope="module")
def stock(kafka: Kafka) -> Producer:
    """A stock producer."""
    return Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 0})


@pytest.fixture
def flags() -> Iterator[Client]:
    """A client; what it answers from is each test's."""
    with pennon.testing.flags({}), pennon.connect() as client:
        yield client


def contract_of(*topics: str) -> Contract:
    """One that declares these topics."""
    return Contract("feed", version="1", owner="t", downstreams=[Downstream(topic, topic=topic) for topic in topics])


@contextmanager
def request_of(user: str) -> Iterator[None]:
    """A request of this user."""
    trace = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "")
    with ambient.entered(RequestContext(trace, RequestId("req-1"), Ledger(), identity=Identity(units={"user": user}))):
        yield


def taken(kafka: Kafka, topic: str, group: str, *, commits: bool = True) -> Message:
    """The next record of a topic for a group; without a commit the group is given it again."""
    settings = {"bootstrap.servers": kafka.bootstrap, "group.id": group, "auto.offset.reset": "earliest"}
    with closing(Consumer({**settings, "enable.auto.commit": False, "fetch.wait.max.ms": 10})) as consumer:
        consumer.subscribe([topic])
        record = consumer.poll(PATIENCE_S)
        assert record is not None
        assert record.error() is None
        if commits:
            consumer.commit(message=record, asynchronous=False)
    return record


Answer = tuple[Any, str]


@pytest.fixture
def ask(flags: Client, replica: Any) -> Callable[[Message, Contract, str], Answer]:
    """What a service answers about a record's user while its replica puts everybody on this variant."""

    def ask(record: Message, contract: Contract, variant: str) -> Answer:
        with answering(replica(variant).ruleset), pennon.kafka.process(record, contract, boundary=BOUNDARY):
            found = flags.decision("checkout")
        return found.variant, found.reason

    return ask


def test_two_groups_agree_on_what_was_decided_at_publish(
    kafka: Kafka, stock: Producer, flags: Client, replica: Any, ask: Any
) -> None:
    """`decide=flags.decide_at_publish`: nobody asked before the record was produced, and both find it decided."""
    topic = kafka.fresh_topic()
    contract = contract_of(topic)
    producer = pennon.kafka.producer(stock, contract, decide=flags.decide_at_publish)
    with answering(replica("on", at=DecideAt.PUBLISH).ruleset), request_of("7"):
        producer.produce(topic, b"7")
    stock.flush(PATIENCE_S)

    answers = [ask(taken(kafka, topic, f"{topic}-{group}"), contract, "off") for group in ("one", "two")]

    assert [("on", "CARRIED")] * 2 == answers


def test_two_groups_decide_for_themselves_at_consume(
    kafka: Kafka, stock: Producer, flags: Client, replica: Any, ask: Any
) -> None:
    """A flag that is not marked so is left to its consumers; each answers by its own replica."""
    topic = kafka.fresh_topic()
    contract = contract_of(topic)
    producer = pennon.kafka.producer(stock, contract, decide=flags.decide_at_publish)
    with answering(replica("on").ruleset), request_of("7"):
        producer.produce(topic, b"7")
    stock.flush(PATIENCE_S)

    answers = [ask(taken(kafka, topic, f"{topic}-{variant}"), contract, variant) for variant in ("off", "on")]

    assert [("off", "SPLIT"), ("on", "SPLIT")] == answers


def test_record_that_is_given_again_gives_the_same_answers(
    kafka: Kafka, stock: Producer, flags: Client, replica: Any, ask: Any
) -> None:
    """Its handler ended before the commit; the flag has changed by the second try."""
    topic = kafka.fresh_topic()
    contract = contract_of(topic)
    with answering(replica("on").ruleset), request_of("7"):
        flags.decision("checkout")
        pennon.kafka.producer(stock, contract).produce(topic, b"7")
    stock.flush(PATIENCE_S)

    group = f"{topic}-group"
    first = taken(kafka, topic, group, commits=False)
    second = taken(kafka, topic, group)

    assert first.offset() == second.offset()
    assert [("on", "CARRIED")] * 2 == [ask(record, contract, "off") for record in (first, second)]


def test_retry_topic_keeps_the_first_try_s_decision(
    kafka: Kafka, stock: Producer, flags: Client, replica: Any, ask: Any
) -> None:
    """The consumer decided, failed, and sent the record on with its own headers; each of ours stands once."""
    topic, retry = kafka.fresh_topic(), kafka.fresh_topic()
    contract = contract_of(topic, retry)
    producer = pennon.kafka.producer(stock, contract)
    producer.produce(topic, b"7")
    stock.flush(PATIENCE_S)
    record = taken(kafka, topic, f"{topic}-group")
    with answering(replica("on").ruleset), pennon.kafka.process(record, contract, boundary=BOUNDARY):
        assert "on" == flags.decision("checkout").variant
        producer.produce(retry, record.value(), headers=record.headers())
    stock.flush(PATIENCE_S)

    retried = taken(kafka, retry, f"{retry}-group")

    assert ("on", "CARRIED") == ask(retried, contract, "off")
    names = [str(header[0]) for header in retried.headers() or ()]
    assert len(set(names)) == len(names)
