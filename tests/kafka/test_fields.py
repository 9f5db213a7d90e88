"""Declared fields on records: by their names there, replaced, within the contract's budgets."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import pennon.kafka
from pennon import ambient, counters
from pennon.context import RequestContext, RequestId
from pennon.headers import (
    BaggagePolicy,
    Budgets,
    Category,
    Classification,
    Contract,
    Downstream,
    Field,
    Log,
    Propagate,
    Trust,
    UnknownHeaders,
    mesh,
    public,
)

LANE = Field(
    "x-lane",
    kafka="lane",
    category=Category.ROUTING,
    owner="platform-team",
    syntax=r"[a-z]+",
    max_length=60,
    trust=Trust.GATEWAY,
    caller_may_set=False,
    gateway_overwrites=True,
    downstream_may_forward=True,
    propagate=Propagate.ALWAYS,
    log=Log.CLEAR,
    classification=Classification.INTERNAL,
    description="Which lane a request takes",
)
OTHER = replace(LANE, name="x-dock", kafka=None)


def contract_of(**named: Any) -> Contract:
    """One with these fields and the topic "posts"."""
    downstreams = [Downstream("posts", topic="posts")]
    return Contract("feed", version="1", owner="feed-team", fields=[LANE, OTHER], downstreams=downstreams, **named)


@pytest.mark.req(15, 43)
@pytest.mark.parametrize("name", ["lane", "Lane", "x-lane", "X-LANE"])
def test_field_is_read_by_its_name_on_records(name: str, record: Callable[..., Any]) -> None:
    """In any case, and by its HTTP name too, which a bridge may have kept; known here by the one of HTTP."""
    with pennon.kafka.process(record([(name, b"fast")]), contract_of(), boundary=mesh()) as context:
        assert (("x-lane", "fast"),) == context.fields
    with pennon.kafka.process(record([(name, b"fast")]), contract_of(), boundary=public()) as context:
        assert () == context.fields


@pytest.mark.req(15, 43)
def test_field_leaves_by_its_name_on_records_and_once(wrapped: Any, context: RequestContext) -> None:
    """Whatever a forwarded record brought under it."""
    within = RequestContext(context.trace, RequestId("req-1"), context.ledger, fields=(("x-lane", "fast"),))
    with ambient.entered(within):
        pennon.kafka.producer(wrapped, contract_of()).produce("posts", headers=[("LANE", b"slow"), ("lane", b"slow")])
    assert [("lane", b"fast")] == [header for header in wrapped.headers if "lane" in header[0].lower()]


@pytest.mark.req(6)
@pytest.mark.parametrize(
    ("named", "headers"),
    [
        ({"budgets": Budgets(total_count=10)}, [(f"own-{number}", b"") for number in range(11)]),
        ({"budgets": Budgets(total_bytes=600, custom_bytes=600)}, [("own", b"x" * 601)]),
        ({"unknown": UnknownHeaders.REJECT}, [("own", b"")]),
    ],
)
def test_record_over_a_budget_is_handled(
    named: dict[str, Any], headers: list[tuple[str, bytes]], record: Callable[..., Any]
) -> None:
    """There is nobody to refuse it to; what can be read of it counts, and what was not ours stays on the record."""
    given = record([*headers, ("x-request-id", b"req-7"), ("lane", b"fast")])
    with pennon.kafka.process(given, contract_of(**named), boundary=mesh()) as context:
        assert ("req-7", (("x-lane", "fast"),)) == (context.request_id, context.fields)
    found = given.headers() if callable(given.headers) else list(given.headers)
    assert len(headers) + 2 == len(found)


@pytest.mark.req(6, 29)
def test_record_with_too_much_baggage_is_handled_without(record: Callable[..., Any]) -> None:
    """It is not even parsed; everything else of the record is."""
    given = record([("baggage", b"a=" + b"x" * 200), ("x-request-id", b"req-7")])
    contract = contract_of(baggage=BaggagePolicy(max_bytes=100, wire_max_bytes=100))
    with pennon.kafka.process(given, contract, boundary=mesh()) as context:
        assert ((), "req-7") == (context.baggage, context.request_id)


@pytest.mark.req(6)
def test_record_leaves_without_custom_fields_over_their_budget(wrapped: Any, context: RequestContext) -> None:
    """As over HTTP: the field declared last goes, the record does not stay."""
    fields = (("x-lane", "f" * 60), ("x-dock", "d" * 60))
    within = RequestContext(context.trace, RequestId("req-1"), context.ledger, fields=fields)
    contract = contract_of(budgets=Budgets(custom_bytes=100))
    with ambient.entered(within):
        pennon.kafka.producer(wrapped, contract).produce("posts")
    assert {"lane"} == {"lane", "x-dock"} & dict(wrapped.headers).keys()
    assert "traceparent" in dict(wrapped.headers)


@pytest.mark.req(12)
@pytest.mark.parametrize("headers", [[], [("lane", b"NOT A LANE")]], ids=["absent", "malformed"])
def test_record_without_a_required_field_is_handled_and_counted(
    headers: list[tuple[str, bytes]], record: Callable[..., Any]
) -> None:
    """Who wrote it cannot be told; the consumer's numbers say that it is missing."""
    contract = Contract("feed", version="1", owner="feed-team", fields=[replace(LANE, required=True)])
    before = _missed()
    with pennon.kafka.process(record(headers), contract, boundary=mesh()) as context:
        assert () == context.fields
    assert before + 1 == _missed()
    with pennon.kafka.process(record([("lane", b"fast")]), contract, boundary=mesh()):
        assert before + 1 == _missed()


def _missed() -> int:
    return sum(each.total for each in counters.samples() if each.cause == "missing")


@pytest.mark.req(42)
def test_id_of_the_business_stands_on_no_record(record: Callable[..., Any], wrapped: Any) -> None:
    """Neither read from one nor written by hand onto one, in any case and any type of headers."""
    contract = contract_of(business_ids=["ORD-[0-9]+"])
    sender = pennon.kafka.producer(wrapped, contract)
    opaque = [("x-correlation-id", b"corr-17")]
    left = []
    for headers in ([("X-Correlation-Id", "ORD-17")], {"x-correlation-id": b"cart:ORD-17"}, opaque):
        sender.produce("posts", b"", headers=headers)
        left.append(wrapped.headers)
        wrapped.sent.clear()
    with pennon.kafka.process(record([("x-correlation-id", b"ORD-17")]), contract, boundary=mesh()) as context:
        assert context.correlation_id is None

    assert [[], [], opaque] == left
