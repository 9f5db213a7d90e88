"""Both doors over real sockets: uvicorn, Starlette and FastAPI, real httpx transports."""

import asyncio
import threading
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import aiohttp
import fastapi
import httpx
import pytest
import requests
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.responses import StreamingResponse

import pennon.http
from pennon import ambient
from pennon.headers import BaggagePolicy, Contract, Downstream, UnknownHeaders, mesh, networks, public

pytestmark = pytest.mark.slow

OURS = {"baggage", "x-request-id", "x-correlation-id"}

Decide = Callable[[str], str]
Carried = Callable[[list[bytes]], list[tuple[int, str]]]
Serve = Callable[..., str]


class Sink:
    """A host that remembers the headers of every path; /redirect… goes to another host."""

    def __init__(self, redirects_to: str = "") -> None:
        self.received: dict[str, dict[str, list[bytes]]] = {}
        self._redirects_to = redirects_to

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        lines: dict[str, list[bytes]] = defaultdict(list)
        for name, value in scope["headers"]:
            lines[name.decode()].append(value)
        self.received[scope["path"]] = lines
        status, headers = 204, []
        if scope["path"].startswith("/redirect"):
            status = 307
            headers = [(b"location", f"http://{self._redirects_to}/from{scope['path'].replace('/', '-')}".encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class Hosts:
    """A declared host, an undeclared one, and the contract that says so."""

    def __init__(self, serve: Serve) -> None:
        self.undeclared = Sink()
        self.undeclared_host = serve(self.undeclared)
        self.declared = Sink(self.undeclared_host)
        self.declared_host = serve(self.declared)
        self.contract = Contract(
            "test",
            version="1",
            owner="tests",
            baggage=BaggagePolicy(allow=("region",)),
            downstreams=(Downstream("sink", host=self.declared_host),),
        )


@pytest.fixture
def hosts(serve: Serve) -> Hosts:
    """Two hosts on loopback."""
    return Hosts(serve)


def app_of(hosts: Hosts, decide: Decide) -> fastapi.FastAPI:
    """Endpoints that ask from many places of a request and call both hosts."""
    app = fastapi.FastAPI()
    calls = pennon.http.httpx(httpx.Client(follow_redirects=True), hosts.contract)
    app.state.calls = calls

    def first() -> str:
        return decide("blue")

    @app.get("/sync")
    def sync_endpoint(asked: Annotated[str, fastapi.Depends(first)]) -> list[str]:
        answers = [asked, decide("green")]
        calls.get(f"http://{hosts.declared_host}/sync")
        return answers

    @app.get("/gather")
    async def gather_endpoint() -> list[str]:
        async def child(variant: str) -> str:
            return decide(variant)

        answers = await asyncio.gather(child("blue"), asyncio.to_thread(decide, "green"), child("red"))
        async with httpx.AsyncClient() as bare:
            await pennon.http.httpx(bare, hosts.contract).get(f"http://{hosts.declared_host}/gather")
        return list(answers)

    @app.get("/calls")
    async def calls_endpoint() -> None:
        decide("blue")
        async with pennon.http.httpx(httpx.AsyncClient(follow_redirects=True), hosts.contract) as async_calls:
            for host in (hosts.declared_host, hosts.undeclared_host):
                await async_calls.get(f"http://{host}/async")
                await asyncio.to_thread(calls.get, f"http://{host}/sync")
            await async_calls.get(f"http://{hosts.declared_host}/redirect/async")
            await asyncio.to_thread(calls.get, f"http://{hosts.declared_host}/redirect/sync")
        await asyncio.to_thread(httpx.get, f"http://{hosts.undeclared_host}/plain")

    return app


@pytest.mark.parametrize("path", ["/sync", "/gather"])
def test_askers_of_one_request_share_its_ledger(
    path: str, hosts: Hosts, serve: Serve, decide: Decide, carried: Carried
) -> None:
    """A sync endpoint and its sync dependency, gathered children, threads: one answer, and it leaves."""
    app = app_of(hosts, decide)
    host = serve(pennon.http.asgi(app, hosts.contract, boundary=public()))

    answers = httpx.get(f"http://{host}{path}").json()
    app.state.calls.close()

    assert 1 == len(set(answers)), answers
    assert [(7, answers[0][0])] == carried(hosts.declared.received[path]["baggage"])


@pytest.fixture(params=["alone", "beside an SDK", "beside OpenTelemetry's instrumentations"])
def hook(request: pytest.FixtureRequest) -> Iterator[Callable[[fastapi.FastAPI], None]]:
    """Installs the stock instrumentations in an application and all of httpx, or nothing."""
    if request.param != "alone":
        request.getfixturevalue("spans")
    if request.param != "beside OpenTelemetry's instrumentations":
        yield lambda app: None
        return
    HTTPXClientInstrumentor().instrument()
    yield FastAPIInstrumentor.instrument_app
    HTTPXClientInstrumentor().uninstrument()
    if hasattr(BackgroundTask, "_otel_original_call"):
        BackgroundTask.__call__ = BackgroundTask._otel_original_call  # type: ignore[method-assign]
        del BackgroundTask._otel_original_call


def test_only_the_declared_host_gets_anything(
    hosts: Hosts, serve: Serve, decide: Decide, carried: Carried, hook: Callable[[fastapi.FastAPI], None]
) -> None:
    """Sync and async; an undeclared host, a redirect to it and a plain call get nothing of ours."""
    app = app_of(hosts, decide)
    hook(app)
    host = serve(pennon.http.asgi(app, hosts.contract, boundary=mesh(verify=networks("127.0.0.0/8"))))

    sent = {"baggage": "region=e+u;p=1", "x-correlation-id": "journey-1"}
    answer = httpx.get(f"http://{host}/calls", headers=sent)
    app.state.calls.close()

    assert 200 == answer.status_code
    assert "journey-1" == answer.headers["x-correlation-id"]
    for path in ("/async", "/sync", "/redirect/async", "/redirect/sync"):
        lines = hosts.declared.received[path]["baggage"]
        assert [(7, "b")] == carried(lines), path
        assert b"region=e+u;p=1" in lines[0].split(b","), path
        assert 1 == len(hosts.declared.received[path]["traceparent"]), path
    expected = {"/async", "/sync", "/from-redirect-async", "/from-redirect-sync", "/plain"}
    assert expected == set(hosts.undeclared.received)
    for path, lines_of in hosts.undeclared.received.items():
        everything = b" ".join(value for lines in lines_of.values() for value in lines)
        assert b"pennon" not in everything, path
        # What an instrumented plain call sends is between its author and OpenTelemetry; ours is not in it.
        assert path == "/plain" or set() == (OURS | {"traceparent"}) & set(lines_of), path


def test_streamed_response_and_background_share_the_ledger(hosts: Hosts, serve: Serve, decide: Decide) -> None:
    """The ledger is sealed when the whole call ends, not when the handler returns."""
    app = fastapi.FastAPI()
    asked: list[str] = []
    is_over = threading.Event()

    @app.get("/")
    async def endpoint() -> StreamingResponse:
        asked.append(decide("blue"))

        async def body() -> Any:
            asked.append(decide("green"))
            yield b"x"

        tasks = BackgroundTasks()
        tasks.add_task(lambda: asked.append(decide("red")))
        tasks.add_task(is_over.set)
        return StreamingResponse(body(), background=tasks)

    host = serve(pennon.http.asgi(app, hosts.contract, boundary=public()))
    httpx.get(f"http://{host}/")

    assert is_over.wait(60)
    assert ["blue", "blue", "blue"] == asked


def test_requests_do_not_share_a_ledger(hosts: Hosts, serve: Serve, decide: Decide) -> None:
    """What one request decided, the next decides for itself, on the same connection."""
    variants = iter(["blue", "green"])
    app = fastapi.FastAPI()
    app.add_api_route("/", lambda: decide(next(variants)))
    host = serve(pennon.http.asgi(app, hosts.contract, boundary=public()))

    with httpx.Client() as client:
        assert ["blue", "green"] == [client.get(f"http://{host}/").json() for _ in range(2)]


HOSTILE = {
    "8 kB of baggage": b"baggage: k=" + b"a" * 8_192 + b"\r\n",
    "5,000 headers": b"".join(b"x-%d: v\r\n" % n for n in range(5_000)),
    "1 MB": b"x-big: " + b"a" * 1_000_000 + b"\r\n",
    "200 members": b"baggage: " + b",".join(b"k%d=v" % n for n in range(200)) + b"\r\n",
    "broken traceparent": b"traceparent: 00-" + b"z" * 51 + b"\r\n",
    "two traceparents": (b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01\r\n") * 2,
    "bytes that are no UTF-8": b"baggage: k=\xff\xfe\r\nx-request-id: \xff\r\ntraceparent: \xfe\r\n",
    "8,000 commas": b"baggage: " + b"," * 8_000 + b"\r\n",
    "folded": b"baggage: a=1,\r\n b=2\r\n",
}


@pytest.mark.parametrize("parser", ["httptools", "h11"])
def test_hostile_requests_do_not_reach_the_application_s_patience(hosts: Hosts, serve: Serve, parser: str) -> None:
    """Each is served within the limits or refused with a 4xx, by whichever parser; none is a 500."""
    app = fastapi.FastAPI()

    @app.get("/")
    def endpoint() -> int:
        context = ambient.current()
        assert context is not None
        return sum(len(member.key) + 1 + len(member.value) for member in context.baggage)

    boundary = mesh(verify=networks("127.0.0.0/8"))
    options = {"http": parser} | ({"h11_max_incomplete_event_size": 4_000_000} if parser == "h11" else {})
    host = serve(pennon.http.asgi(app, hosts.contract, boundary=boundary), **options)

    answers = {what: asyncio.run(_ask(host, lines)) for what, lines in HOSTILE.items()}

    statuses = {what: int(answer.split(b" ", 2)[1]) for what, answer in answers.items()}
    assert {200, 400, 431} >= set(statuses.values()), statuses
    for what in ("8 kB of baggage", "5,000 headers", "1 MB"):
        assert 431 == statuses[what], what
        assert b"aaaa" not in answers[what]
    for what in ("200 members", "broken traceparent", "two traceparents", "bytes that are no UTF-8", "8,000 commas"):
        assert 200 == statuses[what], what
        assert int(answers[what].rsplit(b"\r\n", 1)[1]) <= 1_024
    assert 0 == httpx.get(f"http://{host}/").json()


async def _ask(host: str, lines: bytes) -> bytes:
    """The whole answer to a request with these header lines."""
    address, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(address, int(port))
    writer.write(b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n" + lines + b"\r\n")
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.req(12)
def test_strict_contract_serves_every_client_as_it_comes(serve: Serve) -> None:
    """What httpx, requests, aiohttp and urllib send by themselves is known, over HTTP/1.1 and as a WebSocket asks."""
    strict = Contract("strict", version="1", owner="tests", unknown=UnknownHeaders.REJECT)
    host = serve(pennon.http.asgi(Sink(), strict, boundary=public()))
    url = f"http://{host}/"

    async def by_aiohttp() -> tuple[int, int]:
        async with aiohttp.ClientSession(cookies={"a": "b"}) as session:
            async with session.post(url, json={"a": 1}) as answer:
                posted = answer.status
            try:
                await session.ws_connect(url, protocols=["chat"])
            except aiohttp.WSServerHandshakeError as refusal:
                return posted, refusal.status
        return posted, 0

    with urllib.request.urlopen(urllib.request.Request(url, data=b"x")) as answer:
        assert 204 == answer.status
    assert 204 == httpx.get(url).status_code
    assert 204 == requests.post(url, files={"a": b"x"}, timeout=60).status_code
    assert 400 == httpx.get(url, headers={"x-nobody-knows": "1"}).status_code
    # A sink is no WebSocket's host: uvicorn says so for it. Refused by the door it would be 400.
    assert (204, 500) == asyncio.run(by_aiohttp())
