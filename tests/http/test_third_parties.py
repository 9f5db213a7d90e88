"""What hosts receive, byte by byte: the declared one the decision, everybody else nothing of ours.

Through the sync and the async door, past them, and after redirects; alone, and beside OpenTelemetry's instrumentations,
installed before our doors and after.
"""

import asyncio
import re
import socketserver
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import fastapi
import httpx
import pytest
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from starlette.background import BackgroundTask

import pennon.http
from pennon import ambient
from pennon.carry import encode_entries
from pennon.context import Entry, Origin
from pennon.headers import Contract, Downstream, mesh, networks, public

pytestmark = pytest.mark.slow

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
ARRIVED = encode_entries([Entry(1, 2, 3, 29_000_000, 99, 1, Origin.SPLIT, 41)]).value
TOKEN = "eyJhbGciOiJFZERTQSJ9.e30.c2ln"
SENT = {
    "traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01",
    "baggage": f"region=eu,pennon={ARRIVED},pennon2=later",
    "x-request-id": "req-from-caller",
    "x-correlation-id": "journey-from-caller",
    "pennon-override": TOKEN,
}
# What a careless caller copies in.
BY_HAND = {
    "Pennon-Override": TOKEN,
    "Pennon-Decided": ARRIVED,
    "Baggage": f"pennon={ARRIVED}",
    "X-Request-Id": "req-from-caller",
}

Carried = Callable[[list[bytes]], list[tuple[int, str]]]
Serve = Callable[..., str]


class Host(socketserver.ThreadingTCPServer):
    """It keeps the bytes of each request by path, and answers 204; /to/{host:port}/… redirects there."""

    daemon_threads = True

    def __init__(self) -> None:
        self.received: dict[str, bytes] = {}
        super().__init__(("127.0.0.1", 0), _Handler)
        self.at = f"127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def end(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(socketserver.StreamRequestHandler):
    server: Host

    def handle(self) -> None:
        lines = iter(self.rfile.readline, b"\r\n")
        received = b"".join(lines)
        path = received.split(b" ", 2)[1].decode()
        self.server.received[path] = received
        status = b"204 No Content"
        if path.startswith("/to/"):
            host, _, rest = path.removeprefix("/to/").partition("/")
            status = f"307 Temporary Redirect\r\nlocation: http://{host}/redirected-{rest}".encode()
        # A host that would like to decide for us, and to be given what we have.
        told = b"pennon-decided: " + ARRIVED.encode()
        self.wfile.write(b"HTTP/1.1 " + status + b"\r\n" + told + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")


class Hosts:
    """One that is declared, one that is declared as somebody else's, one that is not declared."""

    def __init__(self) -> None:
        self.declared, self.external, self.undeclared = Host(), Host(), Host()
        downstreams = (
            Downstream("declared", host=self.declared.at),
            Downstream("external", host=self.external.at, external=True),
        )
        self.contract = Contract("test", version="1", owner="tests", downstreams=downstreams)

    def urls(self, way: str) -> list[str]:
        """Where a client goes: every host, and through the declared one to the others."""
        to = f"http://{self.declared.at}/to"
        every = [f"http://{host.at}/{way}" for host in (self.declared, self.external, self.undeclared)]
        return [*every, f"{to}/{self.external.at}/{way}", f"{to}/{self.undeclared.at}/{way}"]

    def end(self) -> None:
        for host in (self.declared, self.external, self.undeclared):
            host.end()


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Three hosts on loopback."""
    started = Hosts()
    yield started
    started.end()


class Hooks:
    """OpenTelemetry's stock instrumentations, put where a test wants them."""

    def __init__(self, place: str) -> None:
        self.place = place

    def at(self, place: str, *clients: Any) -> None:
        """Install those that belong here, if any: for all of httpx, or for these clients."""
        if self.place == place:
            HTTPXClientInstrumentor().instrument()
        elif self.place == f"{place}, each client":
            for client in clients:
                HTTPXClientInstrumentor.instrument_client(client)

    def in_app(self, place: str, app: fastapi.FastAPI) -> None:
        """Instrument the application, if it is instrumented here."""
        if self.place.startswith(place):
            FastAPIInstrumentor.instrument_app(app)


PLACES = ["nowhere", "an SDK alone", "first", "last", "first, each client", "last, each client"]


@pytest.fixture(params=PLACES)
def hooks(request: pytest.FixtureRequest) -> Iterator[Hooks]:
    """Each place in turn; a recording SDK beside all but the first."""
    if request.param != "nowhere":
        request.getfixturevalue("spans")
    yield Hooks(request.param)
    HTTPXClientInstrumentor().uninstrument()
    if hasattr(BackgroundTask, "_otel_original_call"):
        BackgroundTask.__call__ = BackgroundTask._otel_original_call  # type: ignore[method-assign]
        del BackgroundTask._otel_original_call


def serve_calling(hosts: Hosts, hooks: Hooks, serve: Serve, decide: Callable[[str], str], boundary: Any) -> str:
    """An application that decides, then goes everywhere, in every way; its address."""
    app = fastapi.FastAPI()

    @app.get("/")
    async def calling() -> list[str]:
        decide("blue")
        hooks.at("first")
        async with httpx.AsyncClient(follow_redirects=True) as bare_async:
            with httpx.Client(follow_redirects=True) as bare_sync:
                hooks.at("first", bare_async, bare_sync)
                calls_async = pennon.http.httpx(bare_async, hosts.contract)
                calls_sync = pennon.http.httpx(bare_sync, hosts.contract)
                hooks.at("last", bare_async, bare_sync)

                def sync(url: str, **more: Any) -> Awaitable[httpx.Response]:
                    return asyncio.to_thread(calls_sync.get, url, **more)

                for way, call in (("async", calls_async.get), ("sync", sync)):
                    for url in hosts.urls(way):
                        await call(url)
                    for url in hosts.urls(f"{way}-by-hand"):
                        await call(url, headers=BY_HAND)
        plain = f"http://{hosts.undeclared.at}/plain"
        await asyncio.to_thread(httpx.get, f"{plain}-sync")
        async with httpx.AsyncClient() as past_the_door:
            await past_the_door.get(f"{plain}-async")
        context = ambient.current()
        assert context is not None
        return [context.request_id, context.trace.trace_id]

    hooks.in_app("first", app)
    door = pennon.http.asgi(app, hosts.contract, boundary=boundary)
    hooks.in_app("last", app)
    return serve(door)


def header(name: str, received: bytes) -> list[bytes]:
    """The values of a header in what a host received."""
    return re.findall(rb"(?im)^" + name.encode() + rb": *([^\r\n]*)\r?$", received)


def leaked(received: bytes, *secrets: str) -> list[str]:
    """Which of these stand anywhere in what a host received, in whatever case."""
    return [secret for secret in secrets if secret.lower().encode() in received.lower()]


@pytest.mark.req(95, 100)
@pytest.mark.parametrize("is_public", [False, True], ids=["mesh", "public"])
def test_only_the_declared_host_gets_anything_of_ours(
    is_public: bool, hosts: Hosts, hooks: Hooks, serve: Serve, decide: Callable[[str], str], carried: Carried
) -> None:
    """Neither member nor value nor ids nor headers of ours, however the call goes out."""
    boundary = public() if is_public else mesh(verify=networks("127.0.0.0/8"))
    host = serve_calling(hosts, hooks, serve, decide, boundary)

    answer = httpx.get(f"http://{host}/", headers=SENT, timeout=30)

    assert 200 == answer.status_code
    request_id, trace_id = answer.json()
    ways = [f"{way}{hand}" for way in ("async", "sync") for hand in ("", "-by-hand")]
    expected = [(7, "b")] if is_public else [(99, "\x01"), (7, "b")]
    told = hosts.declared.received
    assert {f"/{way}" for way in ways} == {path for path in told if not path.startswith("/to/")}
    for path, received in told.items():
        assert sorted(expected) == sorted(carried(header("baggage", received))), path
        assert [request_id.encode()] == header("x-request-id", received), path
        assert [] == leaked(received, "pennon-", TOKEN), path
    [member] = {header("baggage", received)[0] for path, received in told.items() if path == "/sync"}
    value = re.findall(rb"pennon=([^,;]+)", member)[0].decode()
    secrets = ["pennon", value, ARRIVED, TOKEN, *value.split("."), "baggage"]

    somebody_else_s = hosts.external.received
    assert {f"/{kind}{way}" for way in ways for kind in ("", "redirected-")} == set(somebody_else_s)
    for path, received in somebody_else_s.items():
        assert [] == leaked(received, *secrets), path

    strangers = hosts.undeclared.received
    past = {"/plain-sync", "/plain-async"}
    assert {f"/{kind}{way}" for way in ways for kind in ("", "redirected-")} | past == set(strangers)
    # The stock hooks are at work where they were put: they write their own header on calls past our doors.
    assert (hooks.place in ("first", "last")) == bool(header("traceparent", strangers["/plain-sync"]))
    for path, received in strangers.items():
        ids = [request_id, "req-from-caller", "journey-from-caller", "x-request-id", "x-correlation-id"]
        assert [] == leaked(received, *(secret for secret in secrets if secret != "baggage"), *ids), path
        # What an instrumented plain call sends beyond that is between its author and OpenTelemetry.
        if path not in past or hooks.place in ("nowhere", "an SDK alone"):
            assert [] == leaked(received, "baggage", "traceparent", "tracestate", trace_id, TRACE_ID), path
