"""Bodies in both encodings, honest and hostile."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from pennon.journeys import otlp
from pennon.journeys.hops import Hop
from pennon.journeys.otlp import JSON, PROTOBUF, TooLong, Unreadable, decode, unpacked
from pennon.journeys.spans import hops_of

SAMPLE = Path(__file__).parent / "sample_trace.json"
SPAN = {"traceId": "1" * 32, "spanId": "1" * 16, "name": "s", "startTimeUnixNano": "1"}


def json_of(*spans: Any) -> bytes:
    """A request in JSON."""
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def test_sample_is_the_same_in_both_encodings() -> None:
    """Every hop, to the last attribute."""
    of_json = decode(SAMPLE.read_bytes(), JSON)
    of_protobuf = decode(of_json.SerializeToString(), PROTOBUF)
    hops = list(hops_of(of_protobuf))
    assert 6 == len(hops)
    assert hops == list(hops_of(decode(SAMPLE.read_bytes(), JSON)))


def test_json_ids_are_hex_digits_of_either_case() -> None:
    """Not base64, which protobuf's own JSON would read."""
    span = {**SPAN, "traceId": "AB" * 16, "spanId": "cd" * 8, "parentSpanId": "EF" * 8}
    [hop] = hops_of(decode(json_of(span), JSON))
    assert isinstance(hop, Hop)
    assert ("ab" * 16, "cd" * 8, "ef" * 8) == (hop.trace_id, hop.span_id, hop.parent_span_id)


@pytest.mark.parametrize("begin", ["1795267082000000000", 1795267082000000000])
@pytest.mark.parametrize("kind", [2, "SPAN_KIND_SERVER"])
def test_json_numbers_and_enums_come_in_two_spellings(begin: object, kind: object) -> None:
    """OTLP says to take 64-bit integers as text or number; names of enums are taken although OTLP has none."""
    [hop] = hops_of(decode(json_of({**SPAN, "startTimeUnixNano": begin, "kind": kind}), JSON))
    assert isinstance(hop, Hop)
    assert 1795267082000000000 == hop.began_ns


def test_json_with_unknown_members_is_read() -> None:
    """A newer sender says more."""
    [hop] = hops_of(decode(json_of({**SPAN, "later": {"x": [1]}, "links": [{"traceId": "zz"}]}), JSON))
    assert isinstance(hop, Hop)


@pytest.mark.parametrize("broken", [{"traceId": "zz" * 16}, {"traceId": 7}, {"spanId": "1" * 15}, {"spanId": None}])
def test_json_span_with_a_broken_id_is_rejected_alone(broken: dict[str, object]) -> None:
    """The others of its request are taken."""
    rejected, taken = hops_of(decode(json_of({**SPAN, **broken}, SPAN), JSON))
    assert isinstance(rejected, str)
    assert isinstance(taken, Hop)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{",
        b'{"resourceSpans": 1}',
        b'{"resourceSpans": [1]}',
        b'{"resourceSpans": [[]]}',
        b'{"resourceSpans": {"a": 1}}',
        b'{"resourceSpans": [{"scopeSpans": "text"}]}',
        json_of("text"),
        json_of({**SPAN, "startTimeUnixNano": "yesterday"}),
        json_of({**SPAN, "startTimeUnixNano": -1}),
        json_of({**SPAN, "startTimeUnixNano": 2**64}),
        json_of({**SPAN, "name": 7}),
        json_of({**SPAN, "attributes": {"a": 1}}),
        json_of({**SPAN, "attributes": [{"key": "a", "value": {"stringValue": "\ud800"}}]}),
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_body_that_is_no_request_in_json_is_refused(body: bytes) -> None:
    """With words, never with an exception of a library."""
    with pytest.raises(Unreadable, match="not an ExportTraceServiceRequest in JSON"):
        decode(body, JSON)


def nested(depth: int) -> dict[str, Any]:
    """An attribute value of lists in lists."""
    value: dict[str, Any] = {"stringValue": "inmost"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


@pytest.mark.parametrize("depth", [40, 300, 5_000])
def test_nesting_is_bounded_in_both_encodings(depth: int) -> None:
    """A body that is deeper than any reader's stack is refused, whoever wrote it."""
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"a","value":'
    body += b'{"arrayValue":{"values":[' * depth + b'{"stringValue":"x"}' + b"]}}" * depth + b"}]}]}]}]}"
    with pytest.raises(Unreadable):
        decode(body, JSON)
    content = b"\x0a\x01x"
    for _ in range(depth + 60):
        content = _field(1, _field(5, content))
    with pytest.raises(Unreadable):
        decode(_field(1, _field(2, _field(2, _field(9, _field(2, content))))), PROTOBUF)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of protobuf."""
    size, length = len(content), bytearray()
    while size >= 0x80:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"\x0a\x7f", b"not protobuf at all", SAMPLE.read_bytes()])
def test_body_that_is_no_request_in_protobuf_is_refused(body: bytes) -> None:
    """Also JSON under protobuf's name."""
    with pytest.raises(Unreadable, match="not an ExportTraceServiceRequest"):
        decode(body, PROTOBUF)


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_body_is_unpacked_up_to_its_limit(coding: str, pack: Any) -> None:
    """The limit itself is let through; a byte more is not, and is not held either."""
    assert b"x" * 1_000 == unpacked(pack(b"x" * 1_000), coding, limit_bytes=1_000)
    with pytest.raises(TooLong):
        unpacked(pack(b"x" * 1_001), coding, limit_bytes=1_000)


@pytest.mark.parametrize(
    "body", [b"", b"plain", gzip.compress(b"x" * 100)[:-9], gzip.compress(b"x") + b"more", zlib.compress(b"x")]
)
def test_body_that_is_not_packed_as_said_is_refused(body: bytes) -> None:
    """Cut, followed by something, or another coding."""
    with pytest.raises(Unreadable, match="gzip"):
        unpacked(body, "gzip", limit_bytes=1_000)


def test_receipt_of_all_says_nothing_more() -> None:
    """An empty message, as OTLP asks for."""
    assert b"" == otlp.receipt(PROTOBUF, rejected_count=0, why="")
    assert b"{}" == otlp.receipt(JSON, rejected_count=0, why="")


def test_receipt_of_a_part_says_how_many_and_why() -> None:
    """In the encoding of the request."""
    packed = ExportTraceServiceResponse.FromString(otlp.receipt(PROTOBUF, rejected_count=3, why="too many"))
    read = ParseDict(json.loads(otlp.receipt(JSON, rejected_count=3, why="too many")), ExportTraceServiceResponse())
    assert packed == read
    assert (3, "too many") == (packed.partial_success.rejected_spans, packed.partial_success.error_message)


def test_refusal_is_a_status() -> None:
    """What OTLP's exporters log."""
    assert Status(code=3, message="no") == Status.FromString(otlp.refusal(PROTOBUF, 3, "no"))
    assert {"code": 3, "message": "no"} == json.loads(otlp.refusal(JSON, 3, "no"))
