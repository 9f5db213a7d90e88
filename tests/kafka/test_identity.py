"""Whose work a record is: by headers, by a signed context, and when it is nobody's any more."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import pennon.kafka
from pennon import ambient
from pennon.context import ActorType, Identity, RequestContext, RequestId
from pennon.headers import Boundary, Contract, Downstream, mesh, std
from pennon.signing import ContextSigner, SignedContext, new_key
from pennon.testing import ManualClock

PRODUCED_S = 1_795_256_100
CONTRACT = Contract(
    "feed service",
    version="1",
    owner="feed-team",
    fields=[std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF],
    downstreams=(
        Downstream("posts", topic="posts", tenant=True, actor=True),
        Downstream("audit", topic="audit", tenant=True),
        Downstream("zone", topic="zone", audience="zone"),
        Downstream("plain", topic="plain"),
    ),
)
ADA = Identity(tenant="tenant-42", actor="user-991", units={"user": "991"}, actor_type=ActorType.HUMAN)
OURS = {"x-tenant-id": b"tenant-42", "x-actor-id": b"user-991", "x-actor-type": b"HUMAN"}
COPIED = [("X-Actor-Id", b"user-1"), ("X-Tenant-Id", b"tenant-1"), ("Pennon-Context", b"stale"), ("keep", b"1")]


@pytest.fixture
def clock() -> ManualClock:
    """A minute after the records of these tests were produced."""
    return ManualClock(now_ns=(PRODUCED_S + 60) * 1_000_000_000)


@pytest.fixture(scope="module")
def key() -> tuple[bytes, str]:
    """The producer's."""
    return new_key()


@pytest.fixture
def signer(key: tuple[bytes, str], clock: ManualClock) -> ContextSigner:
    """The producer's."""
    return ContextSigner(key[0], issuer="orders", clock=clock)


@pytest.fixture
def boundary(signer: ContextSigner, clock: ManualClock) -> Boundary:
    """Believes what the producer has signed."""
    trusted = SignedContext({"orders": {signer.key_id: signer.public}}, audience="zone", clock=clock)
    return mesh(verify=trusted.verify, identity=trusted.identity)


@pytest.fixture
def ada_s(context: RequestContext) -> RequestContext:
    """A user's request."""
    return RequestContext(context.trace, RequestId("req-1"), context.ledger, identity=ADA)


@pytest.fixture(params=["produce", "send", "send_and_wait"])
def send(request: pytest.FixtureRequest, wrapped: Any, signer: ContextSigner) -> Callable[..., Any]:
    """Sends a record by confluent-kafka's call, or by one of aiokafka's, with a signer."""
    if request.param == "produce":
        return pennon.kafka.producer(wrapped, CONTRACT, signer=signer).produce
    door = getattr(pennon.kafka.aio.producer(wrapped, CONTRACT, signer=signer), request.param)
    return lambda *arguments, **named: asyncio.run(door(*arguments, **named))


def identities_of(headers: list[tuple[str, Any]]) -> dict[str, Any]:
    """The identity among the headers."""
    found = [(name, value) for name, value in headers if name.startswith(("x-", "X-", "pennon-", "Pennon-"))]
    named = {name: value for name, value in found if name.lower() not in ("x-request-id", "x-correlation-id")}
    assert len({name.lower() for name in named}) == len(named)
    return named


@pytest.mark.req(69, 95)
@pytest.mark.parametrize(
    ("topic", "expected"),
    [("posts", OURS), ("audit", {"x-tenant-id": b"tenant-42"}), ("plain", {}), ("elsewhere", {})],
)
def test_topic_gets_the_identity_that_it_is_declared_to_get(
    topic: str, expected: dict[str, bytes], send: Callable[..., Any], wrapped: Any, ada_s: RequestContext
) -> None:
    """From the request's identity alone; what a forwarded record brought never stands for it."""
    with ambient.entered(ada_s):
        send(topic, b"hello", headers=COPIED)
    assert expected == identities_of(wrapped.headers)
    assert ("keep", b"1") in wrapped.headers


@pytest.mark.req(69, 74)
def test_topic_with_an_audience_gets_the_identity_signed(
    send: Callable[..., Any], wrapped: Any, record: Any, boundary: Boundary, ada_s: RequestContext, clock: ManualClock
) -> None:
    """What is read at the other side is what the producer knew; units come along."""
    with ambient.entered(ada_s):
        send("zone", b"hello", headers=COPIED)
    assert ["pennon-context"] == [*identities_of(wrapped.headers)]
    with pennon.kafka.process(record(wrapped.headers), CONTRACT, boundary=boundary, clock=clock) as context:
        assert ADA == context.identity
        assert context.ledger.arrived


@pytest.mark.req(72, 73, 75, 76)
def test_signed_actor_is_a_system_after_their_time(
    send: Callable[..., Any], wrapped: Any, record: Any, boundary: Boundary, ada_s: RequestContext, clock: ManualClock
) -> None:
    """An hour later the decisions still count, and the work is the tenant's, done by the service that reads."""
    with ambient.entered(ada_s):
        send("zone", b"hello")
    clock.advance(3_600)
    with pennon.kafka.process(record(wrapped.headers), CONTRACT, boundary=boundary, clock=clock) as context:
        assert context.ledger.arrived
    expected = Identity("tenant-42", "system:feed-service", {"user": "991"}, {}, ActorType.SYSTEM, "user-991")
    assert expected == context.identity


@pytest.mark.req(69)
def test_record_with_a_forged_context_is_a_strangers(
    send: Callable[..., Any], wrapped: Any, record: Any, boundary: Boundary, ada_s: RequestContext
) -> None:
    """It gives no identity, and neither its trace nor its decisions count."""
    with ambient.entered(ada_s):
        send("zone", b"hello")
    forged = [(name, b"x" + value[1:] if name == "pennon-context" else value) for name, value in wrapped.headers]
    with pennon.kafka.process(record(forged), CONTRACT, boundary=boundary) as context:
        assert (Identity(), {}) == (context.identity, context.ledger.arrived)
    assert ada_s.trace.trace_id != context.trace.trace_id


def test_record_outside_a_request_is_signed_for_nobody(
    send: Callable[..., Any], wrapped: Any, record: Any, boundary: Boundary, clock: ManualClock
) -> None:
    """A job is one of ours: it is believed, and acts for nobody."""
    send("zone", b"hello")
    with pennon.kafka.process(record(wrapped.headers), CONTRACT, boundary=boundary, clock=clock) as context:
        assert Identity() == context.identity
    assert None is context.trace.parent_span_id


def test_record_whose_identity_must_not_be_signed_leaves_without(
    send: Callable[..., Any], wrapped: Any, context: RequestContext
) -> None:
    """An identity callable that answers an address breaks no request: the record goes, and nobody vouches for it."""
    named = RequestContext(
        context.trace, RequestId("req-1"), context.ledger, identity=Identity(actor="ada@example.org")
    )
    with ambient.entered(named):
        send("zone", b"hello")
    assert {} == identities_of(wrapped.headers)


HEADERS = list(OURS.items())
LEFT = Identity("tenant-42", "system:feed-service", {}, {}, ActorType.SYSTEM, "user-991")


@pytest.mark.req(68, 69, 74)
def test_identity_headers_of_a_topic_count_while_the_actor_is_there(record: Any, clock: ManualClock) -> None:
    """A topic that only ours may write to says who acts."""
    with pennon.kafka.process(record(HEADERS), CONTRACT, boundary=mesh(), clock=clock) as context:
        assert Identity("tenant-42", "user-991", actor_type=ActorType.HUMAN) == context.identity
    assert () == context.fields


@pytest.mark.req(72, 73, 75, 76)
@pytest.mark.parametrize(
    ("seconds", "named", "expected"),
    [(240, {}, "user-991"), (241, {}, "system:feed-service"), (1, {"actor_ttl_s": 60}, "system:feed-service")],
)
def test_identity_headers_count_for_five_minutes(
    seconds: float, named: dict[str, Any], expected: str, record: Any, clock: ManualClock
) -> None:
    """Since the record was produced, or for as long as the service says; then the work is the tenant's alone."""
    clock.advance(seconds)
    with pennon.kafka.process(record(HEADERS), CONTRACT, boundary=mesh(), clock=clock, **named) as context:
        assert expected == context.identity.actor
    if expected != "user-991":
        assert LEFT == context.identity


@pytest.mark.req(76)
def test_replayed_record_is_nobodys_any_more(record: Any, clock: ManualClock) -> None:
    """However young it is: who replays it is an operator, not the user."""
    with pennon.kafka.process(record(HEADERS), CONTRACT, boundary=mesh(), clock=clock, replay=True) as context:
        assert LEFT == context.identity


@pytest.mark.req(76)
def test_record_of_an_unknown_age_is_nobodys(confluent_record: Any, clock: ManualClock) -> None:
    """Old topics keep no times."""
    given = confluent_record(HEADERS)
    given.timestamp = lambda: (0, 0)
    with pennon.kafka.process(given, CONTRACT, boundary=mesh(), clock=clock) as context:
        assert LEFT == context.identity


@pytest.mark.req(75)
def test_system_that_a_record_names_stays_who_it_is(record: Any, clock: ManualClock) -> None:
    """Nobody waits for a system."""
    clock.advance(86_400)
    headers = [("x-actor-id", b"system:scheduler"), ("x-actor-type", b"SYSTEM")]
    with pennon.kafka.process(record(headers), CONTRACT, boundary=mesh(), clock=clock) as context:
        assert Identity(actor="system:scheduler", actor_type=ActorType.SYSTEM) == context.identity
