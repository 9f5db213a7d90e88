"""The break-glass lane: a signed kill, taken without a database. The signature is the right, so there is no token."""

from typing import Final

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pennon.server import replies
from pennon.server.services import services_of
from pennon.signing import TOKEN_LIMIT_BYTES
from pennon.web import read_body
from pennon.web.negotiation import media_type_of

_JWT: Final = "application/jwt"

router = APIRouter(tags=["kill lane"])


@router.put("/v1/break-glass")
async def break_glass(request: Request) -> Response:
    """The flag that the token names serves its off variant, on every stream of this server. Idempotent by its id.

    kept: whether a restart of this server would remember it. reconciled: whether the numbering holds it already.
    """
    services = services_of(request)
    media_type_of(request, _JWT)
    body = await read_body(request, limit_bytes=TOKEN_LIMIT_BYTES)
    # Latin-1 takes any byte: what is no token is refused as one.
    judged = services.judge.judged(body.decode("latin-1").strip())
    emergency, known = judged.emergency, judged.known
    kill = emergency.kill
    if kill.id not in known.reconciled and services.emergencies.take(emergency):
        services.feeds.shout(kill)
        log = structlog.get_logger("pennon.server")
        log.warning(
            "break_glass.taken", environment_id=kill.environment, flag_id=kill.flag, id=kill.id, by=emergency.by.who
        )
    is_open = services.emergencies.is_open(emergency)
    is_kept = is_open and await services.emergencies.keep(emergency)
    return replies.plain(
        {
            "id": kill.id,
            "project": known.project,
            "environment": known.environment.key,
            "flag": judged.flag,
            "until_s": kill.until_s,
            "kept": is_kept,
            "reconciled": not is_open,
        }
    )
