"""A whole request of the kind this is for, through one hop of a mesh (req 112)."""

from collections.abc import Callable

import pytest

from pennon.headers import (
    BaggagePolicy,
    Contract,
    Downstream,
    Extracted,
    Field,
    Outgoing,
    Propagate,
    Trust,
    std,
)

REQUEST = [
    ("Host", "orders.internal"),
    ("Content-Type", "application/json"),
    ("Accept", "application/json"),
    ("traceparent", "00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01"),
    ("tracestate", "rojo=00f067aa0ba902b7"),
    ("baggage", "tenant.tier=regulated,region=eu-west-1"),
    ("X-Request-Id", "req_01KAH6ZK3T8V9QWX2M5N7P4R6S"),
    ("X-Correlation-Id", "corr_01KAH6ZK4B1C2D3E4F5G6H7J8K"),
    ("Idempotency-Key", '"idem_01KAH6ZK5M6N7P8Q9R0S1T2V3W"'),
    ("X-Request-Deadline", "2026-11-21T10:15:30.250Z"),
    ("X-Caller-Service", "checkout"),
    ("X-Tenant-Id", "tenant-42"),
    ("X-Actor-Type", "HUMAN"),
    ("X-Actor-Id", "user-991"),
]
GO_ON = {
    "tracestate",
    "baggage",
    "x-request-id",
    "x-correlation-id",
    "x-caller-service",
    "x-tenant-id",
    "x-actor-type",
    "x-actor-id",
}


def _contract(make_field: Callable[..., Field]) -> Contract:
    return Contract(
        "orders",
        version="1",
        owner="platform",
        fields=[
            *(
                make_field(name, syntax=r"[A-Za-z0-9-]+", trust=Trust.MESH, propagate=Propagate.ALWAYS)
                for name in ("X-Caller-Service", "X-Tenant-Id", "X-Actor-Type", "X-Actor-Id")
            ),
            std.IDEMPOTENCY_KEY,
        ],
        baggage=BaggagePolicy(allow=["tenant.tier", "region"]),
        downstreams=[Downstream("cases", host="cases.internal")],
    )


@pytest.mark.req(112)
def test_production_request_passes_a_mesh_hop_unchanged_but_for_its_span(
    make_field: Callable[..., Field], take: Callable[..., Extracted], send: Callable[..., Outgoing]
) -> None:
    """Everything that may go on goes on byte for byte; the span is this hop's; the idempotency key stays."""
    contract = _contract(make_field)
    arrived = take(REQUEST, under=contract)
    sent = {name.decode(): value.decode() for name, value in send("cases", arrived, under=contract).set}
    came = {name.lower(): value for name, value in REQUEST}

    assert (None, ()) == (arrived.refusal, arrived.report.dropped)
    assert f"00-8a3c60f7d188f8fa79d48a391a778fa6-{arrived.trace.span_id}-01" == sent.pop("traceparent")
    assert {name: came[name] for name in GO_ON} == sent


@pytest.mark.req(8, 104)
def test_production_request_of_a_stranger_keeps_what_is_the_clients(
    make_field: Callable[..., Field], take: Callable[..., Extracted], send: Callable[..., Outgoing]
) -> None:
    """The same bytes from outside: no tenant, no actor, no trace of theirs goes on."""
    contract = _contract(make_field)
    arrived = take(REQUEST, under=contract, is_trusted=False)
    sent = {name.decode(): value.decode() for name, value in send("cases", arrived, under=contract).set}

    assert ("req_01KAH6ZK3T8V9QWX2M5N7P4R6S", {"idempotency-key"}) == (
        arrived.caller_request_id,
        set(dict(arrived.fields)),
    )
    assert {
        "traceparent": f"00-{arrived.trace.trace_id}-{arrived.trace.span_id}-02",
        "baggage": "tenant.tier=regulated,region=eu-west-1",
        "x-request-id": arrived.request_id,
        "x-correlation-id": "corr_01KAH6ZK4B1C2D3E4F5G6H7J8K",
    } == sent
