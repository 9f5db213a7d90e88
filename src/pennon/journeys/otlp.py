"""OTLP/HTTP's bodies, in both encodings and the usual compressions, and its answers (OTLP 1.7, "OTLP/HTTP").

JSON differs from protobuf's own JSON in its ids, which are hex digits instead of base64.
"""

import base64
import re
import zlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships none
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

# zlib's window bits. HTTP's "deflate" is zlib's format (RFC 9110 §8.4.1.2).
CODINGS: Final = {"gzip": 31, "deflate": 15}

# Messages of OTLP are about eight deep; attribute values may nest.
_NESTING_LIMIT_COUNT: Final = 48

_ID_DIGITS: Final = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
_HEX: Final = re.compile(r"[0-9a-fA-F]+")

# google.rpc.Code.
INVALID_ARGUMENT: Final = 3
RESOURCE_EXHAUSTED: Final = 8


class Unreadable(Exception):
    """The body is not what its headers say; the message says why."""


class TooLong(Exception):
    """Unpacked, the body is over the limit."""


def unpacked(body: bytes, coding: str, *, limit_bytes: int) -> bytes:
    """The body without its content coding. Raises: TooLong before more than the limit is held; Unreadable."""
    unpacker = zlib.decompressobj(CODINGS[coding])
    try:
        content = unpacker.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise Unreadable(f"the body is not {coding}: {error}") from error
    if len(content) > limit_bytes:
        raise TooLong
    if not unpacker.eof or unpacker.unused_data:
        raise Unreadable(f"the body is not one whole {coding} stream")
    return content


def decode(body: bytes, media_type: str) -> ExportTraceServiceRequest:
    """The request in a body. Raises: Unreadable."""
    if media_type == JSON:
        return _of_json(body)
    try:
        return ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise Unreadable(f"the body is not an ExportTraceServiceRequest: {error}") from error


def receipt(media_type: str, *, rejected_count: int, why: str) -> bytes:
    """The answer to what was taken, in whole or in part."""
    response = ExportTraceServiceResponse()
    if rejected_count:
        response.partial_success.rejected_spans = rejected_count
        response.partial_success.error_message = why
    return _encoded(response, media_type)


def refusal(media_type: str, code: int, message: str) -> bytes:
    """The answer to what was refused: a Status, in the encoding of the request."""
    return _encoded(Status(code=code, message=message), media_type)


def _encoded(message: Message, media_type: str) -> bytes:
    return MessageToJson(message, indent=None).encode() if media_type == JSON else message.SerializeToString()


def _of_json(body: bytes) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
        for span in _spans_in(document):
            _translate_ids(span)
        ParseDict(document, request, ignore_unknown_fields=True, max_recursion_depth=_NESTING_LIMIT_COUNT)
    except (msgspec.MsgspecError, ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"the body is not an ExportTraceServiceRequest in JSON: {str(error)[:200]}") from error
    return request


def _spans_in(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for part in document.get("resourceSpans") or ():
        for scope in part.get("scopeSpans") or ():
            yield from scope.get("spans") or ()


def _translate_ids(span: dict[str, Any]) -> None:
    # Links are not shown, and their ids would need the same.
    span.pop("links", None)
    for name, digits in _ID_DIGITS.items():
        if (sent := span.pop(name, None)) is None:
            continue
        # One that is none is left out, so that this span alone is rejected.
        if isinstance(sent, str) and len(sent) == digits and _HEX.fullmatch(sent):
            span[name] = base64.b64encode(bytes.fromhex(sent)).decode()
