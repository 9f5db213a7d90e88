"""Services that call one another over real sockets, and whose replicas of one flag do not agree."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import pennon.http
from pennon import counters
from pennon.headers import Boundary, Budgets, Contract, Downstream, mesh, networks, public

pytestmark = pytest.mark.slow

TRUSTED = mesh(verify=networks("127.0.0.0/8"))

Serve = Callable[..., str]
Call = Callable[[str], Awaitable[Any]]
Handler = Callable[[Any, Call], Awaitable[Any]]


class Mesh:
    """Starts services; each has a replica, knows those started before it, and believes what they decide."""

    def __init__(self, serve: Serve, replica: Any, stack: ExitStack, *, decides: bool = True, is_sync: bool) -> None:
        self._serve, self._replica, self._stack = serve, replica, stack
        self._decides, self._is_sync = decides, is_sync
        self._hosts: dict[str, str] = {}
        self.replicas: dict[str, Any] = {}

    def start(
        self,
        name: str,
        variant: str,
        handler: Handler,
        *,
        boundary: Boundary = TRUSTED,
        decides_at_ingress: bool = False,
        **known: int,
    ) -> str:
        """A service whose replica would put everybody on this variant; its address.

        handler: gets the replica, and how to call others. known: of the replica.
        """
        replica = self.replicas[name] = self._replica(variant, **known)
        downstreams = [Downstream(each, host=host, decides=self._decides) for each, host in self._hosts.items()]
        contract = Contract(name, version="1", owner="tests", downstreams=downstreams)
        call = self._call(contract)

        async def endpoint(_: Request) -> JSONResponse:
            return JSONResponse(await handler(replica, call))

        app = Starlette(routes=[Route("/", endpoint)])
        decide = replica.ask if decides_at_ingress else None
        self._hosts[name] = self._serve(pennon.http.asgi(app, contract, boundary=boundary, decide=decide))
        return f"http://{self._hosts[name]}/"

    def _call(self, contract: Contract) -> Call:
        """Get another service's answer, through the sync or the async door."""
        if self._is_sync:
            client = self._stack.enter_context(pennon.http.httpx(httpx.Client(), contract))

            async def call(name: str) -> Any:
                response = await asyncio.to_thread(client.get, f"http://{self._hosts[name]}/")
                assert "pennon-decided" not in response.headers
                return response.json()

            return call

        async def call_async(name: str) -> Any:
            async with pennon.http.httpx(httpx.AsyncClient(), contract) as client:
                response = await client.get(f"http://{self._hosts[name]}/")
            assert "pennon-decided" not in response.headers
            return response.json()

        return call_async


@pytest.fixture(params=[False, True], ids=["async", "sync"])
def services(request: pytest.FixtureRequest, serve: Serve, replica: Any) -> Iterator[Mesh]:
    """A mesh that calls through one of the doors."""
    with ExitStack() as stack:
        yield Mesh(serve, replica, stack, is_sync=request.param)


@pytest.fixture
def silent(serve: Serve, replica: Any) -> Iterator[Mesh]:
    """A mesh in which nobody is declared to decide."""
    with ExitStack() as stack:
        yield Mesh(serve, replica, stack, decides=False, is_sync=False)


def conflicts() -> int:
    """How many were counted so far."""
    wanted = (counters.Count.CARRY_NOTED, "conflict")
    return sum(each.total for each in counters.samples() if (each.name, each.cause) == wanted)


async def asking(replica: Any, _: Call) -> list[Any]:
    """A service that asks and calls nobody."""
    return [replica.ask()]


def calling(*names: str) -> Handler:
    """A service that calls these, one after the other, and then asks; what all of them said."""

    async def handler(replica: Any, call: Call) -> list[Any]:
        answers = [each for name in names for each in await call(name)]
        return [*answers, replica.ask()]

    return handler


def chain(services: Mesh) -> list[Any]:
    """What c, b and a answer in one request to a, who calls b, who calls c, before either asks."""
    services.start("c", "on", asking, revision=43)
    services.start("b", "off", calling("c"), revision=42)
    answer = httpx.get(services.start("a", "off", calling("b"), boundary=public()))
    assert "pennon-decided" not in answer.headers
    return list(answer.json())


def test_first_service_learns_what_the_last_one_decided(services: Mesh) -> None:
    """Through the one between, although both would have decided otherwise."""
    assert [["on", "SPLIT"], ["on", "CARRIED"], ["on", "CARRIED"]] == chain(services)


def test_chain_disagrees_where_nobody_is_declared_to_decide(silent: Mesh) -> None:
    """The check above can fail."""
    assert [["on", "SPLIT"], ["off", "SPLIT"], ["off", "SPLIT"]] == chain(silent)


def test_service_between_that_asks_nothing_passes_it_on(services: Mesh) -> None:
    """What it was told it tells, whether or not it knows the flag."""

    async def passing(_: Any, call: Call) -> Any:
        return await call("c")

    services.start("c", "on", asking)
    services.start("b", "off", passing)

    assert [["on", "SPLIT"], ["on", "CARRIED"]] == httpx.get(services.start("a", "off", calling("b"))).json()


def test_calls_one_after_the_other_agree(services: Mesh) -> None:
    """The second callee is told what the first one decided."""
    before = conflicts()
    services.start("b", "on", asking)
    services.start("c", "off", asking)

    answers = httpx.get(services.start("a", "off", calling("b", "c"))).json()

    assert [["on", "SPLIT"], ["on", "CARRIED"], ["on", "CARRIED"]] == answers
    assert before == conflicts()


def at_once(services: Mesh, *, decides_at_ingress: bool) -> tuple[list[Any], list[Any], list[Any]]:
    """What b and c answer to calls at the same time, then d to a later one, and what a asks in the end."""
    together = threading.Barrier(2, timeout=60)

    async def together_asking(replica: Any, _: Call) -> list[Any]:
        await asyncio.to_thread(together.wait)
        return [replica.ask()]

    async def fanning_out(replica: Any, call: Call) -> list[Any]:
        (from_b,), (from_c,) = await asyncio.gather(call("b"), call("c"))
        return [[from_b, from_c], await call("d"), [replica.ask()]]

    services.start("b", "on", together_asking)
    services.start("c", "off", together_asking)
    services.start("d", "off", asking)
    url = services.start("a", "off", fanning_out, decides_at_ingress=decides_at_ingress)
    concurrent, later, own = httpx.get(url).json()
    return concurrent, later, own


def test_concurrent_calls_may_conflict_and_that_is_counted(services: Mesh) -> None:
    """No message connects the deciders. Where both meet one is kept, and all that comes later agrees with it."""
    before = conflicts()

    concurrent, [later], [own] = at_once(services, decides_at_ingress=False)

    assert [["on", "SPLIT"], ["off", "SPLIT"]] == concurrent
    assert later == own
    assert "CARRIED" == own[1]
    assert before + 1 == conflicts()


def test_concurrent_calls_agree_on_what_was_decided_at_ingress(services: Mesh) -> None:
    """The door asks before the application does: there is one decider."""
    before = conflicts()

    concurrent, [later], [own] = at_once(services, decides_at_ingress=True)

    assert [["off", "CARRIED"]] * 3 == [*concurrent, later]
    assert ["off", "SPLIT"] == own
    assert before == conflicts()


def test_websocket_is_decided_for_as_well(replica: Any) -> None:
    """`decide` runs once per connection, before the application."""
    off, seen = replica("off"), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(replica("on").ask())

    async def nothing(*_: Any) -> Any:
        raise AssertionError("neither sent nor received anything")

    contract = Contract("test", version="1", owner="tests")
    door = pennon.http.asgi(app, contract, boundary=public(), decide=off.ask)
    asyncio.run(door({"type": "websocket", "path": "/", "headers": []}, nothing, nothing))

    assert [("off", "SPLIT")] == seen


def test_refused_request_and_lifespan_decide_nothing() -> None:
    """The one is not served, the other is no request."""

    def decide() -> None:
        raise AssertionError("asked")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert "lifespan" == scope["type"]

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    contract = Contract("test", version="1", owner="tests", budgets=Budgets(total_count=1))
    door = pennon.http.asgi(app, contract, boundary=public(), decide=decide)
    asyncio.run(door({"type": "lifespan"}, receive, send))
    asyncio.run(door({"type": "http", "path": "/", "headers": [(b"a", b"1"), (b"b", b"2")]}, receive, send))

    assert 431 == sent[0]["status"]
