"""Who asks, and for what that is good: bearer tokens and their scopes.

    token   may
    admin   author its project (all projects, if it names none)
    sdk     read /v1/sdk of its environment and report exposures there, nothing else

A token without the right gets the same 403 whether what it names exists or not. While the database does not answer, SDK
tokens that were good here before are still good: their readers must not lose the stream on which kills come.
"""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from pennon.control import Role, TokenRow
from pennon.errors import Forbidden, TokenRefused, Unreachable
from pennon.server.services import Services, services_of
from pennon.web import Lane


async def _author(request: Request) -> TokenRow:
    return await _admin(request, services_of(request).authoring)


async def _killer(request: Request) -> TokenRow:
    return await _admin(request, services_of(request).kills)


async def _reader(request: Request) -> TokenRow:
    row = await _read(request, services_of(request))
    if row.role is not Role.SDK or row.environment_id is None:
        raise Forbidden("this is an admin token; /v1/sdk takes an SDK token, which names its environment")
    return row


# Dependencies of a route: the token's row, after it has been found good for that kind of route.
Authoring = Annotated[TokenRow, Depends(_author)]
Killing = Annotated[TokenRow, Depends(_killer)]
Reading = Annotated[TokenRow, Depends(_reader)]


def environment_of(token: TokenRow) -> int:
    """The environment that a reading token names."""
    if token.environment_id is None:
        raise AssertionError("_reader lets no token without an environment through")
    return token.environment_id


async def _admin(request: Request, lane: Lane) -> TokenRow:
    secret, store = _secret_of(request), services_of(request).store
    row = await lane.run(lambda: store.token(secret))
    if row.role is not Role.ADMIN:
        raise Forbidden("this is an SDK token; authoring takes an admin token")
    project = request.path_params.get("project")
    if project is not None and row.project not in {None, project}:
        raise Forbidden(f"this token is not for project {project!r}")
    return row


async def _read(request: Request, services: Services) -> TokenRow:
    secret = _secret_of(request)
    held = services.tokens.held(secret)
    if held is not None and services.memory.is_store_down:
        # Not asked: it may take as long to fail as a client waits.
        return held
    try:
        row = await services.sdk.run(lambda: services.store.token(secret))
    except TokenRefused:
        services.tokens.refused(secret)
        raise
    except Unreachable:
        if held is None:
            raise
        return held
    services.tokens.found(secret, row)
    return row


def _secret_of(request: Request) -> str:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise TokenRefused("no token: send Authorization: Bearer pn_…")
    return secret.strip()
