"""gateway: where strangers come in. It knows who they are, and decides what they get."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

import pennon
import pennon.http
from pennon.context import ActorType
from pennon.errors import DeadlineExceeded
from pennon.headers import Contract, Identity, Inbound, public
from streamsocial.calling import ask, client
from streamsocial.contract import contract, url_of
from streamsocial.deciding import connect
from streamsocial.exposing import to_kafka
from streamsocial.producing import Producing, to_broker
from streamsocial.running import serve, service
from streamsocial.sessions import account_of
from streamsocial.spans import mark_user
from streamsocial.telling import tell, tell_hop

READ_COUNT = 10
# Of each try, so that several fit what a request may take.
PROFILE_TIMEOUT_S = 1.0

log = logging.getLogger("streamsocial.gateway")


def identity(inbound: Inbound) -> Identity:
    """Who calls: the account behind the session's token, never what a header claims."""
    account = account_of(inbound.header("authorization"))
    if account is None:
        return Identity()
    attributes = {"plan": account.plan, "staff": account.staff}
    return Identity(
        tenant=account.tenant,
        actor=account.user,
        actor_type=ActorType.HUMAN,
        units={"user": account.user},
        attributes=attributes,
    )


def _tier() -> dict[str, str]:
    """What they pay for, as a hint for every service down the line; nobody is to decide by it."""
    context = pennon.current()
    plan = context.identity.attributes.get("plan") if context else None
    return {"baggage": f"tenant.tier={plan}"} if plan else {}


def logged_in(handle: Callable[[Any, Request, str], Awaitable[JSONResponse]]) -> Any:
    """Only for those who are logged in; the handler is told who."""

    async def checked(self: "Gateway", request: Request) -> JSONResponse:
        context = pennon.current()
        if context is None or context.identity.actor is None:
            return JSONResponse({"title": "log in first"}, status_code=401)
        mark_user(context.identity.actor)
        try:
            return await handle(self, request, context.identity.actor)
        except httpx.TransportError as error:
            log.warning("a service is away: %s", error)
            return JSONResponse({"title": "try again", "detail": str(error)}, status_code=503)
        except DeadlineExceeded as error:
            log.warning("a service was too slow: %s", error)
            return JSONResponse({"title": "too late"}, status_code=504)

    return checked


class Gateway:
    """Every decision here is about the user of the request, whose plan and job only the gateway knows.

    region: where it stands. transport: by which it calls `posts` and `profiles`; None: the network.
    """

    def __init__(
        self,
        contract: Contract,
        flags: pennon.Client,
        *,
        region: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._contract = contract
        self._flags = flags
        called = partial(client, "gateway", contract, region=region, transport=transport)
        self._posts, self._profiles = called(url_of(contract, "posts")), called(url_of(contract, "profiles"))
        self._guard = pennon.http.Guard(contract, "profiles", fallback=lambda _: None)

    @logged_in
    async def write(self, request: Request, user: str) -> JSONResponse:
        """Keep a post, comment or like."""
        written = await request.json()
        # Decided here, once, although it is `posts` and `feed` who will act on it.
        tell_hop("gateway", user, self._flags.decision("feed-ranking"))
        if written["kind"] == "like":
            written["reaction"] = written.get("reaction") if self._flags.is_on("reactions") else "like"
            # The order in which they were shown what they like goes along; by this nobody is exposed to it.
            self._flags.peek("ranking-experiment")
        kept = await ask(self._posts, "POST", "/posts", json={**written, "author": user}, headers=_tier())
        answer = kept.json()
        if written["kind"] == "post":
            # That `posts` has decided, and its response said so: asked here first, it could come out differently.
            answer["reviewed"] = self._flags.is_on("strict-review")
        return JSONResponse(answer, status_code=kept.status_code)

    @logged_in
    async def read(self, _: Request, user: str) -> JSONResponse:
        """The newest posts, ranked as the experiment says."""
        ranking = self._flags.decision("ranking-experiment", type=pennon.FlagType.STRING)
        if ranking.reason is not pennon.Reason.OVERRIDE:
            tell("exposed", "gateway", user=user, variant=ranking.variant)
        asked = {"reader": user, "count": READ_COUNT}
        found = await ask(self._posts, "GET", "/posts", params=asked, headers=_tier())
        if found.is_error:
            return JSONResponse({"title": "try again"}, status_code=found.status_code)
        page: dict[str, Any] = {"ranking": ranking.variant, "posts": found.json()["posts"]}
        if self._flags.is_on("tester-tools"):
            page["explained"] = ranking.explain()
        return JSONResponse(page, status_code=found.status_code)

    @logged_in
    async def look(self, request: Request, user: str) -> JSONResponse:
        """Somebody's profile and newest posts, from two services that are asked at once.

        Both ask `rich-profiles`, and neither would hear what the other decided: the door has, before it came here.
        """
        whom, headers = request.path_params["user"], _tier()
        profile, posts = await asyncio.gather(
            self._profile(user, whom, headers),
            ask(self._posts, "GET", f"/users/{whom}/posts", params={"reader": user}, headers=headers),
        )
        return JSONResponse({**profile, **posts.json()}, status_code=posts.status_code)

    async def _profile(self, reader: str, whom: str, headers: dict[str, str]) -> dict[str, Any]:
        """Somebody's profile; none while `profiles` is away."""

        async def asked() -> httpx.Response | None:
            about = {"reader": reader, "users": whom}
            return await self._profiles.get("/profiles", params=about, headers=headers, timeout=PROFILE_TIMEOUT_S)

        found = await self._guard.acall(asked, is_idempotent=True)
        return found.json() if found is not None and found.is_success else {"profiles": {}}

    def app(self) -> ASGIApp:
        """The application behind its door: strangers call, nothing that they say about decisions is believed."""
        routes = [
            Route("/posts", self.write, methods=["POST"]),
            Route("/feed", self.read, methods=["GET"]),
            Route("/profiles/{user}", self.look, methods=["GET"]),
        ]
        return pennon.http.asgi(
            Starlette(routes=routes, lifespan=self._lifespan),
            self._contract,
            boundary=public(identity=identity),
            decide=self._flags.decide_at_ingress("rich-profiles"),
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        async with self._posts, self._profiles:
            yield


def main() -> None:
    """Serve until told to end."""
    declared = contract()
    with (
        service("gateway", declared) as ending,
        Producing(None, to_broker()) as producing,
        connect(sinks=[to_kafka(producing)]) as flags,
    ):
        serve(Gateway(declared, flags, region=os.environ["REGION"]).app(), ending)


if __name__ == "__main__":
    main()
