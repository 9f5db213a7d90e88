"""The consumer's door: a handler gets its context, whatever the record's headers hold."""

from typing import Any

import pytest
from confluent_kafka import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import pennon.kafka
from pennon import ambient, counters
from pennon.context import Entry, Identity, Member, RequestContext
from pennon.headers import Contract, Downstream, Inbound, mesh, public

CONTRACT = Contract("feed", version="1", owner="feed-team", downstreams=(Downstream("posts", topic="posts"),))
TRACEPARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def carried(wrapped: Any, context: RequestContext) -> list[tuple[str, bytes | None]]:
    """The headers of a record that was produced within a request that had decided something."""
    with ambient.entered(context):
        pennon.kafka.producer(wrapped, CONTRACT).produce("posts", b"hello")
    found: list[tuple[str, bytes | None]] = wrapped.headers
    return found


def entries_of(context: RequestContext) -> tuple[Entry, ...]:
    """Everything that arrived."""
    return tuple(entry for entries in context.ledger.arrived.values() for entry in entries)


def counted(name: counters.Count, cause: str) -> int:
    """How often, so far."""
    return sum(sample.total for sample in counters.samples() if (sample.name, sample.cause) == (name, cause))


def test_process_gives_the_handler_what_was_carried(record: Any, carried: Any) -> None:
    """Trace, ids, baggage and decision come out as they went in."""
    with pennon.kafka.process(record(carried), CONTRACT, boundary=mesh()) as context:
        assert context is ambient.current()
    assert "4bf92f3577b34da6a3ce929d0e0e4736" == context.trace.trace_id
    assert "00f067aa0ba902b7" == context.trace.parent_span_id
    assert "req-1" == context.request_id
    assert "corr-1" == context.correlation_id
    assert (Member("tier", "gold"),) == context.baggage
    (entry,) = entries_of(context)
    assert (0x1122334455, 1_000, 0x010203, 2, 41) == (
        entry.environment,
        entry.epoch,
        entry.flag_id,
        entry.variant_id,
        entry.revision,
    )


def test_process_seals_the_ledger_at_its_end(record: Any, carried: Any) -> None:
    """What a task begun in the block decides later goes nowhere, and the context is gone."""
    with pennon.kafka.process(record(carried), CONTRACT, boundary=mesh()) as context:
        within = context.ledger.is_sealed
    assert (False, True) == (within, context.ledger.is_sealed)
    assert None is ambient.current()


@pytest.mark.req(14)
def test_process_at_a_public_boundary_believes_nobody(record: Any, carried: Any) -> None:
    """The same headers from a topic that strangers write to: a new trace and request id, and no decision."""
    with pennon.kafka.process(record(carried), CONTRACT, boundary=public()) as context:
        pass
    assert "4bf92f3577b34da6a3ce929d0e0e4736" != context.trace.trace_id
    assert "req-1" != context.request_id
    assert () == entries_of(context)


@pytest.mark.req(14, 69)
def test_process_asks_a_verifier_with_the_record(record: Any, carried: Any) -> None:
    """`verify` sees topic, headers and the record itself; a record that it refuses is a stranger's."""
    asked: list[Inbound] = []

    def verify(inbound: Inbound) -> bool:
        asked.append(inbound)
        return False

    def identity(_: Inbound) -> Identity:
        raise AssertionError("asked for the identity behind a record that was not believed")

    given_record = record(carried)
    with pennon.kafka.process(given_record, CONTRACT, boundary=mesh(verify=verify, identity=identity)) as context:
        assert () == entries_of(context)
    (inbound,) = asked
    assert given_record is inbound.source
    assert "posts" == inbound.topic
    assert TRACEPARENT.decode() == inbound.header("Traceparent")


@pytest.mark.parametrize("boundary", [mesh, public])
def test_process_takes_the_identity_from_the_boundary(boundary: Any, record: Any) -> None:
    """Whose work the record is, is said by the boundary's callable."""
    at = boundary(identity=lambda inbound: Identity(actor=inbound.header("x-author"), units={"user": "7"}))
    with pennon.kafka.process(record([("X-Author", b"ada")]), CONTRACT, boundary=at) as context:
        assert Identity(actor="ada", units={"user": "7"}) == context.identity


def test_process_marks_a_replay(record: Any, carried: Any) -> None:
    """A record that is processed again on purpose says so to whoever would count an exposure."""
    with pennon.kafka.process(record(carried), CONTRACT, boundary=mesh(), replay=True) as context:
        assert context.is_replay


def test_process_passes_the_handlers_error_on(record: Any) -> None:
    """The handler's failure is the caller's to see, and the context is gone after it."""
    with pytest.raises(ZeroDivisionError), pennon.kafka.process(record(None), CONTRACT, boundary=mesh()):
        raise ZeroDivisionError
    assert None is ambient.current()


def test_process_of_a_record_whose_names_are_not_text_gives_up_its_headers(confluent_record: Any) -> None:
    """confluent-kafka raises for such a name, and its half-made list must never be touched: it is replaced."""
    broken = confluent_record(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"))
    before = counted(counters.Count.HEADERS_DROPPED, "record_header_names_not_utf8")
    with pennon.kafka.process(broken, CONTRACT, boundary=mesh()) as context:
        assert [] == broken.headers()
    assert None is context.trace.parent_span_id
    assert before + 1 == counted(counters.Count.HEADERS_DROPPED, "record_header_names_not_utf8")


def test_process_counts_a_broken_decision(record: Any) -> None:
    """A group that does not decode is dropped and counted, the handler runs."""
    before = sum(sample.total for sample in counters.samples() if sample.name is counters.Count.CARRY_GROUPS_DROPPED)
    with pennon.kafka.process(record([("baggage", b"pennon=AAAA")]), CONTRACT, boundary=mesh()) as context:
        assert () == entries_of(context)
    assert before + 1 == sum(
        sample.total for sample in counters.samples() if sample.name is counters.Count.CARRY_GROUPS_DROPPED
    )


def test_process_of_a_real_message_without_headers_begins_a_trace() -> None:
    """confluent-kafka's own Message, empty as its constructor makes it."""
    with pennon.kafka.process(Message(), CONTRACT, boundary=mesh()) as context:
        assert 32 == len(context.trace.trace_id)
        assert None is context.trace.parent_span_id


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.none()
    | st.lists(
        st.tuples(
            st.sampled_from(["traceparent", "tracestate", "baggage", "x-request-id", "X-Correlation-Id", "pennon-x"])
            | st.text(max_size=6)
            | st.just("\udcff"),
            st.none()
            | st.binary(max_size=64)
            | st.sampled_from([TRACEPARENT, TRACEPARENT + b"\n", b"pennon=AAAA", b"\xff" * 300, b"," * 9_000]),
        ),
        max_size=12,
    ),
    st.sampled_from([mesh, public]),
)
def test_process_raises_nothing_for_any_headers(record: Any, headers: Any, boundary: Any) -> None:
    """No bytes that a record can hold keep its handler from running."""
    has_run = False
    with pennon.kafka.process(record(headers), CONTRACT, boundary=boundary()):
        has_run = True
    assert has_run


@pytest.mark.req(33)
def test_process_makes_a_span_below_the_producers(record: Any, carried: Any, spans: InMemorySpanExporter) -> None:
    """With the SDK set up, the CONSUMER span's parent is the span in the record, and the context stands at it."""
    with pennon.kafka.process(record(carried), CONTRACT, boundary=mesh()) as context:
        pass
    span = spans.get_finished_spans()[-1]
    assert "process posts" == span.name
    assert span.parent is not None
    assert TRACEPARENT.decode().split("-")[1:3] == [f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}"]
    assert f"{span.context.span_id:016x}" == context.trace.span_id
    assert "00f067aa0ba902b7" == context.trace.parent_span_id
    assert span.attributes is not None
    assert 41 == span.attributes["messaging.kafka.offset"]
    assert "3" == span.attributes["messaging.destination.partition.id"]


def test_process_links_a_strangers_span(record: Any, carried: Any, spans: InMemorySpanExporter) -> None:
    """At a public boundary the trace begins anew; the producer's span is linked, not obeyed."""
    with pennon.kafka.process(record(carried), CONTRACT, boundary=public()):
        pass
    span = spans.get_finished_spans()[-1]
    assert None is span.parent
    assert [0x4BF92F3577B34DA6A3CE929D0E0E4736] == [link.context.trace_id for link in span.links]
