"""Routes that SDKs ask: the ruleset, the stream, the exposure intake. The token names the environment."""

from typing import Annotated, Any, Final

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from pennon.control import Exposure
from pennon.control.values import KEY_PATTERN
from pennon.counters import Count, count
from pennon.server import replies
from pennon.server.auth import Reading, environment_of
from pennon.server.drafts import draft_of
from pennon.server.services import services_of
from pennon.sync import decode_position
from pennon.web import Detach, EventStream, Write, read_json
from pennon.web.negotiation import JSON, demand, has_seen, media_type_of, takes_gzip

router = APIRouter(tags=["sdk"])

# One request's worth: about 200 kB, well below the body's limit; a buffer that holds more sends several.
EXPOSURES_LIMIT_COUNT: Final = 1_000

_Key = Annotated[str, Field(pattern=KEY_PATTERN)]


class ExposureDraft(BaseModel):
    """One exposure as a client reports it. at: milliseconds since 1970, by the client's clock."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32,64}$")]
    flag: _Key
    variant: _Key
    unit_kind: _Key
    phase: Annotated[int, Field(ge=0, lt=2**31)]
    at: Annotated[int, Field(ge=0, lt=2**53)]


class ExposuresDraft(BaseModel):
    """A batch of them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    exposures: Annotated[list[ExposureDraft], Field(max_length=EXPOSURES_LIMIT_COUNT)]


@router.get("/v1/sdk/ruleset")
async def read_ruleset(request: Request, token: Reading) -> Response:
    """The environment's ruleset as it is now; 304 where If-None-Match names it, gzip if asked for."""
    demand(request, JSON)
    services = services_of(request)
    encoded = await services.snapshots.current(environment_of(token))
    is_zipped = takes_gzip(request)
    headers = {"etag": encoded.gzip_etag if is_zipped else encoded.etag, **replies.CACHE}
    if has_seen(request, encoded.etag) or has_seen(request, encoded.gzip_etag):
        return Response(None, 304, headers)
    if not is_zipped:
        return Response(encoded.body, 200, headers, JSON)
    body = await services.sdk.run(lambda: encoded.gzipped)
    return Response(body, 200, {**headers, "content-encoding": "gzip"}, JSON)


@router.get("/v1/sdk/stream")
async def read_stream(request: Request, token: Reading) -> Response:
    """Server-sent events: a snapshot (or with Last-Event-ID what was missed), then deltas, kills and pings."""
    demand(request, "text/event-stream")
    feed = services_of(request).feeds.feed(environment_of(token))
    # An id that is not ours is no position: its reader gets a snapshot.
    after = decode_position(request.headers.get("last-event-id", ""))

    async def begin(write: Write, close: Any) -> tuple[bytes, Detach]:
        return await feed.open(after, write, close, token_id=token.id)

    return EventStream(begin, on_evicted=lambda: count(Count.STREAM_EVICTIONS))


@router.post("/v1/sdk/exposures")
async def report_exposures(request: Request, token: Reading) -> Response:
    """How many were new, known already, or of a flag or variant that this environment does not have.

    Each id counts once, however often it is reported. A batch with faults is refused whole.
    """
    media_type_of(request, JSON)
    batch = draft_of(ExposuresDraft, await read_json(request)).exposures
    services = services_of(request)
    variants = (await services.snapshots.current(environment_of(token))).variants
    # Not a fault: the flag may have been archived while the report was on its way.
    taken = [
        Exposure(sent.id, sent.flag, sent.variant, sent.unit_kind, sent.phase, sent.at)
        for sent in batch
        if sent.variant in variants.get(sent.flag, ())
    ]
    receipt = await services.sdk.run(lambda: services.store.add_exposures(environment_of(token), taken))
    return replies.plain({"new": receipt.new_count, "known": receipt.known_count, "unknown": len(batch) - len(taken)})
