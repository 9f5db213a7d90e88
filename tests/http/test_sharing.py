"""One ledger per request, whoever of it asks: real Starlette and FastAPI applications over real uvicorn.

The first asker decides "blue"; every other one would have decided otherwise, and must not.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import anyio
import fastapi
import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTasks
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

import pennon
import pennon.http
from pennon import ambient
from pennon.client import answering
from pennon.context import Environment, Identity, Ledger, RequestContext
from pennon.flags import EqualsClause, FlagRecord, FlagType, RuleRecord, Ruleset, RulesetRecord, ServeRecord
from pennon.flags import VariantRecord as Variant
from pennon.headers import Contract, public

pytestmark = pytest.mark.slow

CONTRACT = Contract("test", version="1", owner="tests")
PATIENCE_S = 60.0

Decide = Callable[..., str]
Serve = Callable[..., str]
App = Any


@pytest.fixture
def get(serve: Serve) -> Callable[[App], Any]:
    """What an application, behind a door and on a socket, answers to GET /."""

    def get(app: App) -> Any:
        host = serve(pennon.http.asgi(app, CONTRACT, boundary=public()))
        answer = httpx.get(f"http://{host}/", timeout=PATIENCE_S)
        assert 200 == answer.status_code
        return answer.json()

    return get


def at_root(endpoint: Any) -> Starlette:
    """An application of one endpoint."""
    return Starlette(routes=[Route("/", endpoint)])


@pytest.mark.req(93)
def test_tasks_share_it(get: Callable[[App], Any], decide: Decide) -> None:
    """Begun singly, gathered, or in a task group of asyncio's or anyio's; also before anybody had decided."""

    async def ask(variant: str, after: asyncio.Event | None = None) -> str:
        if after is not None:
            await after.wait()
        return decide(variant)

    async def endpoint(_: Request) -> JSONResponse:
        is_decided = asyncio.Event()
        early = asyncio.create_task(ask("early", is_decided))
        answers = [await asyncio.create_task(ask("blue"))]
        is_decided.set()
        answers += [await early, *await asyncio.gather(ask("gathered"), ask("beside"))]
        async with asyncio.TaskGroup() as group:
            grouped = group.create_task(ask("grouped"))
        async with anyio.create_task_group() as nursery:
            nursery.start_soon(ask, "anyio")
        return JSONResponse([*answers, grouped.result(), decide("own")])

    assert {"blue"} == set(get(at_root(endpoint)))


@pytest.mark.req(93)
def test_threads_share_it_and_plain_ones_start_without(get: Callable[[App], Any], decide: Decide) -> None:
    """What copies the context is in the request; Python's own executors and threads are not, and ask outside one."""

    async def endpoint(_: Request) -> JSONResponse:
        loop = asyncio.get_running_loop()
        answers = [decide("blue"), await asyncio.to_thread(decide, "to_thread")]
        answers.append(await anyio.to_thread.run_sync(decide, "anyio"))
        outside: list[object] = []
        with pennon.ContextExecutor(1) as carrying, ThreadPoolExecutor(1) as plain:
            answers.append(await loop.run_in_executor(carrying, decide, "executor"))
            answers.append(carrying.submit(decide, "submitted").result())
            outside.append(await loop.run_in_executor(plain, ambient.current))
            outside.append(await loop.run_in_executor(None, ambient.current))
        thread = threading.Thread(target=lambda: outside.append(ambient.current()))
        thread.start()
        thread.join()
        assert [None] * 3 == outside
        return JSONResponse(answers)

    assert {"blue"} == set(get(at_root(endpoint)))


def test_first_decision_may_be_a_thread_s(get: Callable[[App], Any], decide: Decide) -> None:
    """Context variables do not come back from threads and tasks; the ledger is one object, so decisions do."""

    async def endpoint(_: Request) -> JSONResponse:
        return JSONResponse([await asyncio.to_thread(decide, "blue"), decide("own")])

    assert {"blue"} == set(get(at_root(endpoint)))


@pytest.mark.parametrize("is_async", [False, True])
def test_endpoint_and_its_dependencies_share_it(get: Callable[[App], Any], decide: Decide, is_async: bool) -> None:
    """Sync ones, async ones, and both halves of those that yield, under a sync and under an async endpoint."""
    asked: list[str] = []
    is_over = threading.Event()

    def first() -> str:
        return decide("blue")

    async def awaited() -> str:
        return decide("awaited")

    def yielding() -> Iterator[str]:
        yield decide("yielding")
        asked.append(decide("after"))
        is_over.set()

    async def yielding_async(inner: Annotated[str, fastapi.Depends(yielding)]) -> AsyncIterator[str]:
        yield inner + decide("async")
        asked.append(decide("after async"))

    def sync_endpoint(
        one: Annotated[str, fastapi.Depends(first)],
        two: Annotated[str, fastapi.Depends(awaited)],
        three: Annotated[str, fastapi.Depends(yielding_async)],
    ) -> list[str]:
        return [one, two, three.replace("blueblue", "blue"), decide("endpoint")]

    async def async_endpoint(
        one: Annotated[str, fastapi.Depends(first)],
        two: Annotated[str, fastapi.Depends(awaited)],
        three: Annotated[str, fastapi.Depends(yielding_async)],
    ) -> list[str]:
        return sync_endpoint(one, two, three)

    app = fastapi.FastAPI()
    app.add_api_route("/", async_endpoint if is_async else sync_endpoint)

    assert {"blue"} == set(get(app))
    assert is_over.wait(PATIENCE_S)
    assert ["blue", "blue"] == asked


def test_middleware_around_the_endpoint_shares_it(get: Callable[[App], Any], decide: Decide) -> None:
    """One that is pure ASGI decides first; one that runs its application in another task does not lose it."""

    class Around:
        def __init__(self, app: App) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                decide("blue")
            await self.app(scope, receive, send)

    app = fastapi.FastAPI()
    app.add_api_route("/", lambda: [decide("endpoint")])

    @app.middleware("http")
    async def in_another_task(request: fastapi.Request, call_next: Any) -> fastapi.Response:
        decide("middleware")
        answer: fastapi.Response = await call_next(request)
        return answer

    app.add_middleware(Around)
    assert ["blue"] == get(app)


@pytest.mark.req(93)
@pytest.mark.parametrize("is_async", [False, True])
def test_streamed_body_and_background_callbacks_share_it(serve: Serve, decide: Decide, is_async: bool) -> None:
    """The response has begun, and may be over: the request lasts as long as its ASGI call."""
    asked: list[str] = []
    is_over = threading.Event()

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            asked.append(decide(f"piece {number}"))
            yield b"x"

    async def pieces_async() -> AsyncIterator[bytes]:
        for piece in pieces():
            yield piece

    async def late() -> None:
        asked.append(decide("late"))

    async def endpoint(_: Request) -> StreamingResponse:
        asked.append(decide("blue"))
        tasks = BackgroundTasks()
        tasks.add_task(late)
        tasks.add_task(lambda: asked.append(decide("late, in a thread")))
        tasks.add_task(is_over.set)
        return StreamingResponse(pieces_async() if is_async else pieces(), background=tasks)

    host = serve(pennon.http.asgi(at_root(endpoint), CONTRACT, boundary=public()))
    assert "xxx" == httpx.get(f"http://{host}/").text

    assert is_over.wait(PATIENCE_S)
    assert ["blue"] * 6 == asked


def test_websocket_has_one_for_as_long_as_it_is_open(decide: Decide, serve: Serve) -> None:
    """Every message of a connection gets the first one's answer; the next connection decides for itself."""
    variants = iter(["blue", "x", "x", "green", "x", "x"])
    ledgers: list[Ledger] = []

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        context = ambient.current()
        assert context is not None
        ledgers.append(context.ledger)
        async for _ in websocket.iter_text():
            await websocket.send_text(decide(next(variants)))

    app = pennon.http.asgi(Starlette(routes=[WebSocketRoute("/", echo)]), CONTRACT, boundary=public())

    assert [["blue"] * 3, ["green"] * 3] == [spoken(app, messages=3) for _ in range(2)]
    assert [True, True] == [ledger.is_sealed for ledger in ledgers]


def spoken(app: App, *, messages: int) -> list[str]:
    """What a WebSocket application answers to so many messages, and the end."""
    incoming: list[dict[str, object]] = [{"type": "websocket.connect"}]
    incoming += [{"type": "websocket.receive", "text": "ask"}] * messages
    incoming.append({"type": "websocket.disconnect", "code": 1000})
    arriving, answered = iter(incoming), []

    async def receive() -> Any:
        return next(arriving)

    async def send(message: Any) -> None:
        if message["type"] == "websocket.send":
            answered.append(message["text"])

    scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b"", "scheme": "ws"}
    asyncio.run(app(scope, receive, send))
    return answered


@pytest.mark.req(92, 93)
def test_task_that_outlives_the_request_is_outside_one(serve: Serve, decide: Decide) -> None:
    """When the door has closed there is no request for it any more, and what was decided stays as it was."""
    seen: list[object] = []
    is_closed, is_over = threading.Event(), threading.Event()
    kept: list[RequestContext] = []
    tasks: list[asyncio.Task[None]] = []

    async def outlive() -> None:
        await asyncio.to_thread(is_closed.wait, PATIENCE_S)
        seen.append(ambient.current())
        is_over.set()

    async def endpoint(_: Request) -> JSONResponse:
        decide("blue")
        context = ambient.current()
        assert context is not None
        kept.append(context)
        tasks.append(asyncio.create_task(outlive()))
        return JSONResponse("done")

    host = serve(closing(pennon.http.asgi(at_root(endpoint), CONTRACT, boundary=public()), is_closed))
    httpx.get(f"http://{host}/")

    assert is_over.wait(PATIENCE_S)
    assert [None] == seen
    assert ["blue"] == [decision.answer.variant for decision in kept[0].ledger.made.values()]


def closing(app: App, is_closed: threading.Event) -> App:
    """The application, and word of its call having ended."""

    async def told(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        is_closed.set()

    return told


class Slow(Mapping[str, object]):
    """Attributes that are read while the test says so."""

    def __init__(self) -> None:
        self.is_read, self.may_go_on = threading.Event(), threading.Event()

    def __getitem__(self, key: str) -> object:
        self.is_read.set()
        assert self.may_go_on.wait(PATIENCE_S)
        return {"plan": "pro"}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["plan"])

    def __len__(self) -> int:
        return 1


def test_evaluation_under_way_finishes_and_goes_nowhere(serve: Serve) -> None:
    """The door closes while a thread evaluates: it gets its answer, the request does not."""
    variants = (Variant("on", 1, value=True), Variant("off", 2, value=False))
    rule = RuleRecord("r1", (EqualsClause("plan", "pro"),), ServeRecord("on"))
    flag = FlagRecord("checkout", 10, FlagType.BOOLEAN, variants, "off", ServeRecord("off"), revision=1, rules=(rule,))
    ruleset = RulesetRecord(Environment(7, "production", "salt"), 1, 1, flags={"checkout": flag})
    slow, is_closed = Slow(), threading.Event()
    kept: list[RequestContext] = []
    evaluated: list[Any] = []

    with answering(Ruleset.of(ruleset)), pennon.connect() as flags, pennon.ContextExecutor(1) as executor:

        async def endpoint(_: Request) -> JSONResponse:
            context = ambient.current()
            assert context is not None
            kept.append(context)
            evaluated.append(executor.submit(flags.decision, "checkout"))
            await asyncio.to_thread(slow.is_read.wait, PATIENCE_S)
            return JSONResponse("done")

        boundary = public(identity=lambda _: Identity(units={"user": "7"}, attributes=slow))
        host = serve(closing(pennon.http.asgi(at_root(endpoint), CONTRACT, boundary=boundary), is_closed))
        httpx.get(f"http://{host}/", timeout=PATIENCE_S)
        assert is_closed.wait(PATIENCE_S)
        slow.may_go_on.set()

        assert ("on", "TARGETING_MATCH") == (evaluated[0].result().variant, evaluated[0].result().reason)
        assert {} == kept[0].ledger.made
