"""Probes through the Kafka doors: a record to every declared topic, and back into a handler's context.

Producers and records are doubles, unless a broker is named: then a record really goes through a topic made for it, and
never through one of the contract's own.
"""

import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pennon.kafka
from pennon.cli.propagation.entering import TRUSTED, by_asgi
from pennon.cli.propagation.findings import REFUSED, Crossing, Item, State, Verdict
from pennon.cli.propagation.judging import Began, arrived
from pennon.cli.propagation.probe import probe_for, reader, signer
from pennon.cli.propagation.spans import begun_spans
from pennon.context import Identity, RequestContext
from pennon.headers import Contract, Downstream
from pennon.kafka import aio
from pennon.kafka.carrier import HeaderValue, headers_of

# What a broker on a busy machine takes to make a topic, and to give its first record to a group of nobody's.
BROKER_TIMEOUT_S: Final = 20.0

_Headers = Sequence[tuple[str, HeaderValue]]
_Way = Callable[[Contract, str], Awaitable[_Headers]]


class _Sent:
    """A producer of either library, which keeps what it was given."""

    def __init__(self) -> None:
        self.headers: _Headers = ()

    def produce(self, _topic: str, *_: Any, headers: _Headers = (), **__: Any) -> None:
        self.headers = headers

    async def send(self, *arguments: Any) -> None:
        *_, self.headers = arguments


class _Record:
    """A record as confluent-kafka has it, read from where it was sent."""

    def __init__(self, topic: str, headers: _Headers) -> None:
        self._topic = topic
        self._headers = headers

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def timestamp(self) -> tuple[int, int]:
        return 0, 0

    def value(self) -> bytes:
        return b""

    def error(self) -> None:
        return None

    def headers(self) -> _Headers:
        return self._headers

    def set_headers(self, headers: list[tuple[str, HeaderValue]], /) -> None:
        self._headers = headers


class _Producing:
    """Sends one record in a request, by a way that answers with the headers as a consumer gets them."""

    def __init__(self, contract: Contract, topic: str, way: _Way) -> None:
        self._contract, self._topic, self._way = contract, topic, way
        self.context: RequestContext | None = None
        self.began = Began(0, 0)
        self.headers: _Headers = ()
        self.fault = REFUSED

    async def send(self, context: RequestContext) -> None:
        self.context, self.fault = context, ""
        self.began = Began(time.time_ns(), time.monotonic_ns())
        try:
            self.headers = await self._way(self._contract, self._topic)
        except Exception as error:  # noqa: BLE001  # whatever a broker or a library raises is a finding
            self.fault = f"{type(error).__name__}: {error}"


async def _by_confluent(contract: Contract, topic: str) -> _Headers:
    sent = _Sent()
    pennon.kafka.producer(sent, contract, signer=signer()).produce(topic, value=b"")
    return sent.headers


async def _by_aiokafka(contract: Contract, topic: str) -> _Headers:
    sent = _Sent()
    await aio.producer(sent, contract, signer=signer()).send(topic, b"")
    return sent.headers


_DOUBLES: Final[Mapping[str, _Way]] = {
    "confluent-kafka": _by_confluent,
    "aiokafka": _by_aiokafka,
}


def produced(contract: Contract, bootstrap: str | None) -> Iterator[Crossing]:
    """What a record to each declared topic carries, and what its handler gets of it."""
    for downstream in contract.downstreams:
        if downstream.topic is None:
            continue
        for name, way in _DOUBLES.items():
            yield from _through(contract, downstream, downstream.topic, name, way)
        if bootstrap is not None:
            topic = f"pennon-doctor-{uuid.uuid4().hex[:12]}"
            others = tuple(each for each in contract.downstreams if each is not downstream)
            twin = replace(downstream, topic=topic)
            yield from _through(
                replace(contract, downstreams=(*others, twin)), twin, topic, "a broker", _by_broker(bootstrap)
            )


def _through(contract: Contract, downstream: Downstream, topic: str, name: str, way: _Way) -> Iterator[Crossing]:
    probe, producing = probe_for(contract), _Producing(contract, topic, way)
    spans = begun_spans()
    by_asgi(contract, TRUSTED, probe.headers, producing.send)
    context = producing.context
    if producing.fault or context is None:
        yield Crossing(downstream.name, name, (), producing.fault)
        return
    got = [(name.encode(), value) for name, value in producing.headers if isinstance(value, bytes)]
    verdicts = arrived(contract, downstream, context, got, began=producing.began, spans=spans, sent=probe.member)
    yield Crossing(downstream.name, f"{name}, sent", verdicts)
    record = _Record(topic, producing.headers)
    with pennon.kafka.process(record, contract, boundary=reader(downstream)) as handled:
        yield Crossing(downstream.name, f"{name}, handled", _handled(verdicts, context, handled))


def _handled(sent: Sequence[Verdict], context: RequestContext, handled: RequestContext) -> tuple[Verdict, ...]:
    """What the handler has of what the record brought; what the contract withheld, it cannot have."""
    has = {
        Item.TRACE: handled.trace.trace_id == context.trace.trace_id,
        Item.PARENT: handled.trace.parent_span_id is not None,
        Item.SAMPLED: (handled.trace.flags ^ context.trace.flags) & 1 == 0,
        Item.REQUEST_ID: handled.request_id == context.request_id,
        Item.CORRELATION_ID: handled.correlation_id == context.correlation_id,
        Item.BAGGAGE: set(context.baggage) <= set(handled.baggage),
        Item.DECISIONS: bool(handled.ledger.arrived),
        Item.IDENTITY: handled.identity != Identity(),
    }
    return tuple(
        verdict
        if verdict.state is not State.KEPT or has.get(verdict.item, True)
        else Verdict(verdict.item, State.LOST, "the record brought it, the handler does not have it")
        for verdict in sent
    )


def _by_broker(bootstrap: str) -> _Way:
    async def through(contract: Contract, topic: str) -> _Headers:
        return _real_round_trip(bootstrap, contract, topic)

    return through


def _real_round_trip(bootstrap: str, contract: Contract, topic: str) -> _Headers:
    """Through a topic made for it, and taken away again. Raises: RuntimeError if the record does not come back."""
    from confluent_kafka import Consumer, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 1)])[topic].result(BROKER_TIMEOUT_S)
    try:
        plain = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": int(BROKER_TIMEOUT_S * 1_000)})
        producer = pennon.kafka.producer(plain, contract, signer=signer())
        producer.produce(topic, value=b"")
        producer.flush(BROKER_TIMEOUT_S)
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "enable.auto.commit": False})
        try:
            consumer.assign([TopicPartition(topic, 0, 0)])
            record = consumer.poll(BROKER_TIMEOUT_S)
        finally:
            consumer.close()
        if record is None or record.error() is not None:
            raise RuntimeError("the record did not come back")
        return [(name.decode(), value) for name, value in headers_of(record)]
    finally:
        admin.delete_topics([topic])[topic].result(BROKER_TIMEOUT_S)
