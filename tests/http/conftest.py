"""Servers on loopback, a recording SDK, decisions without a control plane."""

import socket
import threading
import time
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
from pennon import carry as carrying
from pennon.carry import CARRY_KEY, decode
from pennon.context import Answer, Decision, Environment, Origin, Reason, Scope
from pennon.flags import (
    FlagRecord,
    FlagType,
    Ruleset,
    RulesetRecord,
    ServeRecord,
    SplitRecord,
    VariantRecord,
    ranges_of,
)
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


class Replica:
    """What one service knows of the flag `checkout`, a split in which all get one variant; it asks as a client does.

    revision: of the flag and the ruleset. notes: what the asks were to count.
    """

    def __init__(self, variant: str, *, revision: int = 41) -> None:
        variants = (VariantRecord("off", 1, value=False), VariantRecord("on", 2, value=True))
        serve = ServeRecord(split=SplitRecord("m3-cbor", "salt", 1, ranges_of(((variant, 100_000),), 100_000), "off"))
        flag = FlagRecord("checkout", 10, FlagType.BOOLEAN, variants, "off", serve, carry=True, revision=revision)
        self.ruleset = Ruleset.of(RulesetRecord(ENVIRONMENT, 9, revision, flags={"checkout": flag}))
        self.notes: list[carrying.Note] = []

    def ask(self, unit_key: str = "7") -> tuple[str, str]:
        """The variant, and whether it was decided here: SPLIT or CARRIED."""
        context = ambient.current()
        assert context is not None, "no request context here"
        flag = self.ruleset.flag("checkout")
        assert flag is not None
        units = {"user": unit_key}
        made = carrying.decide(
            flag, self.ruleset, context.ledger, unit_key, {}, units, time.time_ns(), self.notes.append
        )
        assert made.answer.variant is not None
        return made.answer.variant, made.answer.reason.value


@pytest.fixture
def replica() -> type[Replica]:
    """Makes services' replicas of one flag, which need not agree."""
    return Replica


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
