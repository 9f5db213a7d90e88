"""profiles: who people are. Only our own services call it; a rollout decides how much it tells."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

import pennon
import pennon.http
from pennon.headers import Contract
from streamsocial.contract import contract
from streamsocial.deciding import connect
from streamsocial.identifying import ours
from streamsocial.running import serve, service
from streamsocial.sessions import followers_of
from streamsocial.spans import mark_user


class Profiles:
    """Profiles by user, as rich as the reader may have them."""

    def __init__(self, contract: Contract, flags: pennon.Client) -> None:
        self._contract = contract
        self._flags = flags

    async def show(self, request: Request) -> JSONResponse:
        """The profiles of some users for one reader."""
        reader = request.query_params["reader"]
        mark_user(reader)
        # Not to be decided here: who pays is the gateway's to know, which has decided by it.
        is_rich = self._flags.is_on("rich-profiles")
        users = [user for user in request.query_params["users"].split(",") if user]
        return JSONResponse({"profiles": {user: self._profile(user, is_rich=is_rich) for user in users}})

    @staticmethod
    def _profile(user: str, *, is_rich: bool) -> dict[str, Any]:
        profile: dict[str, Any] = {"name": user.replace("user-", "Streamer ")}
        if is_rich:
            profile["followers"] = len(followers_of(user))
            profile["badge"] = "famous" if profile["followers"] > 10 else None
        return profile

    def app(self) -> ASGIApp:
        """The application behind its door."""
        routes = [Route("/profiles", self.show, methods=["GET"])]
        return pennon.http.asgi(Starlette(routes=routes), self._contract, boundary=ours())


def main() -> None:
    """Serve until told to end."""
    declared = contract()
    with service("profiles", declared) as ending, connect() as flags:
        serve(Profiles(declared, flags).app(), ending)


if __name__ == "__main__":
    main()
