"""Services that are right, of each framework and each shape: the suite has nothing to say against them."""

from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

import pennon.http
from pennon.headers import Boundary, Contract
from pennon.testing.headers import Caller, HostileHeaders, Probe, cases_of, run_suite


async def posted(_request: Any) -> Response:
    """Only for who posts."""
    return PlainTextResponse("done")


async def streamed(_request: Any) -> Response:
    """In pieces."""

    async def pieces() -> Any:
        for _ in range(3):
            yield b"piece"

    return StreamingResponse(pieces())


class Authenticated(BaseHTTPMiddleware):
    """Whoever does not say who it is, is turned away."""

    async def dispatch(self, request: Any, call_next: Any) -> Response:
        if "authorization" not in request.headers:
            return PlainTextResponse("who?", 401)
        answer: Response = await call_next(request)
        return answer


@pytest.fixture
def boundary(boundaries: dict[str, Boundary]) -> Boundary:
    """Some are believed, and some not."""
    return boundaries["mesh"]


def test_door_of_a_flask_application_is_found_in_it(contract: Contract, boundary: Boundary) -> None:
    """It keeps its name; the door is its `wsgi_app`."""
    flask = Flask("kit")
    flask.wsgi_app = pennon.http.wsgi(flask.wsgi_app, contract, boundary=boundary)  # type: ignore[method-assign]

    assert run_suite(flask, contract) == len(cases_of(contract, boundary))


@pytest.mark.parametrize("kind", ["starlette", "fastapi"])
def test_buried_door_is_looked_into_by_a_probe(kind: str, contract: Contract, boundary: Boundary) -> None:
    """A middleware among others: what the probe cannot see, the door that stands in there is asked."""
    probe = Probe(contract)
    door = partial(pennon.http.asgi, contract=contract, boundary=boundary)
    app: Any
    if kind == "starlette":
        routes = [Route("/orders", posted, methods=["POST"]), Mount("/kit", app=probe.asgi)]
        app = Starlette(routes=routes, middleware=[Middleware(GZipMiddleware), Middleware(door)])
    else:
        app = FastAPI()
        app.mount("/kit", probe.asgi)
        app.add_middleware(door)

    count = run_suite(app, contract, probe=probe, path="/kit/")
    assert len(cases_of(contract, boundary)) == count
    assert HostileHeaders().run(app, contract, boundary=boundary, probe=probe, path="/kit/") > 50
    # A mount answers the path without its slash by a redirection.
    with pytest.raises(AssertionError, match="came: status 307, and nothing came to the probe"):
        run_suite(app, contract, probe=probe, path="/kit")
    with pytest.raises(AssertionError, match="came: status 307, and nothing came to the probe"):
        HostileHeaders().run(app, contract, boundary=boundary, probe=probe, path="/kit")


@pytest.mark.parametrize(
    "around",
    [
        lambda app: app,
        partial,
        GZipMiddleware,
        lambda app: Starlette(routes=[Mount("/", app=app)]),
    ],
    ids=["itself", "partial", "compressing", "mounted"],
)
@pytest.mark.parametrize(
    "inside",
    [
        Starlette(routes=[Route("/", posted, methods=["POST"])]),
        Starlette(routes=[Route("/healthz", posted), Route("/", streamed)]),
        Authenticated(Starlette(routes=[Route("/", streamed)])),
    ],
    ids=["only posts", "streams", "wants to know who asks"],
)
def test_application_of_any_kind_passes_from_outside(
    inside: Any, around: Any, contract: Contract, boundary: Boundary
) -> None:
    """Its own answers are its own: 404, 405, 401, pieces."""
    app = around(pennon.http.asgi(inside, contract, boundary=boundary))

    assert run_suite(app, contract, boundary=boundary, outside_only=True) > 10


@pytest.mark.parametrize(
    ("around", "proof"),
    [
        (partial(TrustedHostMiddleware, allowed_hosts=["shop.example"]), ("Host", "shop.example")),
        (Authenticated, ("authorization", "Bearer kit")),
    ],
    ids=["host", "credential"],
)
def test_application_that_refuses_before_the_door_is_asked_by_whom_it_serves(
    around: Any, proof: tuple[str, str], contract: Contract, boundary: Boundary
) -> None:
    """Callers bring what it wants, its own host among that."""
    app = around(pennon.http.asgi(Starlette(), contract, boundary=boundary))
    known, stranger = Caller("10.0.0.1", (proof,)), Caller("203.0.113.7", (proof,))

    asked = partial(run_suite, app, contract, boundary=boundary, outside_only=True)
    assert asked(verified=known, stranger=stranger) > 10
    with pytest.raises(AssertionError, match=r"came: 0 lines, status 40[01]"):
        asked()
