"""Signed context over HTTP: from a client of one service to the door of another, and to nobody else."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import requests

import pennon.http
from pennon import ambient
from pennon.context import ActorType, Identity, Ledger, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.headers import Contract, Downstream, mesh
from pennon.signing import ContextSigner, SignedContext, new_key

CONTRACT = Contract(
    "orders",
    version="1",
    owner="orders-team",
    downstreams=[
        Downstream("posts", host="posts.internal", audience="posts"),
        Downstream("plain", host="plain.internal"),
        Downstream("billing", host="billing.internal", audience="billing"),
    ],
)
ADA = Identity(tenant="tenant-42", actor="user-991", units={"user": "991"}, actor_type=ActorType.HUMAN)
PEM, PUBLIC = new_key()
SIGNER = ContextSigner(PEM, issuer="orders")
COPIED = {"Pennon-Context": "copied", "X-Actor-Id": "copied"}

Call = Callable[[str], dict[str, str]]


def serving(identity: Identity) -> ambient.entered:
    """A request of theirs."""
    here = Trace(TraceId("4bf92f3577b34da6a3ce929d0e0e4736"), SpanId("00f067aa0ba902b7"), None, 1, "")
    return ambient.entered(RequestContext(here, RequestId("req-1"), Ledger(), identity=identity))


def by_httpx(url: str) -> dict[str, str]:
    """The headers that arrive, lower-case, of a call by httpx."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    with pennon.http.httpx(httpx.Client(transport=httpx.MockTransport(answer)), CONTRACT, signer=SIGNER) as client:
        client.get(url, headers=COPIED)
    return {name.lower(): value for name, value in seen[0].headers.multi_items()}


def by_httpx_async(url: str) -> dict[str, str]:
    """Of one by its asynchronous client."""

    async def run() -> dict[str, str]:
        seen: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return httpx.Response(200)

        plain = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        async with pennon.http.httpx(plain, CONTRACT, signer=SIGNER) as client:
            await client.get(url, headers=COPIED)
        return {name.lower(): value for name, value in seen[0].headers.multi_items()}

    return asyncio.run(run())


def by_requests(url: str) -> dict[str, str]:
    """Of one by requests."""
    seen: list[requests.PreparedRequest] = []

    class Kept(requests.adapters.BaseAdapter):
        def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
            seen.append(request)
            response = requests.Response()
            response.status_code, response.request, response.url = 200, request, url
            return response

        def close(self) -> None:
            pass

    session = requests.Session()
    session.mount("http://", Kept())
    pennon.http.requests(session, CONTRACT, signer=SIGNER).get(url, headers=COPIED)
    return {name.lower(): value for name, value in seen[0].headers.items()}


@pytest.fixture(params=[by_httpx, by_httpx_async, by_requests])
def call(request: pytest.FixtureRequest) -> Call:
    """Calls a URL by one of the clients, with headers that were copied in."""
    called: Call = request.param
    return called


def identity_of(headers: dict[str, str]) -> tuple[bool, Identity]:
    """What the service behind a door that believes ours is told: whether the caller is believed, and who asks."""
    told: list[RequestContext | None] = []

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        told.append(ambient.current())

    believed = SignedContext({"orders": {SIGNER.key_id: PUBLIC}}, audience="posts")
    boundary = mesh(verify=believed.verify, identity=believed.identity)
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": None,
        "server": None,
    }

    async def nothing(*_: Any) -> Any:
        raise AssertionError("nothing is read or sent")

    asyncio.run(pennon.http.asgi(app, CONTRACT, boundary=boundary, spans=False)(scope, nothing, nothing))
    (context,) = told
    assert context is not None
    return context.trace.parent_span_id is not None, context.identity


@pytest.mark.req(68, 69, 74)
def test_identity_crosses_signed(call: Call) -> None:
    """What the callee knows of the user is what the caller knew; what was copied in by hand is not."""
    with serving(ADA):
        headers = call("http://posts.internal/")
    assert "x-actor-id" not in headers
    assert (True, ADA) == identity_of(headers)


@pytest.mark.req(69, 95)
@pytest.mark.parametrize("host", ["plain.internal", "elsewhere.example"])
def test_host_without_an_audience_gets_no_signed_context(host: str, call: Call) -> None:
    """Neither ours nor one that was copied in: it would be good there for whom it was meant."""
    with serving(ADA):
        assert "pennon-context" not in call(f"http://{host}/")


@pytest.mark.req(69)
def test_token_for_one_service_is_not_good_at_another(call: Call) -> None:
    """Who is shown one cannot show it to others."""
    with serving(ADA):
        headers = call("http://billing.internal/")
    assert (False, Identity()) == identity_of({**headers, "traceparent": f"00-{'1' * 32}-{'2' * 16}-01"})


def test_call_outside_a_request_is_believed_and_for_nobody(call: Call) -> None:
    """A job is one of ours; nobody asked for it."""
    headers = call("http://posts.internal/")
    assert (True, Identity()) == identity_of({**headers, "traceparent": f"00-{'1' * 32}-{'2' * 16}-01"})


@pytest.mark.req(69)
def test_caller_without_a_token_is_a_stranger() -> None:
    """Its trace is not continued, its identity headers say nothing."""
    headers = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "x-actor-id": "user-991"}
    assert (False, Identity()) == identity_of(headers)
