"""OTLP's spans as hops: pure, bounded, and total: whatever a span holds, it becomes a hop or a reason why not.

1. A span without a trace id, a span id or a beginning is no hop. All else may be missing.
2. A span is kept as it came, unless it is large: then with its first attributes and events, long texts cut.
3. Bytes are counted as they are kept, so that a trace's share of the memory is known exactly.
"""

from collections.abc import Iterator, MutableSequence
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from pennon.journeys import hops
from pennon.journeys.hops import NAME_LIMIT_CHARACTERS, Hop

# A span of ours is 0.6 to 1.5 kB. Higher: a page of one journey grows over what a phone should load.
SPAN_LIMIT_BYTES: Final = 8 * 1024
# What is kept of a larger one; OpenTelemetry's SDKs stop at 128 attributes and 128 events.
ATTRIBUTES_LIMIT_COUNT: Final = 64
EVENTS_LIMIT_COUNT: Final = 32
EVENT_ATTRIBUTES_LIMIT_COUNT: Final = 8
# So that 64 of them fit; a text that is cut ends with an ellipsis.
TEXT_LIMIT_CHARACTERS: Final = 64

UNKNOWN_SERVICE: Final = "unknown_service"

# Of the message's field, a uint32.
_COUNT_LIMIT: Final = 2**32 - 1

_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
_GLANCED: Final = frozenset({hops.USER, hops.REQUEST_ID, hops.CORRELATION_ID, hops.CONVERSATION_ID})


def hops_of(request: ExportTraceServiceRequest) -> Iterator[Hop | str]:
    """Every span of a request as a hop, or why it is none; in the order sent."""
    for part in request.resource_spans:
        service = _service_of(part.resource)
        for scope in part.scope_spans:
            for span in scope.spans:
                yield hop_of(span, service)


def hop_of(span: Span, service: str) -> Hop | str:
    """The hop, or what the span lacks."""
    trace_id, span_id, parent = span.trace_id, span.span_id, span.parent_span_id
    if len(trace_id) != _TRACE_ID_BYTES or not any(trace_id):
        return "trace_id: must be 16 bytes, not all zero"
    if len(span_id) != _SPAN_ID_BYTES or not any(span_id):
        return "span_id: must be 8 bytes, not all zero"
    if not span.start_time_unix_nano:
        return "start_time_unix_nano: must be set"
    found = {pair.key: _text(pair.value) for pair in span.attributes if pair.key in _GLANCED}
    kept = _kept(span)
    return Hop(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_span_id=parent.hex() if len(parent) == _SPAN_ID_BYTES and any(parent) else None,
        service=service,
        began_ns=span.start_time_unix_nano,
        ended_ns=max(span.end_time_unix_nano, span.start_time_unix_nano),
        is_error=span.status.code == Status.STATUS_CODE_ERROR,
        user=found.get(hops.USER),
        request_id=found.get(hops.REQUEST_ID),
        correlation_id=found.get(hops.CORRELATION_ID) or found.get(hops.CONVERSATION_ID),
        is_deciding=len(span.events) > 0,
        span=kept,
    )


def _service_of(resource: Resource) -> str:
    named = (pair.value.string_value for pair in resource.attributes if pair.key == "service.name")
    return next(named, "")[:NAME_LIMIT_CHARACTERS] or UNKNOWN_SERVICE


def _text(value: AnyValue) -> str | None:
    """A text, or an integer as text; anything else is no name."""
    if text := value.string_value:
        return text[:NAME_LIMIT_CHARACTERS]
    return str(value.int_value) if value.HasField("int_value") else None


def _kept(span: Span) -> bytes:
    """The span's bytes without what is never shown: links, and events that are no evaluations."""
    span.ClearField("links")
    span.ClearField("trace_state")
    if span.events:
        evaluations = [event for event in span.events if event.name == hops.EVALUATION]
        kept = evaluations[:EVENTS_LIMIT_COUNT]
        # Who counts decisions must know that some are missing.
        span.dropped_events_count = min(span.dropped_events_count + len(evaluations) - len(kept), _COUNT_LIMIT)
        if len(kept) < len(span.events):
            del span.events[:]
            span.events.extend(kept)
    content = span.SerializeToString()
    if len(content) <= SPAN_LIMIT_BYTES:
        return content
    _cut(span)
    return span.SerializeToString()


def _cut(span: Span) -> None:
    span.name = _shortened(span.name)
    span.status.message = _shortened(span.status.message)
    for event in span.events:
        _cut_attributes(event.attributes, EVENT_ATTRIBUTES_LIMIT_COUNT)
    _cut_attributes(span.attributes, ATTRIBUTES_LIMIT_COUNT)


def _cut_attributes(attributes: MutableSequence[KeyValue], limit_count: int) -> None:
    del attributes[limit_count:]
    for pair in attributes:
        pair.key = _shortened(pair.key)
        if pair.value.HasField("string_value"):
            pair.value.string_value = _shortened(pair.value.string_value)
        elif pair.ByteSize() > 2 * TEXT_LIMIT_CHARACTERS:
            pair.value.string_value = "…"


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT_CHARACTERS else text[:TEXT_LIMIT_CHARACTERS] + "…"
