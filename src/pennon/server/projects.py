"""Routes of the authoring API: projects, environments, exposure counts, segments and tokens."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from pennon.control import EnvironmentRow, ExposureCount, Project, Role, TokenRow
from pennon.errors import Forbidden
from pennon.server import replies
from pennon.server.auth import Authoring
from pennon.server.drafts import draft_of
from pennon.server.requests import Cursor, Limit, document_of
from pennon.server.services import services_of
from pennon.web.negotiation import if_match

router = APIRouter(tags=["projects"])

# A segment's 100,000 members at 80 bytes each; all other documents are far smaller.
SEGMENT_LIMIT_BYTES: Final = 8 * 1024 * 1024

_SEGMENTS = "/v1/projects/{project}/environments/{environment}/segments"


class TokenDraft(BaseModel):
    """What is asked for: an admin token of the project, or an SDK token of one of its environments."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Annotated[Role, Field(strict=False)] = Role.SDK
    environment: str | None = None
    name: str = Field(default="", max_length=200)


@router.get("/v1/projects")
async def list_projects(request: Request, token: Authoring) -> Response:
    """The projects that this token may author."""
    services = services_of(request)
    projects = await services.authoring.run(services.store.projects)
    return replies.listing(request, [_project(row) for row in projects if token.project in {None, row.key}])


@router.get("/v1/projects/{project}/environments")
async def list_environments(project: str, request: Request, _: Authoring) -> Response:
    """The project's environments in the order made, and where their numbering stands."""
    services = services_of(request)
    rows = await services.authoring.run(lambda: services.store.environments(project))
    return replies.listing(request, [_environment(row) for row in rows])


@router.get("/v1/projects/{project}/environments/{environment}/exposures")
async def list_exposures(
    project: str, environment: str, request: Request, _: Authoring, flag: str | None = None
) -> Response:
    """How often each variant was exposed in the environment, by flag and phase; each exposure id counts once."""
    services = services_of(request)

    def read() -> tuple[ExposureCount, ...]:
        row = services.store.environment(project, environment)
        return services.store.exposure_counts(row.environment.id, flag)

    counts = await services.authoring.run(read)
    return replies.listing(request, [msgspec.to_builtins(count) for count in counts])


@router.get(_SEGMENTS)
async def list_segments(
    project: str, environment: str, request: Request, _: Authoring, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """The environment's segments by key."""
    services = services_of(request)
    page = await services.authoring.run(
        lambda: services.store.segments(project, environment, cursor=cursor, limit=limit)
    )
    return replies.listing(request, [item.model_dump(mode="json", by_alias=True) for item in page.items], page.cursor)


@router.get(_SEGMENTS + "/{segment}")
async def read_segment(project: str, environment: str, segment: str, request: Request, _: Authoring) -> Response:
    """One segment."""
    services = services_of(request)
    document = await services.authoring.run(lambda: services.store.segment(project, environment, segment))
    return replies.resource(request, document, document.revision)


@router.put(_SEGMENTS + "/{segment}")
async def put_segment(project: str, environment: str, segment: str, request: Request, token: Authoring) -> Response:
    """The segment made (without If-Match) or replaced (with it)."""
    services, version = services_of(request), if_match(request)
    document, by = await document_of(request, token, limit_bytes=SEGMENT_LIMIT_BYTES)
    changed = await services.authoring.run(
        lambda: services.store.put_segment(project, environment, segment, document, if_match=version, by=by)
    )
    services.committed(changed.changes)
    status = 201 if version is None else 200
    notes = replies.notes_of(changed.changes)
    return replies.edited(changed.document, changed.document.revision, notes, status=status)


@router.post("/v1/projects/{project}/tokens", status_code=201)
async def create_token(project: str, request: Request, token: Authoring) -> Response:
    """A new token of this project. The answer is the only place where it ever stands in clear."""
    return await _create_token(project, request, token)


@router.post("/v1/tokens", status_code=201)
async def create_token_here(request: Request, token: Authoring) -> Response:
    """The same for the project of the token that asks."""
    if token.project is None:
        raise Forbidden("this token is for every project; name one: POST /v1/projects/{project}/tokens")
    return await _create_token(token.project, request, token)


async def _create_token(project: str, request: Request, token: TokenRow) -> Response:
    services = services_of(request)
    document, by = await document_of(request, token)
    draft = draft_of(TokenDraft, document)
    name = draft.name or f"made by {by.who}"
    made = await services.authoring.run(
        lambda: services.store.create_token(name=name, role=draft.role, project=project, environment=draft.environment)
    )
    return replies.plain({**_token(made.row), "token": made.secret}, status=201)


def _project(row: Project) -> dict[str, Any]:
    return {"key": row.key, "created": replies.moment(row.created_ns)}


def _environment(row: EnvironmentRow) -> dict[str, Any]:
    return {"key": row.environment.key, "id": row.environment.id, "epoch": row.epoch, "revision": row.revision}


def _token(row: TokenRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role,
        "project": row.project,
        "environment": row.environment,
        "created": replies.moment(row.created_ns),
    }
