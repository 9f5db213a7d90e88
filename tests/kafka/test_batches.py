"""Batches: one span with one link per record, a context per record, errors apart."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import pennon.kafka
from pennon import ambient
from pennon.headers import Contract, mesh, public

CONTRACT = Contract("feed", version="1", owner="feed-team")
RECORDS = [
    [
        ("traceparent", b"00-" + bytes([48 + number]) * 32 + b"-00f067aa0ba902b7-01"),
        ("x-request-id", b"req-%d" % number),
    ]
    for number in (1, 2, 3)
]
TRACES = [int(str(number) * 32, 16) for number in (1, 2, 3)]


@pytest.fixture
def records(record: Callable[..., Any]) -> list[Any]:
    """Three, each of its own trace."""
    return [record(headers) for headers in RECORDS]


@pytest.mark.req(33, 43)
def test_batch_gives_each_record_its_context(records: list[Any]) -> None:
    """Ids and trace are the record's own, current within its block and nowhere else, and its ledger closes with it."""
    seen = []
    with pennon.kafka.batch(records, CONTRACT, boundary=mesh()) as found:
        for record, handling in found:
            assert None is ambient.current()
            with handling as context:
                assert context is ambient.current()
                seen.append((record, context.request_id, context.trace.trace_id))
            assert context.ledger.is_sealed
    expected = [(each, f"req-{number}", str(number) * 32) for number, each in zip((1, 2, 3), records, strict=True)]
    assert expected == seen
    assert 3 == len(found)


@pytest.mark.req(33)
def test_batch_is_one_span_linked_to_every_producer(records: list[Any], spans: InMemorySpanExporter) -> None:
    """By the semantic conventions: how many records, of which topic, and whose; no span of each."""
    with pennon.kafka.batch(records, CONTRACT, boundary=mesh(), group="feed-readers") as found:
        for _, handling in found:
            with handling as context:
                traced = context.trace.trace_id
    (span,) = spans.get_finished_spans()
    assert ("process posts", "CONSUMER", None) == (span.name, span.kind.name, span.parent)
    assert TRACES == [link.context.trace_id for link in span.links]
    assert f"{span.context.trace_id:032x}" == traced
    assert {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "posts",
        "messaging.destination.partition.id": "3",
        "messaging.consumer.group.name": "feed-readers",
        "messaging.batch.message_count": 3,
    } == dict(span.attributes or {})


def test_batch_of_several_topics_names_none(record: Callable[..., Any], spans: InMemorySpanExporter) -> None:
    """getmany() gives records by partition, of all topics at once."""
    other = record(RECORDS[1])
    if callable(other.topic):
        other.topic = lambda: "likes"
    else:
        other.topic = "likes"
    with pennon.kafka.batch({"posts-3": [record(RECORDS[0])], "likes-3": [other]}, CONTRACT, boundary=mesh()) as found:
        assert 2 == len(found)
    (span,) = spans.get_finished_spans()
    assert "process" == span.name
    assert not {"messaging.destination.name", "messaging.destination.partition.id"} & {*(span.attributes or {})}
    assert TRACES[:2] == [link.context.trace_id for link in span.links]


def test_batch_links_nothing_for_what_is_no_trace(record: Callable[..., Any], spans: InMemorySpanExporter) -> None:
    """Missing, broken, doubled: the record is handled, and the others are linked."""
    double = [*RECORDS[0], *RECORDS[1]]
    headers = [None, [("traceparent", b"\xff")], double, [("TraceParent", RECORDS[2][0][1])], [("traceparent", None)]]
    with pennon.kafka.batch([record(each) for each in headers], CONTRACT, boundary=public()) as found:
        for _, handling in found:
            with handling:
                pass
    (span,) = spans.get_finished_spans()
    assert TRACES[2:] == [link.context.trace_id for link in span.links]
    assert 5 == (span.attributes or {})["messaging.batch.message_count"]


@pytest.mark.parametrize("nothing", [[], {}, {"posts-3": []}])
def test_empty_batch_makes_no_span(nothing: Any, spans: InMemorySpanExporter) -> None:
    """A loop that polls an idle topic would make thousands."""
    with pennon.kafka.batch(nothing, CONTRACT, boundary=mesh()) as found:
        assert [] == list(found)
    assert () == spans.get_finished_spans()


def test_batch_keeps_errors_apart(confluent_record: Callable[..., Any]) -> None:
    """consume() returns them among the records; they are nobody's to handle as one."""
    good, bad = confluent_record(RECORDS[0]), confluent_record(AssertionError("an error has no headers"))
    bad.error = lambda: "broker down"
    with pennon.kafka.batch([bad, good], CONTRACT, boundary=mesh()) as found:
        assert ([good], (bad,)) == ([record for record, _ in found], found.failed)


def test_batch_whose_handler_fails_says_so(records: list[Any], spans: InMemorySpanExporter) -> None:
    """The failure is the caller's to see, the span's too, and no context is left behind."""
    batch = pennon.kafka.batch(records, CONTRACT, boundary=mesh())
    with pytest.raises(ZeroDivisionError), batch as found, next(iter(found))[1]:
        raise ZeroDivisionError
    (span,) = spans.get_finished_spans()
    assert "ZeroDivisionError" == (span.attributes or {})["error.type"]
    assert None is ambient.current()


@pytest.mark.req(93)
def test_records_of_a_batch_can_be_handled_at_once(records: list[Any]) -> None:
    """Each in a task, which sees its own record's context all along."""

    async def handle(handling: pennon.kafka.Handling) -> tuple[str, str]:
        with handling as context:
            await asyncio.sleep(0)
            here = ambient.current()
            assert here is not None
            return context.request_id, here.request_id

    async def handled() -> list[tuple[str, str]]:
        with pennon.kafka.batch(records, CONTRACT, boundary=mesh()) as found:
            return await asyncio.gather(*(handle(handling) for _, handling in found))

    assert [(f"req-{number}", f"req-{number}") for number in (1, 2, 3)] == asyncio.run(handled())


def test_batch_asks_its_boundary_when_a_record_is_handled(records: list[Any]) -> None:
    """A batch that is given up half-way has asked about no more than was handled."""
    asked = []

    def verify(inbound: Any) -> bool:
        asked.append(inbound.source)
        return True

    with pennon.kafka.batch(records, CONTRACT, boundary=mesh(verify=verify)) as found:
        record, handling = next(iter(found))
        assert [] == asked
        with handling:
            pass
    assert [record] == asked
