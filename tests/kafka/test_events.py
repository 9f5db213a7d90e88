"""CloudEvents on records: both libraries' records are read, and what is written goes beside our headers."""

from collections.abc import Callable
from typing import Any

import pytest

import pennon.kafka
from pennon import ambient
from pennon.context import RequestContext
from pennon.headers import Contract, Downstream, mesh
from pennon.headers.cloudevents import CloudEvent, EventMode

CONTRACT = Contract("orders", version="1", owner="orders-team", downstreams=[Downstream("posts", topic="posts")])
EVENT = CloudEvent(
    id="1", source="/orders", type="order.placed", datacontenttype="application/json", data=b'{"total": 7}'
)


def as_read(record: Callable[..., Any], headers: list[Any], value: bytes | None) -> Any:
    """A record of these headers and this value, of either library."""
    made = record(headers)
    if callable(made.topic):
        made.value = lambda: value
    else:
        made.value = value
    return made


def test_event_goes_beside_the_request_s_context(wrapped: Any, record: Any, context: RequestContext) -> None:
    """One record holds both: the event for whoever reads events, the context for whoever handles the record."""
    with ambient.entered(context):
        pennon.kafka.producer(wrapped, CONTRACT).produce("posts", **pennon.kafka.event_record(EVENT))
    ((_, named),) = wrapped.sent
    read = as_read(record, wrapped.headers, named["value"])
    found = pennon.kafka.event_of(read)
    assert (EventMode.BINARY, EVENT, ()) == (found.mode, found.event, found.dropped)
    with pennon.kafka.process(read, CONTRACT, boundary=mesh()) as handled:
        assert context.trace.trace_id == handled.trace.trace_id
        assert handled.ledger.arrived


def test_event_keeps_the_trace_in_which_it_began(wrapped: Any, record: Any, context: RequestContext) -> None:
    """The record's own traceparent is each hop's; `ce_traceparent` stays the first one's, however often it is moved."""
    producer = pennon.kafka.producer(wrapped, CONTRACT)
    with ambient.entered(context):
        producer.produce("posts", **pennon.kafka.event_record(EVENT, begins_trace=True))
    moved = as_read(record, wrapped.headers, EVENT.data)
    wrapped.sent.clear()
    with pennon.kafka.process(moved, CONTRACT, boundary=mesh()) as mover:
        event = pennon.kafka.event_of(moved).event
        assert event is not None
        producer.produce("posts", **pennon.kafka.event_record(event, begins_trace=True))
    sent = dict(wrapped.headers)
    assert b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" == sent["ce_traceparent"]
    assert mover.trace.span_id.encode() in sent["traceparent"]
    assert event.starting_trace is not None
    assert context.trace.span_id == event.starting_trace.parent_id


def test_event_outside_of_any_trace_says_none() -> None:
    """A job without a context begins no trace for its events."""
    assert pennon.kafka.event_record(EVENT) == pennon.kafka.event_record(EVENT, begins_trace=True)


@pytest.mark.parametrize(
    ("headers", "value", "mode"),
    [
        ([("content-type", b"Application/CloudEvents+json; charset=UTF-8")], b"{}", EventMode.STRUCTURED),
        ([("content-type", b"application/json")], b"{}", EventMode.NONE),
        ([], None, EventMode.NONE),
    ],
)
def test_record_that_is_no_binary_event_says_what_it_is(
    headers: list[Any], value: bytes | None, mode: EventMode, record: Any
) -> None:
    """A structured one is left to whoever reads JSON."""
    found = pennon.kafka.event_of(as_read(record, headers, value))
    assert (mode, None) == (found.mode, found.event)


def test_record_without_a_value_is_a_tombstone(record: Any) -> None:
    """It takes away what its key held; an empty value is an event without data."""
    gone = CloudEvent(id="2", source="/orders", type="order.deleted")
    sent = pennon.kafka.event_record(gone)
    assert None is sent["value"]
    found = [pennon.kafka.event_of(as_read(record, sent["headers"], value)).event for value in (None, b"")]
    assert [True, False] == [event is not None and event.is_tombstone for event in found]
