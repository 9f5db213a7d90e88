"""Limits that are only observed: what breaks one is counted, noted and served; what a service strips, it strips."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pennon import counters
from pennon.counters import Count
from pennon.headers import (
    BaggagePolicy,
    Budgets,
    Category,
    Classification,
    Contract,
    DeadlinePolicy,
    Field,
    Limits,
    Log,
    Propagate,
    Trust,
    UnknownHeaders,
    mesh,
    networks,
    public,
    std,
)
from pennon.headers.report import Limit

Ask = Callable[..., Any]
Raw = list[tuple[bytes, bytes]]

GRADE = Field(
    "x-grade",
    category=Category.EVOLUTION,
    owner="platform",
    syntax="[a-z]+",
    max_length=64,
    trust=Trust.CLIENT,
    caller_may_set=True,
    gateway_overwrites=False,
    downstream_may_forward=False,
    propagate=Propagate.NEVER,
    log=Log.CLEAR,
    classification=Classification.INTERNAL,
    description="Which answers are wanted",
)
PLAN = replace(GRADE, name="x-plan")
NEEDED = replace(GRADE, name="x-needed", required=True)
ENFORCED = Contract(
    "test",
    version="1",
    owner="tests",
    fields=[GRADE, PLAN, NEEDED, std.TENANT_ID],
    baggage=BaggagePolicy(allow=["region"]),
    budgets=Budgets(total_bytes=16_384, total_count=20, custom_bytes=100),
    unknown=UnknownHeaders.REJECT,
    deadline=DeadlinePolicy(accept=["x-request-timeout-ms"], cap_s=30, max_refused_share=1.0),
)
OBSERVED = replace(ENFORCED, limits=Limits.OBSERVE)
TRUSTED = mesh(verify=networks("127.0.0.0/8"))
OK: Raw = [(b"x-needed", b"yes"), (b"x-tenant-id", b"acme"), (b"baggage", b"region=eu")]
# What breaks each limit, and the status with which it is refused.
BREAKS: dict[Limit, tuple[int, Raw]] = {
    Limit.HEADERS: (431, [*OK, (b"accept", b"a" * 17_000)]),
    Limit.CUSTOM: (431, [*OK, (b"x-grade", b"a" * 50), (b"x-plan", b"b" * 50)]),
    Limit.BAGGAGE: (431, [*OK[:2], (b"baggage", b"region=" + b"e" * 9_000)]),
    Limit.UNKNOWN: (400, [*OK, (b"x-nobody-knows", b"1")]),
    Limit.MISSING: (400, OK[1:]),
    Limit.LATE: (504, [*OK, (b"x-request-timeout-ms", b"1")]),
}
each_limit = pytest.mark.parametrize("limit", Limit)


@pytest.fixture(params=["asgi", "wsgi"])
def ask(request: pytest.FixtureRequest, through: Any) -> Ask:
    """Either door."""
    return partial(through[request.param])


def counted(name: Count, cause: str = "") -> int:
    """How often so far."""
    return sum(each.total for each in counters.samples() if (each.name, each.cause) == (name, cause))


@pytest.mark.req(6, 7, 110)
@each_limit
def test_request_that_breaks_a_limit_is_served_where_limits_are_observed(ask: Ask, limit: Limit) -> None:
    """Enforced, it is refused; observed, it is served and counted under that limit, and not as refused."""
    status, sent = BREAKS[limit]
    before = counted(Count.HEADERS_OBSERVED, limit), counted(Count.DEADLINE_REFUSED)
    observed = ask(OBSERVED, TRUSTED, sent)
    after = counted(Count.HEADERS_OBSERVED, limit), counted(Count.DEADLINE_REFUSED)

    assert (204, True) == (observed.status, observed.was_served)
    assert (before[0] + 1, before[1]) == after
    refused = ask(ENFORCED, TRUSTED, sent)
    assert (status, False) == (refused.status, refused.was_served)
    assert after[0] == counted(Count.HEADERS_OBSERVED, limit)


def test_request_within_all_limits_is_not_counted(ask: Ask) -> None:
    """There is nothing to observe."""
    before = sum(counted(Count.HEADERS_OBSERVED, each) for each in Limit)

    assert 204 == ask(OBSERVED, TRUSTED, OK).status
    assert before == sum(counted(Count.HEADERS_OBSERVED, each) for each in Limit)


@pytest.mark.req(66)
@each_limit
def test_span_says_which_limit_was_observed(ask: Ask, limit: Limit, spans: InMemorySpanExporter) -> None:
    """By its name; a late request's span says that it was late as well."""
    ask(OBSERVED, TRUSTED, BREAKS[limit][1])
    [span] = spans.get_finished_spans()
    attributes = span.attributes or {}

    assert limit.value == attributes["pennon.headers.observed"]
    assert (limit is Limit.LATE) is attributes.get("pennon.deadline.exceeded", False)


@pytest.mark.req(6, 29)
def test_what_is_over_its_limit_stays_unread(ask: Ask) -> None:
    """As for a record: over-long baggage is gone whole, custom fields go from the last; no cost is without bound."""
    assert () == ask(OBSERVED, TRUSTED, BREAKS[Limit.BAGGAGE][1]).context.baggage
    crowded = ask(OBSERVED, TRUSTED, BREAKS[Limit.CUSTOM][1])
    names = [name for name, _ in crowded.context.fields]

    assert ["x-grade"] == names
    assert b"x-plan" not in dict(crowded.seen)


@pytest.mark.req(8, 10, 31, 104)
@each_limit
def test_stranger_is_believed_no_more_where_limits_are_observed(ask: Ask, limit: Limit) -> None:
    """Trust, allow lists and stripping are enforced whatever becomes of limits."""
    secret = [
        (b"pennon-context", b"x"),
        (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),
    ]
    asked = ask(OBSERVED, public(), [*BREAKS[limit][1], *secret])

    assert asked.was_served
    assert asked.context.identity.tenant is None
    assert "a" * 32 != asked.context.trace.trace_id
    assert not {b"x-tenant-id", b"traceparent", b"pennon-context"} & dict(asked.seen).keys()


def test_several_broken_limits_are_noted_by_the_first(ask: Ask, spans: InMemorySpanExporter) -> None:
    """What a request would have been refused for; that it was late is counted beside it."""
    before = counted(Count.HEADERS_OBSERVED, "late")
    ask(OBSERVED, TRUSTED, [*BREAKS[Limit.LATE][1], (b"x-nobody-knows", b"1")])
    [span] = spans.get_finished_spans()

    assert "unknown" == (span.attributes or {})["pennon.headers.observed"]
    assert before + 1 == counted(Count.HEADERS_OBSERVED, "late")


def test_many_headers_are_read_and_counted(ask: Ask) -> None:
    """A header beyond the number is judged as any other: what a stranger may not say counts from no place."""
    padding = [(b"x-pad-%d" % number, b"1") for number in range(40)]
    asked = ask(OBSERVED, public(), [*padding, *OK])

    assert asked.was_served
    assert (("x-needed", "yes"),) == asked.context.fields
    assert asked.context.identity.tenant is None
