"""The route that OpenTelemetry's exporters send to. For metrics and logs there is none: 404 tells an exporter so.

A body is bounded while it is read and again while it is unpacked; so many at once and no more; and many spans are taken
in slices, so that the page and its events keep turning. Refusals are OTLP's own, a Status in the request's encoding.
"""

import asyncio
from itertools import islice
from typing import Final

from fastapi import APIRouter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pennon.clock import SYSTEM_CLOCK
from pennon.journeys import otlp
from pennon.journeys.gate import Full
from pennon.journeys.hops import Hop
from pennon.journeys.memory import Memory
from pennon.journeys.services import services_of
from pennon.journeys.spans import hops_of
from pennon.web import RETRY_AFTER_S, Lane, read_body
from pennon.web.negotiation import media_type_of

router = APIRouter(tags=["intake"])

# An SDK sends 512 spans at once, about 300 kB. Higher: a hostile body of empty messages becomes gigabytes of objects.
BODY_LIMIT_BYTES: Final = 4 * 1024 * 1024
# Of one request; an SDK's default is 512, a collector's 8,192.
SPANS_LIMIT_COUNT: Final = 10_000
# Bodies being read or taken; beyond it exporters come back later, as OTLP says they should.
REQUESTS_LIMIT_COUNT: Final = 32
# A larger body is decoded in the one thread for it: 4 MiB of hostile JSON take seconds, and 250 MB while they do.
_DECODED_HERE_BYTES: Final = 128 * 1024
# About 3 ms of the event loop's time.
_SLICE_COUNT: Final = 256


@router.post("/v1/traces")
async def take_traces(request: Request) -> Response:
    """Take an ExportTraceServiceRequest; the answer says how many of its spans were rejected, and why."""
    media_type = media_type_of(request, otlp.PROTOBUF, otlp.JSON)
    services = services_of(request)
    try:
        with services.gate.passing():
            sent = await _decoded(await _body_of(request), media_type, services.decoding)
            rejected_count, why = await _take(sent, services.memory)
    except Full:
        return _refused(media_type, 429, "too many exports at once")
    except otlp.Unreadable as error:
        return _refused(media_type, 400, str(error))
    except HTTPException as error:
        return _refused(media_type, error.status_code, error.detail)
    return Response(otlp.receipt(media_type, rejected_count=rejected_count, why=why), media_type=media_type)


async def _body_of(request: Request) -> bytes:
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity" and coding not in otlp.CODINGS:
        # RFC 9110 §12.5.3: in an answer it says what a request may use.
        raise HTTPException(415, f"content-encoding is {coding[:40]!r}, must be {' or '.join(otlp.CODINGS)}")
    body = await read_body(request, limit_bytes=BODY_LIMIT_BYTES)
    if coding == "identity":
        return body
    try:
        return otlp.unpacked(body, coding, limit_bytes=BODY_LIMIT_BYTES)
    except otlp.TooLong:
        raise HTTPException(413, f"unpacked, the body is over the limit of {BODY_LIMIT_BYTES} bytes") from None


async def _decoded(body: bytes, media_type: str, lane: Lane) -> ExportTraceServiceRequest:
    if len(body) <= _DECODED_HERE_BYTES:
        return otlp.decode(body, media_type)
    return await lane.run(lambda: otlp.decode(body, media_type))


async def _take(sent: ExportTraceServiceRequest, memory: Memory) -> tuple[int, str]:
    """How many spans were rejected, and why the first of them was."""
    found = hops_of(sent)
    rejected_count, why = 0, ""
    taken = islice(found, SPANS_LIMIT_COUNT)
    while read := list(islice(taken, _SLICE_COUNT)):
        hops = [hop for hop in read if isinstance(hop, Hop)]
        memory.add(hops, SYSTEM_CLOCK.monotonic_ns())
        rejected_count += len(read) - len(hops)
        why = why or next((fault for fault in read if isinstance(fault, str)), "")
        await asyncio.sleep(0)
    if beyond_count := _left_in(sent):
        rejected_count += beyond_count
        why = why or f"at most {SPANS_LIMIT_COUNT} spans are taken of one request"
    return rejected_count, why


def _left_in(sent: ExportTraceServiceRequest) -> int:
    total = sum(len(scope.spans) for part in sent.resource_spans for scope in part.scope_spans)
    return max(0, total - SPANS_LIMIT_COUNT)


def _refused(media_type: str, status: int, message: str) -> Response:
    code = otlp.RESOURCE_EXHAUSTED if status == 429 else otlp.INVALID_ARGUMENT
    headers = {"retry-after": str(RETRY_AFTER_S)} if status == 429 else {}
    if status == 413:
        headers["connection"] = "close"
    return Response(otlp.refusal(media_type, code, message), status, headers, media_type)
