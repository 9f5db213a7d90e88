"""Baggage that our own code sets on a call: what the contract allows leaves, secrets and the rest do not."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from opentelemetry import baggage, context

import pennon.http
from pennon import ambient, counters
from pennon.context import Ledger, Member, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.headers import BaggageKey, BaggagePolicy, Contract, Downstream, UnknownMembers

ALLOW = (BaggageKey("region", enum=["eu", "us"]), BaggageKey("exp.*", max_length=2))
HERE = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "")
SECRETS = ["eyJhbGciOiJFZERTQSJ9.e30.x", "AKIAIOSFODNN7EXAMPLE", "jane@example.com", "4111 1111 1111 1111"]


def _sent(headers: dict[str, str], on_unknown: UnknownMembers = UnknownMembers.KEEP_IN_MESH) -> str | None:
    """The baggage that leaves with a call on which these headers were set."""
    policy = BaggagePolicy(allow=ALLOW, on_unknown=on_unknown)
    contract = Contract("c", version="1", owner="t", baggage=policy, downstreams=[Downstream("posts", host="posts")])
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(204)

    with pennon.http.httpx(httpx.Client(transport=httpx.MockTransport(answer)), contract) as client:
        client.get("http://posts/", headers=headers)
    found: str | None = sent[0].headers.get("baggage")
    return found


@contextmanager
def _within(is_serving: bool) -> Iterator[None]:
    """Inside a request that came with a region, or outside any."""
    if not is_serving:
        yield
        return
    with ambient.entered(RequestContext(HERE, RequestId("req-1"), Ledger(), baggage=(Member("region", "eu"),))):
        yield


inside_and_outside = pytest.mark.parametrize("is_serving", [True, False], ids=["serving", "outside"])


@pytest.mark.req(25)
@pytest.mark.parametrize("secret", SECRETS)
@inside_and_outside
def test_secret_that_is_set_by_hand_does_not_leave(secret: str, is_serving: bool) -> None:
    """Under a key that nobody declared; what stands beside it leaves."""
    with _within(is_serving):
        sent = _sent({"baggage": f"note={secret.replace(' ', '%20')},colour=blue"})

    assert ("region=eu,colour=blue" if is_serving else "colour=blue") == sent


@pytest.mark.req(25, 34)
@inside_and_outside
def test_secret_that_is_set_through_opentelemetry_does_not_leave(is_serving: bool) -> None:
    """Its API is another hand."""
    token = context.attach(baggage.set_baggage("note", SECRETS[0], baggage.set_baggage("colour", "blue")))
    try:
        with _within(is_serving):
            sent = _sent({})
    finally:
        context.detach(token)

    assert ("region=eu,colour=blue" if is_serving else "colour=blue") == sent


@pytest.mark.req(24, 27, 28)
@inside_and_outside
def test_value_that_its_key_does_not_allow_does_not_leave(is_serving: bool) -> None:
    """It takes the place of nothing: what came in under the key goes on."""
    with _within(is_serving):
        sent = _sent({"baggage": "region=mars,exp.a=b,exp.b=long"})

    assert ("region=eu,exp.a=b" if is_serving else "exp.a=b") == sent


@pytest.mark.req(28, 30)
@inside_and_outside
def test_key_that_nobody_declared_can_be_refused(is_serving: bool) -> None:
    """Where unknown members are dropped, our own code sets none either."""
    with _within(is_serving):
        sent = _sent({"baggage": "colour=blue,exp.a=b"}, UnknownMembers.DROP)

    assert ("region=eu,exp.a=b" if is_serving else "exp.a=b") == sent


@pytest.mark.req(25)
@inside_and_outside
def test_baggage_of_nothing_but_secrets_is_no_header(is_serving: bool) -> None:
    """Not an empty one, and not the one that was set."""
    with _within(is_serving):
        sent = _sent({"baggage": f"note={SECRETS[0]}"})

    assert ("region=eu" if is_serving else None) == sent


@pytest.mark.req(25)
def test_secret_that_did_not_leave_is_counted() -> None:
    """By its cause, without the value."""

    def unsafe() -> int:
        wanted = (counters.Count.HEADERS_DROPPED, "unsafe")
        return sum(sample.total for sample in counters.samples() if (sample.name, sample.cause) == wanted)

    before = unsafe()
    _sent({"baggage": f"note={SECRETS[0]}"})

    assert before + 1 == unsafe()
