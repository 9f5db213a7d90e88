"""The short way to write the headers of an ordinary request and the long one, which writes all, say the same."""

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennon.context import ActorType, Identity, Member, RequestId, SpanId, Trace, TraceId
from pennon.headers import (
    BaggagePolicy,
    Budgets,
    Contract,
    DeadlineForm,
    DeadlinePolicy,
    Downstream,
    Field,
    Outgoing,
    Propagate,
    egress,
    inject,
    std,
    written,
)

DOWNSTREAMS: Final = (
    Downstream("all", host="all.internal", tenant=True, actor=True, fields=("x-a", "x-b"), deadline=DeadlineForm.GRPC),
    Downstream("dated", host="dated.internal", deadline=DeadlineForm.ABSOLUTE, correlation_id=False),
    Downstream("tenant", topic="t", tenant=True, fields=("x-b",), trace=False),
    Downstream("decided", host="decided.internal", baggage=False, request_id=False),
    Downstream("outside", host="out.example", external=True, trace=False),
    None,
)
ODD: Final = ("", " ", "\n", "a\nb", "a\r", "é", "\ud800", "a,b", "a=b", "a;b", "x" * 129, "%", '"', "\\", "\x7f")
texts = st.one_of(
    st.sampled_from(("a", "req_1", "A.b:c-d", "eu", "ORD-12", "x-ORD-1")), st.sampled_from(ODD), st.text(max_size=5)
)
members = st.lists(
    st.builds(Member, st.one_of(st.sampled_from(("k", "tier", "region")), texts), texts, st.sampled_from(("", "p=1"))),
    max_size=4,
)
traces = st.builds(
    Trace,
    st.sampled_from((TraceId("8a3c60f7d188f8fa79d48a391a778fa6"), TraceId("0" * 32), TraceId("a\n"))),
    st.sampled_from((SpanId("00f7d188f8fa79d4"), SpanId("A"))),
    st.none(),
    st.integers(0, 255),
    st.sampled_from(("", "rojo=1", "rojo=1,congo=t 2", "rojo", "a=" + "v" * 200, "a=1\n", "a=1, b=2")),
)
who = st.builds(
    Identity,
    tenant=st.none() | texts,
    actor=st.none() | texts,
    actor_type=st.none() | st.sampled_from(ActorType),
    on_behalf_of=st.none() | texts,
)


@pytest.fixture(scope="module")
def agreeing(make_field: Callable[..., Field]) -> Contract:
    """Little baggage and few bytes for fields, so that both run over now and then."""
    return Contract(
        "orders",
        version="1",
        owner="platform",
        fields=[
            *(std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF),
            make_field("x-a"),
            make_field("x-b", propagate=Propagate.ALWAYS, kafka="b"),
        ],
        baggage=BaggagePolicy(allow=("k", "tier", "region"), max_bytes=40, max_members=3),
        budgets=Budgets(custom_bytes=160, trace_bytes=128),
        business_ids=("ORD-[0-9]+",),
        deadline=DeadlinePolicy(accept=tuple(DeadlineForm), cap_s=60),
        downstreams=[each for each in DOWNSTREAMS if each is not None],
    )


@settings(max_examples=400)
@given(
    downstream=st.sampled_from(DOWNSTREAMS),
    held=st.fixed_dictionaries(
        {
            "trace": st.none() | traces,
            "request_id": texts,
            "correlation_id": st.none() | texts,
            "baggage": members,
            "ours": st.lists(st.builds(Member, st.just("pennon"), texts), max_size=1),
            "fields": st.lists(
                st.tuples(st.sampled_from(("x-a", "x-b", "x-c")), texts), unique_by=lambda field: field[0]
            ),
            "identity": who,
            "timeout_ns": st.none() | st.integers(0, 10**12),
            "now_ns": st.just(1_795_256_100_000_000_000),
        }
    ),
)
def test_both_ways_say_the_same(agreeing: Contract, downstream: Downstream | None, held: dict[str, Any]) -> None:
    """Of whatever a context can hold: what leaves, what comes off, and the report."""
    short = inject(agreeing, downstream, **held)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(egress, "write_ordinary", lambda *_, **__: None)
        long = inject(agreeing, downstream, **held)

    assert (long.set, long.remove, long.report) == (short.set, short.remove, short.report)


def _by_the_long_way(contract: Contract, **changes: Any) -> bool:
    """Whether an ordinary request to the first downstream, but for these changes, takes the long way."""
    held: dict[str, Any] = {
        "trace": Trace(TraceId("8a3c60f7d188f8fa79d48a391a778fa6"), SpanId("00f7d188f8fa79d4"), None, 1, "rojo=1"),
        "request_id": "req_1",
        "correlation_id": "corr_1",
        "baggage": (Member("tier", "gold"),),
        "ours": (Member("pennon", "AAAA"),),
        "fields": (("x-a", "1"), ("x-b", "2 3")),
        "identity": Identity(tenant="tenant-42", actor="user-9", actor_type=ActorType.HUMAN),
        "timeout_ns": 1_000_000_000,
        "now_ns": 0,
    }
    # With bytes enough for fields: what is as long as they may be together is counted by the long way.
    contract = dataclasses.replace(contract, budgets=Budgets())
    route = contract.route(contract.downstreams[0])
    return written.write_ordinary(Outgoing, contract, route, **(held | changes)) is None


def test_ordinary_request_takes_the_short_way(agreeing: Contract) -> None:
    """Else nothing would be won."""
    assert not _by_the_long_way(agreeing)


@pytest.mark.parametrize(
    "changes",
    [
        {"request_id": "req 1"},
        {"request_id": "ORD-12"},
        {"correlation_id": "corr_1\nx-evil: 1"},
        {"fields": (("x-a", "1\n2"),)},
        {"fields": (("x-a", "caf\u00e9"),)},
        {"baggage": (Member("tier", "a,b=c"),)},
        {"baggage": (Member("tier", "a", "p"),)},
        {"identity": Identity(actor="user-9", on_behalf_of="user-7")},
        {"identity": Identity(actor="user@example.org")},
    ],
)
def test_what_is_to_be_looked_at_twice_takes_the_long_way(agreeing: Contract, changes: dict[str, Any]) -> None:
    """Nothing that a line of the expression does not hold leaves unseen."""
    assert _by_the_long_way(agreeing, **changes)


def test_no_more_plans_are_remembered_than_are_allowed(agreeing: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the requests' headers, what a contract remembers of them is bounded, and they leave all the same."""
    fresh = dataclasses.replace(agreeing)
    downstream = fresh.downstreams[0]
    monkeypatch.setattr(written, "PLANS_LIMIT_COUNT", 0)

    sent = inject(
        fresh, downstream, trace=None, request_id=RequestId("req_1"), correlation_id=None, baggage=(), ours=()
    )

    assert {} == fresh.route(downstream).plans
    assert ((b"x-request-id", b"req_1"),) == sent.set
