"""What spans of the doors say of whose work it is, and how long somebody waits for it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import pennon.http
import pennon.kafka
from pennon.headers import Contract, DeadlineForm, DeadlinePolicy, Downstream, mesh, networks, std
from pennon.headers.proxies import ForwardedSource, TrustedProxies
from pennon.headers.redaction import Redaction

CONTRACT = Contract(
    "test",
    version="1",
    owner="tests",
    fields=(std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF),
    deadline=DeadlinePolicy(accept=["x-request-timeout-ms"], cap_s=30),
    proxies=TrustedProxies(["127.0.0.0/8"], reads=[ForwardedSource.X_FORWARDED]),
    downstreams=(
        Downstream("posts", host="posts.internal", deadline=DeadlineForm.TIMEOUT_MS),
        Downstream("feed", topic="feed", tenant=True, actor=True),
    ),
)
SENT = {
    "x-tenant-id": "tenant-42",
    "x-actor-id": "user-991",
    "x-actor-type": "SUPPORT",
    "x-on-behalf-of": "user-7",
    "x-request-timeout-ms": "4000",
}
OURS = mesh(verify=networks("127.0.0.0/8"))
SALT = "fleet"
NOTHING: Mapping[str, str] = {}

Spans = InMemorySpanExporter


@pytest.fixture(autouse=True)
def _salt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENNON_LOG_SALT", SALT)


def hashed(field: str, value: str) -> str:
    """As the contract lets it be said."""
    return Redaction(CONTRACT, salt=SALT.encode()).safe_value(field, value)


def served(
    spans: Spans, wrap: Callable[[Any], Any] = lambda app: app, *, more: Mapping[str, str] = NOTHING
) -> dict[SpanKind, Mapping[str, Any]]:
    """A request that calls posts; the attributes of its spans."""
    transport = httpx.MockTransport(lambda _: httpx.Response(204))
    client = pennon.http.httpx(httpx.Client(transport=transport), CONTRACT)

    async def handle(_: Request) -> Response:
        client.get("http://posts.internal/")
        return Response()

    app = pennon.http.asgi(wrap(Starlette(routes=[Route("/", handle)])), CONTRACT, boundary=OURS)

    async def call() -> None:
        inside = httpx.ASGITransport(app, client=("127.0.0.1", 4711))
        async with httpx.AsyncClient(transport=inside, base_url="http://here") as asking:
            await asking.get("/", headers={**SENT, **more})

    asyncio.run(call())
    return {span.kind: span.attributes or {} for span in spans.get_finished_spans()}


@pytest.mark.req(39, 90)
@pytest.mark.parametrize("wrap", [lambda app: app, OpenTelemetryMiddleware], ids=["ours", "an instrumentation's"])
def test_server_span_says_whose_work_it_is_as_the_contract_lets_it(wrap: Any, spans: Spans) -> None:
    """Ids are hashed, the type stands in clear; also where somebody else makes the span."""
    said = served(spans, wrap)[SpanKind.SERVER]

    assert {
        "pennon.tenant": hashed("x-tenant-id", "tenant-42"),
        "pennon.actor": hashed("x-actor-id", "user-991"),
        "pennon.on_behalf_of": hashed("x-on-behalf-of", "user-7"),
        "pennon.actor_type": "SUPPORT",
    } == {name: said[name] for name in said if name in IDENTITY}
    for secret in ("tenant-42", "user-991", "user-7"):
        assert secret not in str(dict(said))


IDENTITY = {"pennon.tenant", "pennon.actor", "pennon.on_behalf_of", "pennon.actor_type"}


@pytest.mark.req(62, 66)
def test_spans_say_how_long_somebody_waits(spans: Spans) -> None:
    """The request's, when it came in; the call's, without the margin, never more."""
    said = served(spans)

    left, told = (said[kind]["pennon.deadline_left_ms"] for kind in (SpanKind.SERVER, SpanKind.CLIENT))
    assert 3_000 < told < left <= 4_000


@pytest.mark.req(11)
def test_proxy_is_the_peer_and_not_the_client(spans: Spans) -> None:
    """What it says of the client is personal, and stays off the span."""
    alone = served(spans)[SpanKind.SERVER]
    spans.clear()
    behind = served(spans, more={"x-forwarded-for": "203.0.113.7"})[SpanKind.SERVER]

    assert "127.0.0.1" == alone["client.address"]
    assert ("127.0.0.1", False) == (behind["network.peer.address"], "client.address" in behind)
    assert "203.0.113.7" not in str(dict(behind))


@pytest.mark.req(39)
def test_record_s_span_says_whose_work_it_is(spans: Spans) -> None:
    """By what its headers say; a record has no deadline."""

    class Record:
        topic, partition, offset, timestamp, timestamp_type, value, key = "feed", 0, 0, 0, 0, b"", None
        headers = (("x-tenant-id", b"tenant-42"),)

    with pennon.kafka.process(Record(), CONTRACT, boundary=mesh()):
        pass

    [span] = spans.get_finished_spans()
    said = span.attributes or {}
    assert hashed("x-tenant-id", "tenant-42") == said["pennon.tenant"]
    assert "pennon.deadline_left_ms" not in said
