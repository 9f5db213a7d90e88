"""The kill lane: serve the off variant now.

Idempotent, without If-Match and approval, never shed, with threads of its own; who and why end in the change log.
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pennon.control import TokenRow
from pennon.server import replies
from pennon.server.auth import Killing
from pennon.server.requests import reason_of
from pennon.server.services import services_of

router = APIRouter(tags=["kill lane"])

_ONE = "/v1/projects/{project}/environments/{environment}/flags/{flag}/kill"
_ALL = "/v1/projects/{project}/flags/{flag}/kill"


@router.put(_ONE)
async def kill(project: str, environment: str, flag: str, request: Request, token: Killing) -> Response:
    """The flag serves its off variant in this environment, carried decisions included."""
    return await _set(project, environment, flag, request, token, is_killed=True)


@router.put(_ALL)
async def kill_everywhere(project: str, flag: str, request: Request, token: Killing) -> Response:
    """The same in every environment of the project, in one transaction."""
    return await _set(project, None, flag, request, token, is_killed=True)


@router.delete(_ONE)
async def unkill(project: str, environment: str, flag: str, request: Request, token: Killing) -> Response:
    """The kill taken back in this environment. What was decided before it stays void."""
    return await _set(project, environment, flag, request, token, is_killed=False)


@router.delete(_ALL)
async def unkill_everywhere(project: str, flag: str, request: Request, token: Killing) -> Response:
    """The same in every environment of the project."""
    return await _set(project, None, flag, request, token, is_killed=False)


async def _set(
    project: str, environment: str | None, flag: str, request: Request, token: TokenRow, *, is_killed: bool
) -> Response:
    services = services_of(request)
    by = await reason_of(request, token)

    edit = services.store.kill if is_killed else services.store.unkill
    changes = await services.kills.run(lambda: edit(project, flag, environment=environment, by=by))
    services.committed(changes)
    rows = await services.kills.run(lambda: services.store.environments(project))
    names = {row.environment.id: row.environment.key for row in rows}
    made = [{"environment": names[change.environment_id], "revision": change.revision} for change in changes]
    return replies.plain({"flag": flag, "killed": is_killed, "changes": made})
