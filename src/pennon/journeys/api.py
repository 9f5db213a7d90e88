"""The JSON API of the page: journeys, flags and what can be done to them, live events."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter
from fastapi import Query as Parameter
from starlette.requests import Request
from starlette.responses import Response

from pennon.errors import NotFound
from pennon.journeys.authoring import is_on_of, percent_of
from pennon.journeys.control import ControlPlane
from pennon.journeys.divergence import divergence_of
from pennon.journeys.guard import demand_page
from pennon.journeys.search import QUERY_LIMIT_CHARACTERS, Query
from pennon.journeys.services import services_of
from pennon.web import EventStream, read_json
from pennon.web.negotiation import JSON, demand, media_type_of

router = APIRouter(prefix="/api", tags=["page's API"])

LIST_LIMIT_COUNT: Final = 200
_DEED_LIMIT_BYTES: Final = 1_024

Typed = Annotated[str, Parameter(max_length=QUERY_LIMIT_CHARACTERS)]
Limit = Annotated[int, Parameter(ge=1, le=LIST_LIMIT_COUNT)]


@router.get("/journeys")
async def list_journeys(request: Request, q: Typed = "", limit: Limit = 50) -> Response:
    """Journeys, newest first; those of a user, trace, request or correlation id if one is named."""
    return _json({"items": services_of(request).memory.search(Query.of(q), limit=limit)})


@router.get("/journeys/{trace_id}")
async def read_journey(trace_id: str, request: Request) -> Response:
    """One journey with its hops. 404 if it is not remembered (any more)."""
    journey = services_of(request).memory.waterfall(trace_id.lower())
    if journey is None:
        raise NotFound("no journey of this trace is remembered")
    return _json(journey)


@router.get("/live")
async def follow(request: Request) -> Response:
    """Server-sent events `journey`, `traffic`, `flags` and `ping`."""
    demand(request, "text/event-stream")
    return EventStream(services_of(request).live.open)


@router.get("/flags")
async def list_flags(request: Request) -> Response:
    """The flags with their settings in the environment, and exposures of their present phases."""
    return _json({"items": await _control_of(request).listing()})


@router.get("/divergence")
async def list_divergence(request: Request) -> Response:
    """How carried decisions compare with what each service would have decided, over the last day."""
    return _json(await divergence_of(_control_of(request)))


@router.post("/flags/{flag}/ramp")
async def ramp(flag: str, request: Request) -> Response:
    """`{"percent": 25}`: the share of units that the fallthrough covers."""
    percent = percent_of(await _deed(request))
    return _json(await _control_of(request).ramp(flag, percent))


@router.post("/flags/{flag}/switch")
async def switch(flag: str, request: Request) -> Response:
    """`{"on": true}`: whether rules and fallthrough are followed."""
    is_on = is_on_of(await _deed(request))
    return _json(await _control_of(request).switch(flag, is_on=is_on))


@router.post("/flags/{flag}/kill")
async def kill(flag: str, request: Request) -> Response:
    """The off variant now. The body is empty or an empty object."""
    await _deed(request)
    return _json(await _control_of(request).kill(flag))


@router.post("/flags/{flag}/unkill")
async def unkill(flag: str, request: Request) -> Response:
    """And back."""
    await _deed(request)
    return _json(await _control_of(request).unkill(flag))


async def _deed(request: Request) -> Any:
    """The body of a change that this page asks for. Raises: Forbidden if it is another that asks."""
    demand_page(request, services_of(request).page_token)
    # A form of another site cannot send this type.
    media_type_of(request, JSON)
    return await read_json(request, limit_bytes=_DEED_LIMIT_BYTES)


def _control_of(request: Request) -> ControlPlane:
    control = services_of(request).control
    if control is None:
        raise NotFound("this app was started without a control plane")
    return control


def _json(document: Mapping[str, Any]) -> Response:
    return Response(msgspec.json.encode(document), media_type=JSON, headers={"cache-control": "no-store"})
