"""CloudEvents on records: what `pennon.headers.cloudevents` reads and writes, as the libraries take it."""

from typing import Any

from msgspec import structs

from pennon import ambient, otel
from pennon.headers import format_traceparent
from pennon.headers.cloudevents import CloudEvent, ReadEvent, event_headers, parse_event
from pennon.kafka.carrier import PlainRecord, Record, headers_of


def event_of(record: Record | PlainRecord) -> ReadEvent:
    """The record as an event, in binary mode; what is none, or is in structured mode, says so. Nothing is raised."""
    value = record.value() if callable(record.topic) else record.value
    return parse_event(headers_of(record), value)


def event_record(event: CloudEvent, *, begins_trace: bool = False) -> dict[str, Any]:
    """`value` and `headers` of a record that is this event, for produce(), send() or send_and_wait().

        producer.produce("orders.placed", key=order_id, **event_record(event))

    The key is the caller's. begins_trace: the trace under way here is the one in which the event began, and it says so
    from now on (`ce_traceparent`), unless it says another already.
    Raises: ValueError for what could not be read again.
    """
    if begins_trace:
        event = _begun_here(event)
    return {"value": event.data, "headers": [(name.decode(), value) for name, value in event_headers(event)]}


def _begun_here(event: CloudEvent) -> CloudEvent:
    context = ambient.current()
    here = otel.current_trace() or (None if context is None else context.trace)
    if here is None or "traceparent" in dict(event.extensions):
        return event
    said = format_traceparent(here.trace_id, here.span_id, here.flags).decode()
    return structs.replace(event, extensions=(*event.extensions, ("traceparent", said)))
