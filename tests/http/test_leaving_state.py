"""What a request's tracestate tells of us goes to nobody whom the contract does not declare."""

import httpx
import pytest

import pennon
import pennon.http
from pennon.headers import Contract, Downstream

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CONTRACT = Contract("shop", version="1", owner="team-shop", downstreams=[Downstream("posts", host="posts.internal")])


def received(host: str, *, is_serving: bool) -> httpx.Headers:
    """What arrives of a request into which trace headers were copied, from those that came in, say."""
    headers = httpx.Headers()

    def answer(request: httpx.Request) -> httpx.Response:
        headers.update(request.headers)
        return httpx.Response(204)

    def call() -> None:
        client.get(f"http://{host}/", headers={"traceparent": PARENT, "tracestate": "acme=tenant-42"})

    with pennon.http.httpx(httpx.Client(transport=httpx.MockTransport(answer)), CONTRACT) as client:
        if is_serving:
            with pennon.system_context("sweeper"):
                call()
        else:
            call()
    return headers


@pytest.mark.req(95)
@pytest.mark.parametrize("is_serving", [True, False])
def test_state_copied_in_does_not_leave_to_an_undeclared_host(is_serving: bool) -> None:
    """A trace id gives nothing away; what vendors of ours noted beside it does."""
    headers = received("elsewhere.example", is_serving=is_serving)
    assert headers["traceparent"] == PARENT
    assert "tracestate" not in headers


@pytest.mark.parametrize("is_serving", [True, False])
def test_state_of_one_s_own_trace_goes_to_a_declared_host(is_serving: bool) -> None:
    """A trace that was set by hand is the author's, with all that belongs to it."""
    assert received("posts.internal", is_serving=is_serving)["tracestate"] == "acme=tenant-42"
