"""Is it alive, should it get traffic, and what has it counted. No token: orchestrators and scrapers ask."""

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pennon.server import replies
from pennon.server.services import services_of
from pennon.web import problem

router = APIRouter(tags=["operations"])


@router.get("/health/live")
async def live() -> Response:
    """200 while the event loop turns."""
    return replies.plain({"status": "live"})


@router.get("/health/ready")
async def ready(request: Request) -> Response:
    """200 while requests should come here: the store answers and no shutdown has begun."""
    services = services_of(request)
    if services.feeds.is_closing:
        return problem.of_status(503, detail="shutting down")
    try:
        await services.sdk.run(services.store.ping)
    except Exception as error:  # noqa: BLE001 - whatever the database raises, the answer is that it does not answer
        structlog.get_logger("pennon.server").warning("health.not_ready", exc_info=error)
        return problem.of_status(503, detail="the store does not answer")
    return replies.plain({"status": "ready"})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Everything counted, in Prometheus's text format."""
    held = services_of(request).metrics
    return Response(held.text(), media_type=held.media_type)
