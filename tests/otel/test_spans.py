"""Spans of the doors, on a recording SDK and without one."""

import asyncio

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from pennon import otel
from pennon.ambient import entered
from pennon.context import (
    Answer,
    Decision,
    Environment,
    ErrorCode,
    Identity,
    Ledger,
    Origin,
    Reason,
    RequestContext,
    RequestId,
    Scope,
    SpanId,
    Trace,
    TraceId,
)
from pennon.headers import Drop, DropReason, Report

ARRIVED = Trace(TraceId("a" * 32), SpanId("b" * 16), SpanId("c" * 16), 1, "vendor=1")
BEGUN = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 3, "")
STRANGER = Trace(TraceId("d" * 32), SpanId("e" * 16), None, 1, "")


def one(spans: InMemorySpanExporter) -> ReadableSpan:
    """The only span there is."""
    [span] = spans.get_finished_spans()
    return span


def ids(span: ReadableSpan) -> tuple[str, str]:
    """Trace id and span id."""
    where = span.get_span_context()
    assert where is not None
    return trace.format_trace_id(where.trace_id), trace.format_span_id(where.span_id)


@pytest.mark.req(33, 116)
def test_server_span_continues_the_trace_that_arrived(spans: InMemorySpanExporter) -> None:
    """The caller's span is the parent, the tracestate is kept, and the trace to hand on is the span's own."""
    with otel.server_span("GET", path="/posts/7", scheme="http", trace=ARRIVED) as span:
        handed_on = span.trace

    ended = one(spans)
    assert ("GET", SpanKind.SERVER) == (ended.name, ended.kind)
    assert ended.parent is not None
    assert "c" * 16 == trace.format_span_id(ended.parent.span_id)
    assert handed_on is not None
    assert ids(ended) == (handed_on.trace_id, handed_on.span_id)
    assert ("a" * 32, "vendor=1") == (handed_on.trace_id, handed_on.state)
    assert {"http.request.method": "GET", "url.path": "/posts/7", "url.scheme": "http"} == dict(ended.attributes or {})


def test_server_span_of_a_begun_trace_is_a_root_with_a_link(spans: InMemorySpanExporter) -> None:
    """Where a boundary begins the trace anew, the stranger's span is linked and nothing here is the parent."""
    outer = otel.server_span("GET", path="/", scheme="http", trace=ARRIVED)
    with outer, otel.server_span("GET", path="/", scheme="http", trace=BEGUN, link=STRANGER):
        pass

    begun = spans.get_finished_spans()[0]
    assert begun.parent is None
    [link] = begun.links
    assert "d" * 32 == trace.format_trace_id(link.context.trace_id)


def test_server_span_of_an_invented_method_has_a_bounded_name(spans: InMemorySpanExporter) -> None:
    """A caller cannot make up span names."""
    with otel.server_span("BREW" * 100, path="/", scheme="http", trace=None):
        pass

    attributes = one(spans).attributes or {}
    assert "HTTP" == one(spans).name
    assert "_OTHER" == attributes["http.request.method"]
    assert ("BREW" * 8) == attributes["http.request.method_original"]


@pytest.mark.req(33, 116)
def test_client_span_is_the_child_of_the_span_here(spans: InMemorySpanExporter) -> None:
    """One span per call, under the request's."""
    outer = otel.server_span("GET", path="/", scheme="http", trace=None)
    with outer, otel.client_span("POST", url="http://posts/x", host="posts", port=8001):
        pass

    ended = spans.get_finished_spans()[0]
    assert ("POST", SpanKind.CLIENT) == (ended.name, ended.kind)
    assert ended.parent is not None
    assert outer.trace is not None
    assert outer.trace.span_id == trace.format_span_id(ended.parent.span_id)
    assert ("posts", 8001) == ((ended.attributes or {})["server.address"], (ended.attributes or {})["server.port"])


@pytest.mark.req(33, 116)
def test_messaging_spans_are_named_by_operation_and_destination(spans: InMemorySpanExporter) -> None:
    """`{operation} {destination}`, with the conventions' attributes."""
    with otel.producer_span("posts", partition=3, conversation_id="j-1"):
        pass
    with otel.process_span("posts", trace=ARRIVED, partition=3, offset=41, group="feed", conversation_id="j-1"):
        pass

    sent, processed = spans.get_finished_spans()
    assert [("send posts", SpanKind.PRODUCER), ("process posts", SpanKind.CONSUMER)] == [
        (sent.name, sent.kind),
        (processed.name, processed.kind),
    ]
    assert {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "posts",
        "messaging.destination.partition.id": "3",
        "messaging.message.conversation_id": "j-1",
    } == dict(sent.attributes or {})
    assert {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "posts",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 41,
        "messaging.consumer.group.name": "feed",
        "messaging.message.conversation_id": "j-1",
    } == dict(processed.attributes or {})


@pytest.mark.parametrize("partition", [None, -1])
def test_producer_span_names_no_partition_that_nobody_chose(partition: int | None, spans: InMemorySpanExporter) -> None:
    """confluent-kafka's own word for that is -1."""
    with otel.producer_span("posts", partition=partition):
        pass
    (sent,) = spans.get_finished_spans()
    assert "messaging.destination.partition.id" not in (sent.attributes or {})


def test_process_span_links_a_span_that_is_already_current(spans: InMemorySpanExporter) -> None:
    """The producer's span stays the parent; the poll's is linked."""
    poll = otel.server_span("GET", path="/", scheme="http", trace=None)
    with poll, otel.process_span("posts", trace=ARRIVED):
        pass

    processed = spans.get_finished_spans()[0]
    assert processed.parent is not None
    assert "c" * 16 == trace.format_span_id(processed.parent.span_id)
    assert poll.trace is not None
    assert [poll.trace.span_id] == [trace.format_span_id(link.context.span_id) for link in processed.links]


def test_span_left_by_an_error_is_marked(spans: InMemorySpanExporter) -> None:
    """The class is the error's type, the exception an event; the error goes on."""
    with pytest.raises(ValueError, match="broken"), otel.producer_span("posts"):
        raise ValueError("broken")

    ended = one(spans)
    assert StatusCode.ERROR == ended.status.status_code
    assert "ValueError" == (ended.attributes or {})["error.type"]
    assert ["exception"] == [event.name for event in ended.events]


def test_span_left_by_cancellation_is_not_an_error(spans: InMemorySpanExporter) -> None:
    """A client that hung up is no failure of the operation."""
    with pytest.raises(asyncio.CancelledError), otel.producer_span("posts"):
        raise asyncio.CancelledError

    assert StatusCode.UNSET == one(spans).status.status_code


def test_unsampled_span_still_says_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not sampled is not absent: the next hop must learn that this trace is not recorded."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", TracerProvider(sampler=ALWAYS_OFF))

    with otel.server_span("GET", path="/", scheme="http", trace=None) as span:
        here = span.trace

    assert here is not None
    assert 0 == here.flags & 1


@pytest.mark.req(33, 116)
def test_span_without_an_sdk_is_silent() -> None:
    """With the API alone nothing is made, so that a hop does not hand on a trace that nobody keeps."""
    with otel.server_span("GET", path="/", scheme="http", trace=ARRIVED) as span:
        assert span is otel.SILENT
        assert span.trace is None
        assert otel.current_trace() is None


def test_note_says_names_and_reasons(spans: InMemorySpanExporter) -> None:
    """What a crossing took, added and dropped stands on the span, by name."""
    report = Report(took=("traceparent",), added=("x-request-id",), dropped=(Drop("promo", DropReason.UNKNOWN),))

    with otel.server_span("GET", path="/", scheme="http", trace=None) as span:
        span.note(report)

    attributes = one(spans).attributes or {}
    assert ("traceparent",) == attributes["pennon.headers.took"]
    assert ("x-request-id",) == attributes["pennon.headers.added"]
    assert ("promo",) == attributes["pennon.headers.dropped"]
    assert (DropReason.UNKNOWN.value,) == attributes["pennon.headers.drop_reasons"]


def test_note_of_many_names_is_bounded(spans: InMemorySpanExporter) -> None:
    """A stranger with 5,000 headers does not fill a span."""
    report = Report(took=(), added=(), dropped=tuple(Drop(f"x-{n}", DropReason.UNKNOWN) for n in range(5_000)))

    with otel.server_span("GET", path="/", scheme="http", trace=None):
        otel.note_here(report)

    dropped = (one(spans).attributes or {})["pennon.headers.dropped"]
    assert isinstance(dropped, tuple)
    assert 64 == len(dropped)


def decision_of(reason: Reason) -> Decision:
    """A decision about a flag in production."""
    answer = Answer("checkout", "secret value", "on", 1, reason, Origin.SPLIT, None, 41)
    scope = Scope(Environment(1, "production", "salt"), 7, 2, "user", 0, carry=True, key="1.7.2.0")
    return Decision(answer, scope, "user-7", 0, Origin.SPLIT, 41)


@pytest.mark.parametrize("reason", [Reason.SPLIT, Reason.CARRIED, Reason.KILLED])
def test_record_decision_is_an_event_in_lower_case(spans: InMemorySpanExporter, reason: Reason) -> None:
    """Key, variant, reason and version by the conventions; neither the value nor the unit."""
    with otel.server_span("GET", path="/", scheme="http", trace=None):
        otel.record_decision(decision_of(reason))

    [event] = one(spans).events
    assert "feature_flag.evaluation" == event.name
    assert {
        "feature_flag.key": "checkout",
        "feature_flag.provider.name": "pennon",
        "feature_flag.result.variant": "on",
        "feature_flag.result.reason": reason.value.lower(),
        "feature_flag.set.id": "production",
        "feature_flag.version": "7.41",
    } == dict(event.attributes or {})


@pytest.mark.parametrize(
    ("units", "expected"),
    [({"user": "user-7"}, None), ({"user": "user-8"}, "user"), ({"account": "user-8"}, None), ({}, None)],
)
def test_record_decision_says_that_it_is_about_another(
    spans: InMemorySpanExporter, units: dict[str, str], expected: str | None
) -> None:
    """Only where the request has a unit of that kind, and never whom: a fan-out's decisions are told from its own."""
    request = RequestContext(BEGUN, RequestId("r"), Ledger(), identity=Identity(units=units))
    with otel.server_span("GET", path="/", scheme="http", trace=None), entered(request):
        otel.record_decision(decision_of(Reason.SPLIT))

    [event] = one(spans).events
    assert expected == (event.attributes or {}).get("pennon.unit.other")


def test_record_decision_of_an_error_says_which(spans: InMemorySpanExporter) -> None:
    """OpenFeature's code, lower case, is the error's type; there is no variant."""
    answer = Answer("checkout", None, None, None, Reason.ERROR, None, None, 0, ErrorCode.FLAG_NOT_FOUND)

    with otel.server_span("GET", path="/", scheme="http", trace=None):
        otel.record_decision(answer)

    [event] = one(spans).events
    assert "flag_not_found" == (event.attributes or {})["error.type"]
    assert "feature_flag.result.variant" not in (event.attributes or {})


def test_record_decision_outside_a_span_does_nothing() -> None:
    """No span, no event, no error."""
    otel.record_decision(decision_of(Reason.SPLIT))


@pytest.mark.parametrize("is_silenced", [False, True])
def test_outbound_hides_the_baggage_and_brings_it_back(is_silenced: bool) -> None:
    """Whatever injects inside finds no baggage; after the call it is there as before."""
    from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled

    token = context.attach(baggage.set_baggage("promo", "a b"))
    try:
        with otel.outbound(is_silenced=is_silenced):
            assert {} == dict(baggage.get_all())
            assert is_silenced is not is_http_instrumentation_enabled()
        assert [("promo", "a b")] == [(member.key, member.value) for member in otel.current_baggage()]
        assert is_http_instrumentation_enabled()
    finally:
        context.detach(token)
