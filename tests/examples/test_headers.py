"""StreamSocial keeps its header contract: its own services, asked by the test kit as anybody would ask theirs."""

from collections.abc import Callable
from typing import Any

import confluent_kafka
import httpx
import pytest

import pennon.kafka
from pennon.testing.headers import Caller, DownstreamSpy, HostileHeaders, Probe, Reached, W3cTraceContext
from streamsocial.calling import client
from streamsocial.contract import METRICS_TOPIC, POSTS_TOPIC, UPDATES_TOPIC, documented, url_of

CONTRACT = documented()
SERVICES = ("gateway", "posts", "profiles")
SESSION = {"authorization": "Bearer session-7", "x-forwarded-for": "198.51.100.9"}
# What a stranger says who would be somebody else, and cannot be.
CLAIMS = {
    "x-tenant-id": "community-0",
    "x-actor-id": "user-0",
    "x-actor-type": "SUPPORT",
    "x-on-behalf-of": "user-1",
    "x-caller-service": "feed",
    "x-region": "moon-1",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "tracestate": "k=v",
    "x-request-id": "req-of-a-stranger",
    "x-request-timeout-ms": "900000",
    "baggage": "tenant.tier=pro,pennon=1",
    "pennon-context": "e30.e30.e30",
    "cookie": "session=secret",
}
POST = {"id": "p-1", "kind": "post", "text": "hello"}
AsRecord = Callable[[Reached], confluent_kafka.Message]


@pytest.mark.parametrize("service", SERVICES)
def test_service_keeps_the_contract(service: str, network: Any, header_contract_suite: Callable[..., int]) -> None:
    """Every rule of it, at the service's own door and boundary."""
    header_contract_suite(getattr(network, service), CONTRACT)


@pytest.mark.req(8)
def test_gateway_believes_whoever_is_logged_in_no_more(network: Any, header_contract_suite: Callable[..., int]) -> None:
    """Every rule once more: a session says who asks, and opens nothing else."""
    header_contract_suite(network.gateway, CONTRACT, stranger=Caller("203.0.113.7", tuple(SESSION.items())[:1]))


@pytest.mark.req(35, 94)
def test_gateways_own_client_keeps_the_contract(
    network: Any, downstream_spy: DownstreamSpy, header_contract_suite: Callable[..., int]
) -> None:
    """What it calls `posts`, `profiles` and strangers by, in place of the kit's client."""

    def calling(url: str) -> Callable[[], object]:
        own = client("gateway", CONTRACT, url, region="eu-1", transport=downstream_spy.transport)
        return lambda: own.get("/")

    downstream_spy.answers.clear()
    calls = {name: calling(url_of(CONTRACT, name)) for name in ("posts", "profiles")}
    probe = Probe(CONTRACT, spy=downstream_spy, calls=calls)

    header_contract_suite(network.gateway.before(probe.asgi), CONTRACT, probe=probe)


@pytest.mark.req(33)
@pytest.mark.parametrize("service", ["posts", "profiles"])
def test_service_goes_on_with_a_trace(service: str, network: Any, w3c_trace_context: W3cTraceContext) -> None:
    """W3C's cases, where callers are ours."""
    w3c_trace_context.run(getattr(network, service))


@pytest.mark.parametrize("service", SERVICES)
def test_service_stands_hostile_headers(service: str, network: Any, hostile_headers: HostileHeaders) -> None:
    """From strangers, and from whoever is one of ours."""
    door = getattr(network, service)
    hostile_headers.run(door, CONTRACT, boundary=door.boundary)


def test_gateway_hands_nothing_hostile_on(network: Any, hostile_headers: HostileHeaders) -> None:
    """Its handlers, and those of `posts`, behind the door: what leaves the gateway is as if nobody had tried."""
    for hostile in hostile_headers:
        network.spy.clear()
        lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in hostile.lines]
        status = network.ask("GET", "/feed", [(b"authorization", b"Bearer session-7"), *lines])

        assert status in {200, 400, 431}, hostile
        assert (1 if status == 200 else 0) == len(network.spy["posts"]), hostile
        assert "kit-hostile" not in str(network.spy["posts"]), hostile


@pytest.mark.req(8, 35)
def test_gateway_tells_posts_for_whom_it_works_and_until_when(network: Any) -> None:
    """The session's word, and the gateway's own; never the request's."""
    status = network.ask("POST", "/posts", SESSION | CLAIMS, json=POST)
    sent = network.spy["posts"].last.headers

    assert (201, []) == (status, network.spy["profiles"])
    assert ("community-2", "user-7", "HUMAN") == tuple(sent[f"x-{n}"] for n in ("tenant-id", "actor-id", "actor-type"))
    assert ("gateway", "eu-1", "tenant.tier=free") == (sent["x-caller-service"], sent["x-region"], sent["baggage"])
    assert "x-request-deadline" in sent
    assert [] == [name for name, value in CLAIMS.items() if value in sent.get(name, "")]
    assert set() == {"authorization", "cookie", "x-forwarded-for", "x-on-behalf-of", "tracestate"} & sent.keys()


@pytest.mark.req(33, 43)
def test_one_trace_and_one_conversation_run_through_all_services(network: Any, as_record: AsRecord) -> None:
    """From the gateway over `posts` and Kafka to `feed`, `notify` and `profiles`; a stranger may begin the latter."""
    network.ask("POST", "/posts", SESSION | {"x-correlation-id": "talk-1"}, json=POST)
    network.feed.take(as_record(network.spy[POSTS_TOPIC].last))
    network.spy.answers["profiles"] = lambda _: httpx.Response(200, json={"profiles": {"user-7": {"name": "Seven"}}})
    network.notify.take(as_record(network.spy[UPDATES_TOPIC].last))
    places = ("posts", POSTS_TOPIC, UPDATES_TOPIC, "profiles")
    sent = [network.spy[place].last.headers for place in places]

    assert {"talk-1"} == {each["x-correlation-id"] for each in sent}
    assert 1 == len({each["traceparent"][:35] for each in sent})
    assert ["community-2", None, None, "community-2"] == [each.get("x-tenant-id") for each in sent]
    assert "notify" == sent[3]["x-caller-service"]


def test_record_is_signed_for_its_topic(network: Any, as_record: AsRecord) -> None:
    """For whom it is, and only to whoever reads that topic; anybody else's word is not taken."""
    network.ask("POST", "/posts", SESSION, json=POST | {"kind": "like"})
    kept = network.spy[POSTS_TOPIC].last
    moved = Reached(UPDATES_TOPIC, network.spy[METRICS_TOPIC].last.lines, body=kept.body)
    forged = Reached(POSTS_TOPIC, (("x-actor-id", "user-0"), ("pennon-context", "e30.e30.e30")), body=kept.body)
    found = []
    for reached in (kept, moved, forged):
        boundary = network.readers[reached.place]
        with pennon.kafka.process(as_record(reached), CONTRACT, boundary=boundary) as context:
            found.append((context.identity.tenant, context.identity.actor))

    assert [("community-2", "user-7"), (None, None), (None, None)] == found
