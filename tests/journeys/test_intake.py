"""What exporters send, over a real socket; first of all OpenTelemetry's own."""

import gzip
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from pennon import otel
from pennon.headers import Drop, DropReason, Report
from pennon.journeys import Memory
from pennon.journeys.hops import Hop
from pennon.journeys.intake import BODY_LIMIT_BYTES, SPANS_LIMIT_COUNT
from pennon.journeys.spans import hops_of

MakeSpan = Callable[..., Any]
MakeRequest = Callable[..., ExportTraceServiceRequest]


@pytest.mark.parametrize("compression", list(Compression))
def test_spans_of_an_sdk_become_a_journey(
    journeys: Any, monkeypatch: pytest.MonkeyPatch, compression: Compression
) -> None:
    """The SDK's batch processor and exporter, our spans, events and reports: as they were meant."""
    exporter = OTLPSpanExporter(f"{journeys.url}/v1/traces", compression=compression)
    provider = TracerProvider(resource=Resource({"service.name": "gateway"}))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=200))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    with otel.server_span("GET", path="/", scheme="http", trace=None, extra={"pennon.request_id": "req-1"}) as span:
        span.attribute("enduser.id", "user-7")
        span.note(Report(("traceparent",), (), (Drop("baggage:promo", DropReason.UNKNOWN),)))
        with otel.producer_span("posts", conversation_id="order-4711"):
            trace.get_current_span().add_event(
                "feature_flag.evaluation",
                {"feature_flag.key": "f", "feature_flag.result.variant": "on", "feature_flag.result.reason": "split"},
            )
    provider.shutdown()

    [summary] = journeys.http.get("/api/journeys", params={"q": "user-7"}).json()["items"]
    assert ("req-1", "order-4711", ["gateway"], 2) == tuple(
        summary[name] for name in ("request_id", "correlation_id", "services", "hop_count")
    )
    assert [{"flag": "f", "variant": "on", "reason": "split"}] == summary["decisions"]
    server, producer = journeys.http.get(f"/api/journeys/{summary['trace_id']}").json()["hops"]
    assert {"took": ["traceparent"], "added": [], "dropped": [{"name": "baggage:promo", "reason": "unknown"}]} == (
        server["headers"]
    )
    assert ("server", "producer") == (server["kind"], producer["kind"])
    assert server["span_id"] == producer["parent_span_id"]


def sdk_request(**attributes: Any) -> ExportTraceServiceRequest:
    """What an SDK encodes of one span."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "gateway"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("s", kind=SpanKind.SERVER, attributes=attributes):
        pass
    encoded: ExportTraceServiceRequest = encode_spans(exporter.get_finished_spans())
    return encoded


def test_json_as_other_sdks_write_it_is_the_same_journey(journeys: Any) -> None:
    """JavaScript's exporter speaks JSON: ids in hex, times as texts."""
    request = sdk_request(**{"enduser.id": "user-7", "n": 7, "x": 0.5, "b": True, "l": ["a", "b"]})
    sent = request.resource_spans[0].scope_spans[0].spans[0]
    document = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "gateway"}}]},
                "scopeSpans": [
                    {
                        "scope": {"name": "test"},
                        "spans": [
                            {
                                "traceId": sent.trace_id.hex(),
                                "spanId": sent.span_id.hex(),
                                "parentSpanId": "",
                                "name": "s",
                                "kind": 2,
                                "startTimeUnixNano": str(sent.start_time_unix_nano),
                                "endTimeUnixNano": str(sent.end_time_unix_nano),
                                "attributes": [
                                    {"key": "enduser.id", "value": {"stringValue": "user-7"}},
                                    {"key": "n", "value": {"intValue": "7"}},
                                    {"key": "x", "value": {"doubleValue": 0.5}},
                                    {"key": "b", "value": {"boolValue": True}},
                                    {
                                        "key": "l",
                                        "value": {
                                            "arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}
                                        },
                                    },
                                ],
                                "events": [],
                                "status": {"code": 0},
                                "droppedAttributesCount": 0,
                            }
                        ],
                    }
                ],
            }
        ]
    }
    assert 200 == journeys.send(json.dumps(document).encode(), content_type="application/json").status_code
    of_protobuf = Memory()
    of_protobuf.add((hop for hop in hops_of(request) if isinstance(hop, Hop)), 0)
    trace_id = sent.trace_id.hex()
    assert of_protobuf.waterfall(trace_id) == journeys.http.get(f"/api/journeys/{trace_id}").json()


def test_spans_that_are_none_are_rejected_and_the_others_taken(
    journeys: Any, span: MakeSpan, request_of: MakeRequest
) -> None:
    """Partial success, with how many and why."""
    broken = span(2)
    broken.trace_id = b""
    answer = journeys.send(request_of(span(1), broken, broken, span(3)).SerializeToString())
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (200, 2, True) == (answer.status_code, partial.rejected_spans, partial.error_message.startswith("trace_id"))
    assert 2 == journeys.http.get("/api/journeys").json()["items"][0]["hop_count"]


def test_more_spans_than_are_taken_at_once_are_rejected(journeys: Any, request_of: MakeRequest) -> None:
    """A hundred thousand tiny spans neither fill the memory nor stop the app."""
    request = request_of()
    for number in range(1, 100_001):
        request.resource_spans[0].scope_spans[0].spans.add(
            trace_id=b"1" * 16, span_id=number.to_bytes(8, "big"), start_time_unix_nano=1
        )
    body = gzip.compress(request.SerializeToString(), 1)
    answer = journeys.send(body, content_encoding="gzip")
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (200, 100_000 - SPANS_LIMIT_COUNT) == (answer.status_code, partial.rejected_spans)
    assert f"at most {SPANS_LIMIT_COUNT}" in partial.error_message
    [summary] = journeys.http.get("/api/journeys").json()["items"]
    assert (512, True) == (summary["hop_count"], summary["is_cut"])


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_body_over_the_limit_is_refused_packed_or_not(journeys: Any, coding: str) -> None:
    """Before it is held."""
    body = bytes(BODY_LIMIT_BYTES + 1)
    answer = journeys.send(gzip.compress(body) if coding == "gzip" else body, content_encoding=coding)
    assert 413 == answer.status_code
    assert str(BODY_LIMIT_BYTES) in Status.FromString(answer.content).message


@pytest.mark.parametrize("media_type", ["application/x-protobuf", "application/json; charset=utf-8"])
def test_nonsense_is_refused_in_the_words_of_otlp(journeys: Any, media_type: str) -> None:
    """400 with a Status in the request's encoding, which exporters do not send again."""
    answer = journeys.send(b"\xffnonsense", content_type=media_type)
    assert (400, media_type.partition(";")[0]) == (answer.status_code, answer.headers["content-type"])
    is_json = "json" in media_type
    message = answer.json()["message"] if is_json else Status.FromString(answer.content).message
    assert "ExportTraceServiceRequest" in message


@pytest.mark.parametrize("headers", [{"content_type": "text/plain"}, {"content_type": ""}, {"content_encoding": "br"}])
def test_what_is_not_spoken_here_is_415(journeys: Any, headers: dict[str, str]) -> None:
    """Neither type nor coding is guessed."""
    assert 415 == journeys.send(b"", **headers).status_code


def test_empty_request_is_taken(journeys: Any) -> None:
    """Exporters send one to see whether anybody listens."""
    assert (200, b"") == ((answer := journeys.send(b"")).status_code, answer.content)


@pytest.mark.parametrize("signal", ["metrics", "logs"])
def test_other_signals_have_no_route(journeys: Any, signal: str) -> None:
    """An exporter learns at once that nobody keeps them."""
    assert 404 == journeys.http.post(f"/v1/{signal}", content=b"").status_code


def test_exports_under_way_are_bounded(journeys: Any, span: MakeSpan, request_of: MakeRequest) -> None:
    """Senders that never finish cost others a retry, not the app its memory; when they go, all is as before."""
    url = journeys.http.base_url
    head = b"POST /v1/traces HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-protobuf\r\n"
    stuck = [socket.create_connection((url.host, url.port)) for _ in range(32)]
    for each in stuck:
        each.sendall(head + b"content-length: 100\r\n\r\n" + b"\x0a")
    body = request_of(span(1)).SerializeToString()
    refused = _until(lambda: journeys.send(body), 429)
    assert "1" == refused.headers["retry-after"]
    for each in stuck:
        each.close()
    assert 200 == _until(lambda: journeys.send(body), 200).status_code


def _until(ask: Callable[[], Any], status: int) -> Any:
    """The answer, once it has this status."""
    for _ in range(500):
        answer = ask()
        if answer.status_code == status:
            return answer
    raise AssertionError(f"status is still {answer.status_code}")
