"""Servers on loopback, a recording SDK, decisions without a control plane."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import uvicorn
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pennon import ambient
from pennon.carry import CARRY_KEY, decode
from pennon.context import Answer, Decision, Environment, Origin, Reason, Scope
from pennon.headers import parse_baggage

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
        assert server.is_up.wait(10)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve an ASGI app on a port of its own until the test ends; its host:port."""
    with ExitStack() as stack:
        yield lambda app, **options: stack.enter_context(_served(app, {"lifespan": "off", **options}))
