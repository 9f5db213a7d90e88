"""Servers on loopback, a recording SDK, decisions without a control plane."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
import uvicorn
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import pennon.http
from pennon import ambient
from pennon.carry import CARRY_KEY, decode
from pennon.context import Answer, Decision, Environment, Origin, Reason, RequestContext, Scope
from pennon.headers import Boundary, Contract, parse_baggage

Raw = list[tuple[bytes, bytes]]

ENVIRONMENT = Environment(0x1122334455, "production", "pepper")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans that ended, in that order."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # The public setter works once per process.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


@pytest.fixture
def decide() -> Callable[[str], str]:
    """Ask as a client does: the first variant that is offered for the flag in this request is the answer."""

    def decide(variant: str, *, flag_id: int = 7) -> str:
        context = ambient.current()
        assert context is not None, "no request context here"
        answer = Answer("checkout", variant, variant, ord(variant[0]), Reason.SPLIT, Origin.SPLIT, None, 41)
        scope = Scope(ENVIRONMENT, 9, flag_id, "user", 0, carry=True, key=f"9.{flag_id}.0")
        made = context.ledger.enter(Decision(answer, scope, "user-7", 1_790_000_000 * 10**9, Origin.SPLIT, 41))
        assert made.answer.variant is not None
        return made.answer.variant

    return decide


@pytest.fixture
def carried() -> Callable[[list[bytes]], list[tuple[int, str]]]:
    """The decisions in the baggage lines of a request: flag id and first letter of the variant, one member at most."""

    def carried(lines: list[bytes]) -> list[tuple[int, str]]:
        ours = [member.value for member in parse_baggage(lines).members if member.key == CARRY_KEY]
        assert len(ours) <= 1
        return [(entry.flag_id, chr(entry.variant_id)) for value in ours for entry in decode(value).entries]

    return carried


class _Server(uvicorn.Server):
    """Told of its start, so that nobody polls for it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@contextmanager
def _served(app: Any, options: dict[str, Any]) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", **options)
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert server.is_up.wait(60)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve an ASGI app on a port of its own until the test ends; its host:port."""
    with ExitStack() as stack:
        yield lambda app, **options: stack.enter_context(_served(app, {"lifespan": "off", **options}))


@pytest.fixture(scope="module")
def serve_on() -> Iterator[Callable[..., str]]:
    """The same, until the last test of the module ends."""
    with ExitStack() as stack:
        yield lambda app, **options: stack.enter_context(_served(app, {"lifespan": "off", **options}))


@dataclass
class Asked:
    """A request through a door: what its application saw, and how it was answered."""

    contexts: list[RequestContext] = field(default_factory=list)
    seen: Raw = field(default_factory=list)
    status: int = 0
    headers: Raw = field(default_factory=list)
    body: bytes = b""

    @property
    def was_served(self) -> bool:
        """Whether the application was called."""
        return bool(self.contexts)

    @property
    def context(self) -> RequestContext:
        """The request's."""
        [context] = self.contexts
        return context

    def enter(self, headers: Iterable[tuple[bytes, bytes]], run: Callable[[], object] | None) -> None:
        """The application is called."""
        context = ambient.current()
        assert context is not None, "no request context here"
        self.contexts.append(context)
        self.seen = list(headers)
        if run is not None:
            run()


def _through_asgi(
    contract: Contract,
    boundary: Boundary,
    sent: Raw,
    *,
    answer: Raw | None = None,
    run: Callable[[], object] | None = None,
    method: str = "GET",
    **options: Any,
) -> Asked:
    asked = Asked()

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        asked.enter(scope["headers"], run)
        await send({"type": "http.response.start", "status": 204, "headers": answer or []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            asked.status, asked.headers = message["status"], list(message["headers"])
        else:
            asked.body += message["body"]

    peers = {"client": ("127.0.0.1", 4711), "server": ("127.0.0.1", 80)}
    scope = {"type": "http", "method": method, "path": "/", "scheme": "http", **peers, "headers": list(sent)}
    asyncio.run(pennon.http.asgi(app, contract, boundary=boundary, **options)(scope, receive, send))
    return asked


def environ_of(sent: Raw, **more: Any) -> dict[str, Any]:
    """A request from loopback as gunicorn would have it: names folded, lines that repeat joined."""
    environ: dict[str, Any] = {
        "SERVER_SOFTWARE": "gunicorn/27.0.1",
        "REMOTE_ADDR": "127.0.0.1",
        "QUERY_STRING": "",
    } | more
    for name, value in sent:
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    setup_testing_defaults(environ)
    return environ


def _through_wsgi(
    contract: Contract,
    boundary: Boundary,
    sent: Raw,
    *,
    answer: Raw | None = None,
    run: Callable[[], object] | None = None,
    method: str = "GET",
    **options: Any,
) -> Asked:
    asked = Asked()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        headers = [
            (key[5:].replace("_", "-").lower().encode("latin-1", "replace"), value.encode("latin-1"))
            for key, value in environ.items()
            if key.startswith("HTTP_")
        ]
        asked.enter(headers, run)
        start_response("204 No Content", [(name.decode(), value.decode()) for name, value in answer or []])
        return [b""]

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        asked.status = int(status[:3])
        asked.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]

    door = pennon.http.wsgi(app, contract, boundary=boundary, **options)
    body: Any = door(environ_of(sent, REQUEST_METHOD=method), start_response)
    try:
        asked.body = b"".join(body)
    finally:
        if hasattr(body, "close"):
            body.close()
    return asked


@pytest.fixture
def through() -> dict[str, Callable[..., Asked]]:
    """Ask an application through a door, "asgi" or "wsgi": of a contract, with a boundary, sending these headers."""
    return {"asgi": _through_asgi, "wsgi": _through_wsgi}


@pytest.fixture
def environ() -> Callable[..., dict[str, Any]]:
    """Makes a WSGI environ of headers; what is named replaces gunicorn's."""
    return environ_of
