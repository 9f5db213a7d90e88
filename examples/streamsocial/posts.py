"""posts: keeps what people write, and announces it on Kafka. Only our own services call it."""

import asyncio
import json
from collections import deque
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

import pennon
import pennon.http
from pennon.headers import Contract
from streamsocial.contract import METRICS_TOPIC, POSTS_TOPIC, contract
from streamsocial.deciding import connect
from streamsocial.identifying import ours, signer
from streamsocial.producing import Producing, to_broker
from streamsocial.running import serve, service
from streamsocial.spans import mark_user
from streamsocial.telling import tell_hop

# What a reader can be shown; older posts would come from a store.
RECENT_COUNT = 200
# Of them, what stands on somebody's profile: with rich profiles, and without.
RICH_COUNT, PLAIN_COUNT = 5, 1


class Posts:
    """The newest posts, in memory, and the way to Kafka."""

    def __init__(self, contract: Contract, flags: pennon.Client, producing: Producing) -> None:
        self._contract = contract
        self._flags = flags
        self._producing = producing
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT_COUNT)

    async def keep(self, request: Request) -> JSONResponse:
        """Take a post, comment or like; 201 says that Kafka has it."""
        written = await request.json()
        author = written["author"]
        mark_user(author)
        # Not decided again: the gateway's decision for this author came with the request.
        tell_hop("posts", author, self._flags.decision("feed-ranking"))
        if not await self._announce(author, written):
            return JSONResponse({"title": "Kafka does not answer"}, status_code=503)
        if written["kind"] == "post":
            self._recent.appendleft({"id": written["id"], "author": author, "text": written["text"]})
        return JSONResponse({"id": written["id"]}, status_code=201)

    async def recent(self, request: Request) -> JSONResponse:
        """The newest posts for a reader, in the order that the gateway's experiment decided."""
        reader = request.query_params["reader"]
        mark_user(reader)
        ranking = self._flags.peek("ranking-experiment").value
        posts = list(self._recent)[: int(request.query_params["count"])]
        if ranking == "engagement":
            posts.sort(key=lambda post: len(post["text"]), reverse=True)
        elif ranking == "blend":
            posts = posts[::2] + posts[1::2]
        return JSONResponse({"posts": posts})

    async def of_user(self, request: Request) -> JSONResponse:
        """Somebody's newest posts; as many as the reader's profiles are rich."""
        mark_user(request.query_params["reader"])
        count = RICH_COUNT if self._flags.is_on("rich-profiles") else PLAIN_COUNT
        found = [post for post in self._recent if post["author"] == request.path_params["user"]]
        return JSONResponse({"posts": found[:count]})

    async def _announce(self, author: str, written: dict[str, Any]) -> bool:
        """Whether Kafka has the record, and the metric event where the experiment counts one."""
        sent = [self._producing.send(POSTS_TOPIC, author, json.dumps(written))]
        if written["kind"] != "post":
            event = {"id": written["id"], "metric": written["kind"], "user": author}
            sent.append(self._producing.send(METRICS_TOPIC, author, json.dumps(event)))
        return all(await asyncio.gather(*sent))

    def app(self) -> ASGIApp:
        """The application behind its door: callers are ours, what they decided is taken."""
        routes = [
            Route("/posts", self.keep, methods=["POST"]),
            Route("/posts", self.recent, methods=["GET"]),
            Route("/users/{user}/posts", self.of_user, methods=["GET"]),
        ]
        return pennon.http.asgi(Starlette(routes=routes), self._contract, boundary=ours())


def main() -> None:
    """Serve until told to end."""
    declared = contract()
    with (
        service("posts", declared) as ending,
        connect() as flags,
        # Two groups read what is announced here, each in its own time; they are to agree.
        Producing(declared, to_broker(), signer("posts"), decide=flags.decide_at_publish) as producing,
    ):
        serve(Posts(declared, flags, producing).app(), ending)


if __name__ == "__main__":
    main()
