"""Ids that hold one of the business's are nobody's: neither a request's that comes in, nor a call's that goes out."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import httpx
import pytest

import pennon.http
from pennon import ambient, counters
from pennon.context import Ledger, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.headers import Contract, Downstream, mesh, networks, public

Ask = Callable[..., Any]

CONTRACT = Contract(
    "orders",
    version="1",
    owner="t",
    business_ids=["ORD-[0-9]+"],
    downstreams=[Downstream("posts", host="posts.internal")],
)
OURS = mesh(verify=networks("127.0.0.0/8"))
SENT = [(b"x-correlation-id", b"cart.ORD-17"), (b"x-request-id", b"ORD-18")]


def dropped() -> int:
    """How many ids were not opaque so far."""
    return sum(each.total for each in counters.samples() if each.cause == "business_id")


@pytest.fixture(params=["asgi", "wsgi"])
def ask(request: pytest.FixtureRequest, through: Any) -> Ask:
    """Either door."""
    return partial(through[request.param], CONTRACT)


@pytest.mark.req(42)
@pytest.mark.parametrize("boundary", [public(), OURS], ids=["public", "mesh"])
def test_id_of_the_business_does_not_come_in(ask: Ask, boundary: Any) -> None:
    """The application does not see it, the response does not repeat it; the request has an id all the same."""
    before = dropped()
    asked = ask(boundary, SENT)

    assert (None, None) == (asked.context.correlation_id, asked.context.caller_request_id)
    assert asked.context.request_id.startswith("req_")
    assert not [value for _, value in (*asked.seen, *asked.headers) if b"ORD-" in value]
    assert before + 2 == dropped()


@pytest.mark.req(42)
@pytest.mark.parametrize("is_serving", [True, False], ids=["in a request", "outside of one"])
@pytest.mark.parametrize("host", ["posts.internal", "undeclared.invalid"])
def test_id_that_is_set_by_hand_does_not_leave(is_serving: bool, host: str) -> None:
    """Wherever the call goes; one that is opaque stays what it is where the host may have it."""
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200)

    client = pennon.http.httpx(httpx.Client(transport=httpx.MockTransport(answer)), CONTRACT)
    trace = Trace(TraceId("4bf92f3577b34da6a3ce929d0e0e4736"), SpanId("00f067aa0ba902b7"), None, 1, "")
    context = RequestContext(trace, RequestId("req-1"), Ledger()) if is_serving else None
    before = dropped()
    with nullcontext() if context is None else ambient.entered(context):
        client.get(f"http://{host}/", headers={"X-Correlation-Id": "ORD-17"})
        client.get(f"http://{host}/", headers={"X-Correlation-Id": "corr-17"})

    is_declared = host == "posts.internal"
    assert [None, "corr-17" if is_declared else None] == [each.get("x-correlation-id") for each in seen]
    assert before + is_declared == dropped()
