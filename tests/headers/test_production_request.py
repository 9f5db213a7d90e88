"""A whole request of the kind this is for, through one hop of a mesh, and from outside."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pennon.carry import Arrival, arrive, depart
from pennon.context import ActorType
from pennon.headers import BaggagePolicy, Contract, DeadlineForm, DeadlinePolicy, Downstream, std

SAMPLE = Path(__file__).parents[2] / "benchmarks" / "headers" / "production_request.txt"
# 2026-11-21T10:15:00Z
NOW_NS = 1_795_256_100_000_000_000
MONOTONIC_NS = 5_000_000_000
DOWNSTREAM = Downstream(
    "cases",
    host="cases.internal",
    tenant=True,
    actor=True,
    deadline=DeadlineForm.ABSOLUTE,
    fields=["x-caller-service"],
)
CONTRACT = Contract(
    "orders",
    version="1",
    owner="platform",
    fields=[
        *(std.HOST, std.CONTENT_TYPE, std.ACCEPT, std.TRACEPARENT, std.TRACESTATE, std.BAGGAGE, std.REQUEST_ID),
        *(std.CORRELATION_ID, std.IDEMPOTENCY_KEY, std.REQUEST_DEADLINE, std.CALLER_SERVICE, std.TENANT_ID),
        *(std.ACTOR_TYPE, std.ACTOR_ID, std.ON_BEHALF_OF),
    ],
    baggage=BaggagePolicy(allow=["tenant.tier", "region"]),
    deadline=DeadlinePolicy(accept=["x-request-deadline"], cap_s=60),
    downstreams=[DOWNSTREAM],
)
# What every HTTP message says of itself: the client library writes it.
OF_THE_MESSAGE = {"host", "content-type", "accept"}
OF_THE_HOP = {"traceparent", "x-request-deadline", "idempotency-key"}


@pytest.fixture
def came() -> dict[str, str]:
    """The sample's headers, in their order."""
    lines = SAMPLE.read_text(encoding="utf-8").partition("\n\n")[0].splitlines()[1:]
    found = dict(line.split(": ", 1) for line in lines)
    assert 14 == len(found)
    return {name.lower(): value for name, value in found.items()}


@pytest.fixture
def arrival(came: dict[str, str]) -> Callable[..., Arrival]:
    """What arrives of it, from a verified caller or a stranger."""

    def arrival(*, is_trusted: bool) -> Arrival:
        return arrive(
            CONTRACT,
            [(name.encode(), value.encode()) for name, value in came.items()],
            is_trusted=is_trusted,
            identity=None,
            entropy=bytes(range(1, 41)),
            now_ns=NOW_NS,
            monotonic_ns=MONOTONIC_NS,
            stops=True,
        )

    return arrival


def _sent(arrived: Arrival, timeout_ns: int) -> dict[str, str]:
    departure = depart(CONTRACT, DOWNSTREAM, arrived.context, trace=None, timeout_ns=timeout_ns, now_ns=NOW_NS)
    return {name.decode(): value.decode() for name, value in departure.set}


@pytest.mark.req(13, 16, 59, 60, 69, 112)
def test_production_request_is_read_whole(arrival: Callable[..., Arrival]) -> None:
    """Nothing is dropped; who asks, until when and for whom stands in one value."""
    arrived = arrival(is_trusted=True)
    context, identity = arrived.context, arrived.context.identity
    deadline = context.deadline

    assert (None, ()) == (arrived.refusal, arrived.report.dropped)
    assert ("tenant-42", "user-991", ActorType.HUMAN) == (identity.tenant, identity.actor, identity.actor_type)
    assert deadline is not None
    assert (MONOTONIC_NS + 30_250_000_000, "x-request-deadline", False) == (
        deadline.due_ns,
        deadline.form,
        deadline.is_capped,
    )
    assert {"content-type", "accept", "idempotency-key", "x-caller-service"} == dict(context.fields).keys()
    assert {"tenant.tier": "regulated", "region": "eu-west-1"} == {each.key: each.value for each in context.baggage}


@pytest.mark.req(112)
def test_production_request_passes_a_mesh_hop_unchanged_but_for_its_span(
    came: dict[str, str], arrival: Callable[..., Arrival]
) -> None:
    """Byte for byte, but for host, span id, deadline and idempotency key."""
    arrived = arrival(is_trusted=True)
    sent = _sent(arrived, 30_225_000_000)

    assert f"00-8a3c60f7d188f8fa79d48a391a778fa6-{arrived.context.trace.span_id}-01" == sent["traceparent"]
    assert came["traceparent"] != sent["traceparent"]
    assert "2026-11-21T10:15:30.225Z" == sent["x-request-deadline"]
    unchanged = {name: value for name, value in came.items() if name not in OF_THE_MESSAGE | OF_THE_HOP}
    assert unchanged == {name: value for name, value in sent.items() if name not in OF_THE_HOP}
    assert "idempotency-key" not in sent


@pytest.mark.req(8, 10, 31, 69, 104)
def test_production_request_of_a_stranger_keeps_what_is_the_clients(arrival: Callable[..., Arrival]) -> None:
    """The same bytes from outside: no tenant, no actor, no deadline and no trace of theirs counts or goes on."""
    arrived = arrival(is_trusted=False)
    context = arrived.context
    sent = _sent(arrived, 1_000_000_000)

    assert "req_01KAH6ZK3T8V9QWX2M5N7P4R6S" == context.caller_request_id
    assert (None, None) == (context.identity.tenant, context.identity.actor)
    assert {"content-type", "accept", "idempotency-key"} == dict(context.fields).keys()
    assert context.deadline is not None
    assert MONOTONIC_NS + 60_000_000_000 == context.deadline.due_ns
    assert {
        "traceparent": f"00-{context.trace.trace_id}-{context.trace.span_id}-02",
        "baggage": "tenant.tier=regulated,region=eu-west-1",
        "x-request-id": context.request_id,
        "x-correlation-id": "corr_01KAH6ZK4B1C2D3E4F5G6H7J8K",
        "x-request-deadline": "2026-11-21T10:15:01.000Z",
    } == sent
