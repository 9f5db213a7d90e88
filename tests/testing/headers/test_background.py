"""Work that goes on after the response, of each framework: who does it as the user who asked turns red."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import pennon
import pennon.http
from pennon.headers import Boundary, Contract, public
from pennon.testing.headers import DownstreamSpy, Probe, Unseen, cases_of, run_suite

Work = Callable[[str | None], None]
ROUTE = "POST /orders"
CASE = f"background/actor/{ROUTE}"


@pytest.fixture
def boundary(boundaries: dict[str, Boundary]) -> Boundary:
    """Some are believed, and some not."""
    return boundaries["mesh"]


@pytest.fixture
def probe(contract: Contract) -> Probe:
    return Probe(contract, spy=DownstreamSpy(contract), background=[ROUTE])


@pytest.fixture
def pay(probe: Probe, contract: Contract) -> Iterator[Callable[..., Any]]:
    """A call to a downstream that is told who acts."""
    with pennon.http.httpx(httpx.Client(transport=probe.spy.transport), contract) as client:
        yield partial(client.post, "http://kit.pay.internal/")


@pytest.fixture
def bare(probe: Probe) -> Iterator[Callable[..., Any]]:
    """The same by a client without a door: a door takes off whom somebody names by hand outside of a request."""
    with httpx.Client(transport=probe.spy.transport) as client:
        yield partial(client.post, "http://kit.pay.internal/")


def who() -> str | None:
    """The user of the request that is served."""
    context = pennon.current()
    return None if context is None else context.identity.actor


def as_user(pay: Callable[..., Any], actor: str | None) -> None:
    """It has been told by whom it was begun, and says so."""
    pay(headers={"x-actor-id": actor})


def as_whoever(pay: Callable[..., Any], _actor: str | None) -> None:
    """As whoever the context names."""
    pay()


def detached(pay: Callable[..., Any], _actor: str | None) -> None:
    """As nobody."""
    with pennon.detached():
        pay()


def as_system(pay: Callable[..., Any], _actor: str | None) -> None:
    """As the service itself, for the user."""
    with pennon.system_context("orders", delegated=True):
        pay()


def starlette(probe: Probe, contract: Contract, boundary: Boundary, work: Work) -> Any:
    """Starlette's own background task, which runs before the door closes."""

    async def order(_request: Any) -> Response:
        return PlainTextResponse("later", 202, background=BackgroundTask(work, who()))

    routes = [Route("/orders", order, methods=["POST"]), Mount("/kit", app=probe.asgi)]
    return pennon.http.asgi(Starlette(routes=routes), contract, boundary=boundary)


def fastapi(probe: Probe, contract: Contract, boundary: Boundary, work: Work) -> Any:
    """A task that nobody waits for, which goes on when the door is closed."""
    app = FastAPI()
    left = set()

    async def later(actor: str | None) -> None:
        while who() is not None:
            await asyncio.sleep(0)
        await asyncio.to_thread(work, actor)

    @app.post("/orders")
    async def order() -> str:
        task = asyncio.create_task(later(who()))
        left.add(task)
        task.add_done_callback(left.discard)
        return "later"

    app.mount("/kit", probe.asgi)
    app.add_middleware(partial(pennon.http.asgi, contract=contract, boundary=boundary))
    return app


def fastapi_own(probe: Probe, contract: Contract, boundary: Boundary, work: Work) -> Any:
    """FastAPI's own background tasks, in its pool of threads."""
    app = FastAPI()

    @app.post("/orders")
    def order(tasks: BackgroundTasks) -> str:
        tasks.add_task(work, who())
        return "later"

    app.mount("/kit", probe.asgi)
    return pennon.http.asgi(app, contract, boundary=boundary)


def flask(probe: Probe, contract: Contract, boundary: Boundary, work: Work) -> Any:
    """What Flask calls when the response is closed."""
    app = Flask("kit")

    @app.post("/orders")
    def order() -> Any:
        response = app.make_response("later")
        response.call_on_close(partial(work, who()))
        return response

    inner = DispatcherMiddleware(app.wsgi_app, {"/kit": probe.wsgi})
    return pennon.http.wsgi(inner, contract, boundary=boundary)


def flask_thread(probe: Probe, contract: Contract, boundary: Boundary, work: Work) -> Any:
    """A thread, which begins when the request is over."""
    app = Flask("kit")

    def later(closed: Event, actor: str | None) -> None:
        closed.wait(5)
        work(actor)

    @app.post("/orders")
    def order() -> Any:
        response, closed = app.make_response("later"), Event()
        response.call_on_close(closed.set)
        Thread(target=later, args=(closed, who()), daemon=True).start()
        return response

    inner = DispatcherMiddleware(app.wsgi_app, {"/kit": probe.wsgi})
    return pennon.http.wsgi(inner, contract, boundary=boundary)


SERVICES = [starlette, fastapi, fastapi_own, flask, flask_thread]


def run(app: Any, contract: Contract, boundary: Boundary, probe: Probe) -> None:
    """That case alone."""
    (case,) = [each for each in cases_of(contract, boundary, background=probe.background) if each.id == CASE]
    case.run(app, probe=probe, path="/kit/")


@pytest.mark.req(72, 76, 93, 126)
@pytest.mark.parametrize("service", SERVICES)
def test_service_that_acts_as_the_user_after_the_response_turns_red(
    service: Any, contract: Contract, boundary: Boundary, probe: Probe, bare: Any
) -> None:
    """Because it was told the name, in whatever way it goes on, and to whomever it says so."""
    for work, place in ((partial(as_user, bare), "kit.pay.internal"), (probe.look, "probe.look()")):
        with pytest.raises(AssertionError, match=re.escape(f"came: one does at {place}")):
            run(service(probe, contract, boundary, work), contract, boundary, probe)


@pytest.mark.req(72, 76, 93, 126)
@pytest.mark.parametrize("service", [starlette, fastapi_own, flask])
def test_work_that_runs_before_the_door_closes_turns_red_by_itself(
    service: Any, contract: Contract, boundary: Boundary, probe: Probe, pay: Any
) -> None:
    """The context still names the user there, also where no call is made."""
    for work in (partial(as_whoever, pay), lambda _: probe.look()):
        with pytest.raises(AssertionError, match="expected: no user acts after the response"):
            run(service(probe, contract, boundary, work), contract, boundary, probe)


@pytest.mark.req(72, 76, 93, 126)
@pytest.mark.parametrize("work", [detached, as_system])
@pytest.mark.parametrize("service", SERVICES)
def test_service_that_leaves_the_user_behind_passes(
    service: Any, work: Any, contract: Contract, boundary: Boundary, probe: Probe, pay: Any
) -> None:
    """As nobody, or as the service itself, which may say for whom."""
    run(service(probe, contract, boundary, partial(work, pay)), contract, boundary, probe)


@pytest.mark.req(76, 93)
@pytest.mark.parametrize("service", [fastapi, flask_thread])
def test_work_that_outlives_the_door_is_nobody_s(
    service: Any, contract: Contract, boundary: Boundary, probe: Probe, pay: Any
) -> None:
    """A task or thread that takes who acts from the context alone: none is there any more."""
    run(service(probe, contract, boundary, partial(as_whoever, pay)), contract, boundary, probe)


@pytest.mark.req(126)
def test_whole_suite_asks_the_routes_of_its_probe(
    contract: Contract, boundary: Boundary, probe: Probe, pay: Any
) -> None:
    """One case more for each."""
    count = len(cases_of(contract, boundary)) + 1

    assert count == run_suite(
        starlette(probe, contract, boundary, partial(as_system, pay)), contract, probe=probe, path="/kit/"
    )


@pytest.mark.req(126)
def test_case_that_sees_nothing_does_not_pass(
    contract: Contract, boundary: Boundary, probe: Probe, pay: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No work is seen, no such route is there, or nobody is a user."""
    monkeypatch.setattr("pennon.testing.headers.background_cases._LIMIT_S", 0.05)
    empty = Starlette(routes=[Mount("/kit", app=probe.asgi)])
    with pytest.raises(AssertionError, match="came: nothing did"):
        run(starlette(probe, contract, boundary, lambda _: None), contract, boundary, probe)
    with pytest.raises(AssertionError, match="came: status 404"):
        run(pennon.http.asgi(empty, contract, boundary=boundary), contract, boundary, probe)
    with pytest.raises(Unseen, match="nobody whom the suite knows acts as a user"):
        run(starlette(probe, contract, public(), partial(as_whoever, pay)), contract, public(), probe)


def test_route_that_is_none_is_refused(contract: Contract) -> None:
    """With what one looks like."""
    with pytest.raises(ValueError, match=r"'/orders' is not a method and a path; e\.g\. 'POST /orders'"):
        Probe(contract, background=["/orders"])


@pytest.mark.req(126)
def test_example_of_the_page_turns_red_without_its_system_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands it passes."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "testing.md").read_text()
    first, example = (
        next(each for each in page.split("```")[1::2] if mark in each) for mark in ("cases_of", "/charges")
    )
    space: dict[str, Any] = {}
    exec(compile(first.removeprefix("python") + example.removeprefix("python"), "testing.md", "exec"), space)

    space["test_nobody_acts_after_the_response"](run_suite)
    monkeypatch.setattr(pennon, "system_context", lambda *_, **__: nullcontext())
    with pytest.raises(AssertionError, match=r"one does at payments\.internal"):
        space["test_nobody_acts_after_the_response"](run_suite)
