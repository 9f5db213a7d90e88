"""Routes of the authoring API: who may sign, which overrides were signed and revoked, and where they were used."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from pennon.control import Action, Edited, SignerDocument
from pennon.server import replies
from pennon.server.auth import Authoring
from pennon.server.requests import Cursor, Limit, document_of, reason_of
from pennon.server.services import services_of
from pennon.web.negotiation import if_match

router = APIRouter(tags=["overrides"])

_SIGNERS = "/v1/projects/{project}/environments/{environment}/signers"
_OVERRIDES = "/v1/projects/{project}/environments/{environment}/overrides"
_USES = "/v1/projects/{project}/environments/{environment}/override-uses"

# It names a token, a flag, a variant and a service, and is longer than others.
_UsesCursor = Annotated[str | None, Query(max_length=1_000)]


@router.get(_SIGNERS)
async def list_signers(project: str, environment: str, request: Request, _: Authoring) -> Response:
    """The environment's signers, oldest first, retired ones too."""
    services = services_of(request)
    signers = await services.authoring.run(lambda: services.store.signers(project, environment))
    return replies.listing(request, list(map(_members, signers)))


@router.get(_SIGNERS + "/{signer}")
async def read_signer(project: str, environment: str, signer: str, request: Request, _: Authoring) -> Response:
    """One signer."""
    services = services_of(request)
    document = await services.authoring.run(lambda: services.store.signer(project, environment, signer))
    return replies.resource(request, document, document.revision)


@router.put(_SIGNERS + "/{signer}")
async def put_signer(project: str, environment: str, signer: str, request: Request, token: Authoring) -> Response:
    """The signer made (without If-Match) or retired (with it); the same again changes nothing and needs none."""
    services, version = services_of(request), if_match(request)
    document, by = await document_of(request, token)
    made = await services.authoring.run(
        lambda: services.store.put_signer(project, environment, signer, document, if_match=version, by=by)
    )
    return _signer_edited(request, made)


@router.delete(_SIGNERS + "/{signer}")
async def remove_signer(project: str, environment: str, signer: str, request: Request, token: Authoring) -> Response:
    """The signer, gone: nothing that it signed is believed from now on. Needs If-Match."""
    services, version = services_of(request), if_match(request)
    by = await reason_of(request, token)
    removed = await services.authoring.run(
        lambda: services.store.remove_signer(project, environment, signer, if_match=version, by=by)
    )
    return _signer_edited(request, removed)


@router.get(_OVERRIDES)
async def list_overrides(
    project: str, environment: str, request: Request, _: Authoring, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """The overrides that were registered, the last first: expired and revoked ones too."""
    services = services_of(request)
    page = await services.authoring.run(
        lambda: services.store.overrides(project, environment, cursor=cursor, limit=limit)
    )
    return replies.listing(request, list(map(_members, page.items)), page.cursor)


@router.get(_OVERRIDES + "/{override}")
async def read_override(project: str, environment: str, override: str, request: Request, _: Authoring) -> Response:
    """One override."""
    services = services_of(request)
    document = await services.authoring.run(lambda: services.store.override(project, environment, override))
    return replies.resource(request, document, document.version)


@router.put(_OVERRIDES + "/{override}")
async def put_override(project: str, environment: str, override: str, request: Request, token: Authoring) -> Response:
    """The claims of a signed token, registered for audit; the token itself is never sent here."""
    services = services_of(request)
    document, by = await document_of(request, token)
    made = await services.authoring.run(
        lambda: services.store.put_override(project, environment, override, document, by=by)
    )
    return replies.edited(made.document, made.document.version, (), status=201 if made.is_new else 200)


@router.put(_OVERRIDES + "/{override}/revocation")
async def revoke_override(
    project: str, environment: str, override: str, request: Request, token: Authoring
) -> Response:
    """The override, believed nowhere from now on. Idempotent, and without If-Match: it can only end."""
    services = services_of(request)
    by = await reason_of(request, token)
    revoked = await services.authoring.run(
        lambda: services.store.revoke_override(project, environment, override, by=by)
    )
    services.committed(revoked.changes)
    return replies.edited(revoked.document, revoked.document.version, ())


@router.get(_USES)
async def list_override_uses(
    project: str,
    environment: str,
    request: Request,
    _: Authoring,
    id: str | None = None,  # noqa: A002 - the parameter's public name
    cursor: _UsesCursor = None,
    limit: Limit = 100,
) -> Response:
    """How often which token set which variant in which service; ?id= asks for one token."""
    services = services_of(request)
    page = await services.authoring.run(
        lambda: services.store.override_uses(project, environment, override=id, cursor=cursor, limit=limit)
    )
    return replies.listing(request, [msgspec.to_builtins(use) for use in page.items], page.cursor)


def _members(document: BaseModel) -> dict[str, object]:
    return document.model_dump(mode="json", by_alias=True)


def _signer_edited(request: Request, signer: Edited[SignerDocument]) -> Response:
    services_of(request).committed(signer.changes)
    is_new = any(change.action is Action.CREATE for change in signer.changes)
    return replies.edited(signer.document, signer.document.revision, (), status=201 if is_new else 200)
