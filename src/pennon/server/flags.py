"""Routes of the authoring API: flags, and their settings in each environment."""

from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pennon.control import ChangeRow, Edited, FlagDocument, SettingsDocument
from pennon.server import replies
from pennon.server.auth import Authoring
from pennon.server.requests import Cursor, Limit, document_of, reason_of
from pennon.server.services import services_of
from pennon.web.negotiation import if_match

router = APIRouter(tags=["flags"])

_FLAGS = "/v1/projects/{project}/flags"
_FLAG = "/v1/projects/{project}/flags/{flag}"
_SETTINGS = "/v1/projects/{project}/environments/{environment}/flags/{flag}"


@router.get(_FLAGS)
async def list_flags(
    project: str,
    request: Request,
    _: Authoring,
    cursor: Cursor = None,
    limit: Limit = 100,
    archived: bool = False,
) -> Response:
    """The project's flags by key; archived ones only on request."""
    services = services_of(request)
    page = await services.authoring.run(
        lambda: services.store.flags(project, cursor=cursor, limit=limit, archived=archived)
    )
    return replies.listing(request, [flag.model_dump(mode="json", by_alias=True) for flag in page.items], page.cursor)


@router.post(_FLAGS, status_code=201)
async def create_flag(project: str, request: Request, token: Authoring) -> Response:
    """A new flag, published in every environment: on, serving its off variant."""
    services = services_of(request)
    document, by = await document_of(request, token)
    made = await services.authoring.run(lambda: services.store.create_flag(project, document, by=by))
    location = f"/v1/projects/{project}/flags/{made.document.key}"
    return _flag_edited(request, made, status=201, location=location)


@router.get(_FLAG)
async def read_flag(project: str, flag: str, request: Request, _: Authoring) -> Response:
    """One flag, archived ones too."""
    services = services_of(request)
    document = await services.authoring.run(lambda: services.store.flag(project, flag))
    return replies.resource(request, document, document.version)


@router.patch(_FLAG)
async def patch_flag(project: str, flag: str, request: Request, token: Authoring) -> Response:
    """The flag after a merge patch (RFC 7396), published in every environment."""
    services, version = services_of(request), if_match(request)
    patch, by = await document_of(request, token)
    changed = await services.authoring.run(
        lambda: services.store.update_flag(project, flag, patch, if_match=version, by=by)
    )
    return _flag_edited(request, changed)


@router.delete(_FLAG)
async def archive_flag(project: str, flag: str, request: Request, token: Authoring) -> Response:
    """The flag, archived: gone from every environment, its key still taken. Needs If-Match as PATCH does."""
    services, version = services_of(request), if_match(request)
    by = await reason_of(request, token)
    archived = await services.authoring.run(lambda: services.store.archive_flag(project, flag, if_match=version, by=by))
    return _flag_edited(request, archived)


@router.get(_SETTINGS)
async def read_settings(project: str, environment: str, flag: str, request: Request, _: Authoring) -> Response:
    """What one environment serves of a flag."""
    services = services_of(request)
    document = await services.authoring.run(lambda: services.store.settings(project, environment, flag))
    return replies.resource(request, document, document.revision)


@router.patch(_SETTINGS)
async def patch_settings(project: str, environment: str, flag: str, request: Request, token: Authoring) -> Response:
    """The settings after a merge patch (RFC 7396), published in this environment."""
    services, version = services_of(request), if_match(request)
    patch, by = await document_of(request, token)
    changed = await services.authoring.run(
        lambda: services.store.update_settings(project, environment, flag, patch, if_match=version, by=by)
    )
    return _settings_edited(request, changed)


@router.post(_SETTINGS + "/forget-carried")
async def forget_carried(project: str, environment: str, flag: str, request: Request, token: Authoring) -> Response:
    """The settings, with what was decided before now void in this environment. Needs If-Match as PATCH does."""
    services, version = services_of(request), if_match(request)
    by = await reason_of(request, token)
    changed = await services.authoring.run(
        lambda: services.store.forget_carried(project, environment, flag, if_match=version, by=by)
    )
    return _settings_edited(request, changed)


@router.get(_SETTINGS + "/history")
async def read_history(
    project: str,
    environment: str,
    flag: str,
    request: Request,
    _: Authoring,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """A flag's changes in one environment, newest first: who, what, why, and each member that changed."""
    services = services_of(request)
    page = await services.authoring.run(
        lambda: services.store.history(project, environment, flag, cursor=cursor, limit=limit)
    )
    return replies.listing(request, [_change(row) for row in page.items], page.cursor)


def _flag_edited(
    request: Request, flag: Edited[FlagDocument], *, status: int = 200, location: str | None = None
) -> Response:
    services_of(request).committed(flag.changes)
    notes = replies.notes_of(flag.changes)
    return replies.edited(flag.document, flag.document.version, notes, status=status, location=location)


def _settings_edited(request: Request, settings: Edited[SettingsDocument]) -> Response:
    services_of(request).committed(settings.changes)
    return replies.edited(settings.document, settings.document.revision, replies.notes_of(settings.changes))


def _change(row: ChangeRow) -> dict[str, Any]:
    return {
        "revision": row.revision,
        "epoch": row.epoch,
        "at": replies.moment(row.at_ns),
        "actor": row.who,
        "action": row.action,
        "reason": row.why,
        "diff": msgspec.to_builtins(row.diff),
        "notes": row.notes,
        "hash": row.hash,
        "previous_hash": row.previous_hash,
    }
