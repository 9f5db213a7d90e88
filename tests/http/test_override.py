"""Pennon-Override at the HTTP doors: read at a public boundary, seen by nobody behind it, sent by nobody."""

import asyncio
from typing import Any

import httpx
import pytest

import pennon.http
from pennon import ambient, counters
from pennon.headers import Boundary, Contract, Downstream, mesh, networks, public

CONTRACT = Contract("test", version="1", owner="tests", downstreams=(Downstream("posts", host="posts.internal"),))
TRUSTED = mesh(verify=networks("127.0.0.0/8"))
TOKEN = "eyJhbGciOiJFZERTQSJ9.e30.c2ln"  # no token: it only looks like one


class App:
    """It keeps what it sees of a request, and passes all of it on, to hosts declared and not."""

    def __init__(self) -> None:
        self.override: str | None = None
        self.seen: list[tuple[bytes, bytes]] = []
        self.sent: list[httpx.Request] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        context = ambient.current()
        assert context is not None
        self.override, self.seen = context.ledger.override, list(scope["headers"])
        transport = httpx.MockTransport(self._answer)
        # A careless gateway: it copies what its caller sent, and the token that it found somewhere.
        copied = httpx.Headers([*self.seen, (b"Pennon-Override", TOKEN.encode())])
        del copied["host"]
        async with pennon.http.httpx(httpx.AsyncClient(transport=transport), CONTRACT) as calls:
            for host in ("posts.internal", "elsewhere.example"):
                await calls.get(f"http://{host}/", headers=copied)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return httpx.Response(204)


def get(app: Any, headers: list[tuple[str, str]]) -> httpx.Response:
    """One request from loopback."""

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/", headers=headers)

    return asyncio.run(call())


def misplaced() -> int:
    """How many overrides were dropped for standing where none is read."""
    wanted = (counters.Count.HEADERS_DROPPED, "misplaced")
    return sum(sample.total for sample in counters.samples() if (sample.name, sample.cause) == wanted)


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [(public(), TOKEN), (TRUSTED, None), (mesh(), None), (mesh(verify=networks("10.0.0.0/8")), None)],
)
def test_token_is_read_at_a_public_boundary_only(boundary: Boundary, expected: str | None) -> None:
    """Neither a verified caller in a mesh nor a stranger there may bring one; that is counted."""
    app, before = App(), misplaced()
    get(pennon.http.asgi(app, CONTRACT, boundary=boundary), [("Pennon-Override", TOKEN)])

    assert expected == app.override
    assert (expected is None) == (before + 1 == misplaced())


@pytest.mark.parametrize("boundary", [public(), TRUSTED])
def test_token_is_hidden_and_goes_no_further(boundary: Boundary) -> None:
    """The application does not see it; a copy put in by hand leaves for no host; no response bears it."""
    app = App()
    answer = get(pennon.http.asgi(app, CONTRACT, boundary=boundary), [("Pennon-Override", TOKEN)])

    assert not any(TOKEN.encode() in value for _, value in app.seen)
    assert ["posts.internal", "elsewhere.example"] == [request.url.host for request in app.sent]
    for request in app.sent:
        assert "pennon-override" not in request.headers
        assert TOKEN not in str(request.headers.raw)
    assert TOKEN not in str(answer.headers.raw)


def test_two_tokens_are_none() -> None:
    """Which one was meant is not guessed."""
    app = App()
    get(pennon.http.asgi(app, CONTRACT, boundary=public()), [("Pennon-Override", TOKEN)] * 2)

    assert None is app.override
