"""gateway: where strangers come in. It knows who they are, and decides what they get."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import pennon
import pennon.http
from pennon.headers import Identity, Inbound, public
from streamsocial.contract import contract
from streamsocial.sessions import account_of
from streamsocial.telling import tell

CONTRACT = contract()
flags = pennon.connect()


def identity(inbound: Inbound) -> Identity:
    """Who calls: the account behind the session's token, never what a header claims."""
    account = account_of(inbound.header("authorization"))
    if account is None:
        return Identity()
    return Identity(actor=account.user, units={"user": account.user}, attributes={"plan": account.plan})


async def post(request: Request) -> JSONResponse:
    """Keep a post of the user who is logged in."""
    context = pennon.current()
    if context is None or context.identity.actor is None:
        return JSONResponse({"title": "log in first"}, status_code=401)
    user = context.identity.actor
    # Decided here, once, for the user of this request, whose plan only the gateway knows.
    tell("gateway", user, flags.decision("feed-ranking"))
    kept = await request.app.state.posts.post("/posts", json={"author": user, **await request.json()})
    return JSONResponse(kept.json(), status_code=kept.status_code)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Hold one client to `posts` while the service runs."""
    async with httpx.AsyncClient(base_url=f"http://{os.environ['POSTS_HOST']}", timeout=5.0) as client:
        app.state.posts = pennon.http.httpx(client, CONTRACT)
        yield
    flags.close()


app = pennon.http.asgi(
    Starlette(routes=[Route("/posts", post, methods=["POST"])], lifespan=lifespan),
    CONTRACT,
    boundary=public(identity=identity),
)
