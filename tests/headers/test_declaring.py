"""What a contract refuses of names, of built-in fields, and of what its parts say of each other."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.errors import ContractInvalid
from pennon.headers import (
    Breaker,
    Budgets,
    Category,
    Classification,
    Contract,
    DeadlineForm,
    DeadlinePolicy,
    Downstream,
    Field,
    Limits,
    Log,
    Propagate,
    Retries,
    Trust,
    UnknownHeaders,
    std,
)
from pennon.headers.naming import name_fault
from pennon.headers.standard import Direction, HeaderScope, StandardField

Make = Callable[..., Field]
DEADLINE = DeadlinePolicy(accept=[], cap_s=30)
PROPERTIES = [each.name for each in fields(Field) if each.name not in ("name", "kafka", "required")]


def _faults(**changes: Any) -> dict[str, str]:
    """The faults of a contract; none if it builds."""
    declared: dict[str, Any] = {"version": "1", "owner": "tests"}
    try:
        Contract("c", **(declared | changes))
    except ContractInvalid as refusal:
        return {fault.path: fault.message for fault in refusal.faults}
    return {}


@pytest.mark.req(4, 114)
@pytest.mark.parametrize("missing", PROPERTIES)
def test_field_wants_each_property(make_field: Make, missing: str) -> None:
    """Left out, it is a TypeError before there is a contract."""
    said = {name: getattr(make_field(), name) for name in PROPERTIES if name != missing}

    with pytest.raises(TypeError, match=missing):
        Field("x-plan", **said)


@pytest.mark.req(4)
@pytest.mark.parametrize("undecided", PROPERTIES)
def test_contract_refuses_a_property_that_is_none(make_field: Make, undecided: str) -> None:
    """None is no decision."""
    assert f"/fields/0/{undecided}" in _faults(fields=[make_field("x-plan", **{undecided: None})])


@pytest.mark.req(1, 2)
@pytest.mark.parametrize("category", [None, "security", "business", ""])
def test_contract_questions_a_header_of_no_category(make_field: Make, category: object) -> None:
    """If it belongs to none of the seven, it is not the category that is wrong."""
    faults = _faults(fields=[make_field("x-plan", category=category)])

    assert ["/fields/0/category"] == list(faults)
    assert "questioned" in faults["/fields/0/category"]
    assert all(f"Category.{each.name}" in faults["/fields/0/category"] for each in Category)


@pytest.mark.req(3, 22, 113)
@pytest.mark.parametrize(
    ("name", "constant"),
    [
        ("Content-Type", "CONTENT_TYPE"),
        ("X-Content-Type", "CONTENT_TYPE"),
        ("content_type", "CONTENT_TYPE"),
        ("X-ContentType", "CONTENT_TYPE"),
        ("X-Accept", "ACCEPT"),
        ("Retry-After", "RETRY_AFTER"),
        ("X-Retry-Later", "RETRY_AFTER"),
        ("X-Retry-In-Seconds", "RETRY_AFTER"),
        ("traceparent", "TRACEPARENT"),
        ("X-Trace-Id", "TRACEPARENT"),
        ("X-Trace-Id-Root", "TRACEPARENT"),
        ("Trace-ID", "TRACEPARENT"),
        ("x-span-id", "TRACEPARENT"),
        ("X-B3-TraceId", "TRACEPARENT"),
        ("b3", "TRACEPARENT"),
        ("X-TraceState", "TRACESTATE"),
        ("x-baggage", "BAGGAGE"),
        ("baggage-user", "BAGGAGE"),
        ("x-request-id", "REQUEST_ID"),
        ("Request-Id", "REQUEST_ID"),
        ("X-Req-Id", "REQUEST_ID"),
        ("X-CorrelationId", "CORRELATION_ID"),
        ("X-Conversation-Id", "CORRELATION_ID"),
        ("X-Deadline", "REQUEST_DEADLINE"),
        ("x-request-timeout", "REQUEST_TIMEOUT_MS"),
        ("X-Grpc-Timeout", "GRPC_TIMEOUT"),
        ("X-Idempotency-Key", "IDEMPOTENCY_KEY"),
        ("Idempotency_Key", "IDEMPOTENCY_KEY"),
        ("X-RateLimit-Remaining", "RATELIMIT"),
        ("X-Idempotency-Token", "IDEMPOTENCY_KEY"),
        ("X-ETag", "ETAG"),
        ("X-Resource-Version", "ETAG"),
        ("X-If-Match", "IF_MATCH"),
        ("X-Expected-Version", "IF_MATCH"),
        ("X-Deprecated", "DEPRECATION"),
        ("X-Sunset-Date", "SUNSET"),
        ("X-Authorization", "AUTHORIZATION"),
        ("X-Real-IP", "X_FORWARDED_FOR"),
        ("X-Forwarded-For", "X_FORWARDED_FOR"),
        ("X-Forwarded", "FORWARDED"),
    ],
)
def test_contract_names_the_standard_that_a_field_of_ones_own_shadows(
    make_field: Make, name: str, constant: str
) -> None:
    """Under HTTP's name as under the records'; the way out is in the message."""
    http = _faults(fields=[make_field(name)])
    records = _faults(fields=[make_field("x-plan", kafka=name)])

    assert [["/fields/0/name"], ["/fields/0/kafka"]] == [list(http), list(records)]
    assert http["/fields/0/name"].endswith(f"use std.{constant}")
    assert records["/fields/0/kafka"].endswith(f"use std.{constant}")


@pytest.mark.req(3, 22)
@pytest.mark.parametrize(
    "name",
    [
        *("x-tenant-id", "x-actor-id", "x-region", "x-shard", "x-canary", "x-caller-service", "X-Plan", "tenant"),
        *("X-Content-Type-Sniffed", "x-hub-signature-256", "x-accepted-terms", "x-etag-source", "x-customer-segment"),
        *("x-retryable", "x-sunrise", "x-host-group", "x-connection-pool", "x-trace-sampling"),
    ],
)
def test_contract_leaves_other_names_alone(make_field: Make, name: str) -> None:
    """What pennon only suggests is the user's own to declare; what begins alike is not the same."""
    assert {} == _faults(fields=[make_field(name)])


@pytest.mark.req(15, 17)
@given(st.sampled_from([each.name for each in std.ALL]), st.data())
def test_name_of_a_standard_is_refused_in_any_spelling(name: str, data: st.DataObject) -> None:
    """Case and - or _ do not make another header of it."""
    spelled = "".join(
        data.draw(st.sampled_from([letter, letter.upper(), "_" if letter == "-" else letter])) for letter in name
    )
    is_suggested = std.BY_NAME[name].owner == "pennon" and name not in std.HANDLED

    assert is_suggested is (name_fault(spelled) is None)


@pytest.mark.req(15, 17)
def test_contract_refuses_twins_across_http_and_records(make_field: Make) -> None:
    """A header's name and another's on records are one to whoever bridges the two; built-in fields included."""
    first = make_field("x-plan", kafka="plan")

    assert ["/fields/1/name"] == list(_faults(fields=[first, make_field("PLAN")]))
    assert ["/fields/1/kafka"] == list(_faults(fields=[first, make_field("x-edition", kafka="x_plan")]))
    assert ["/fields/1/kafka"] == list(_faults(fields=[std.REGION, make_field("x-zone", kafka="x_region")]))
    assert ["/fields/1/name"] == list(_faults(fields=[std.REGION, std.REGION]))


@pytest.mark.req(3)
@pytest.mark.parametrize(
    ("field", "changes", "part"),
    [
        (std.REGION, {"max_length": 8, "syntax": "eu|us", "log": Log.HASH, "description": "ours"}, None),
        (std.REGION, {"propagate": Propagate.NEVER, "owner": "edge", "kafka": "region"}, None),
        (std.IDEMPOTENCY_KEY, {"max_length": 64, "classification": Classification.INTERNAL}, None),
        (std.IDEMPOTENCY_KEY, {"required": True}, None),
        (std.TRACEPARENT, {"owner": "platform", "log": Log.REDACTED, "description": "ours"}, None),
        (std.REGION, {"category": Category.SECURITY}, "category"),
        (std.ETAG, {"direction": Direction.REQUEST}, "direction"),
        (std.IF_MATCH, {"is_list": False}, "is_list"),
        (std.REGION, {"scope": HeaderScope.HOP}, "scope"),
        (std.REGION, {"name": "x-regio"}, "name"),
        (std.TRACEPARENT, {"propagate": Propagate.NEVER}, "propagate"),
        (std.TRACEPARENT, {"syntax": ".*"}, "syntax"),
        (std.CORRELATION_ID, {"max_length": 64}, "max_length"),
        (std.REQUEST_ID, {"kafka": "request"}, "kafka"),
        (std.CONTEXT, {"gateway_overwrites": False}, "gateway_overwrites"),
        (std.CORRELATION_ID, {"required": True}, "required"),
        (std.HOST, {"required": True}, "required"),
        (std.ETAG, {"required": True}, "required"),
        (std.REGION, {"required": "yes"}, "required"),
        (std.HOST, {"downstream_may_forward": True}, "downstream_may_forward"),
        (std.AUTHORIZATION, {"classification": Classification.PUBLIC}, "classification"),
        (std.X_FORWARDED_FOR, {"classification": Classification.INTERNAL}, "classification"),
    ],
)
def test_built_in_field_can_be_changed_as_far_as_it_is_true(
    field: StandardField, changes: dict[str, Any], part: str | None
) -> None:
    """What the header is stays; what a codec or the server does, too: no document says what nobody does."""
    assert ([] if part is None else [f"/fields/0/{part}"]) == list(_faults(fields=[replace(field, **changes)]))


@pytest.mark.req(26, 96)
@pytest.mark.parametrize("classification", [Classification.PERSONAL, Classification.SECRET])
@pytest.mark.parametrize("propagate", Propagate)
def test_personal_data_and_secrets_go_nowhere(
    make_field: Make, classification: Classification, propagate: Propagate
) -> None:
    """An opaque id goes in their place."""
    faults = _faults(fields=[make_field("x-plan", classification=classification, propagate=propagate)])

    assert ([] if propagate is Propagate.NEVER else ["/fields/0/propagate"]) == list(faults)


@pytest.mark.req(26, 96)
def test_built_in_secret_goes_nowhere_either() -> None:
    """A credential is for whom it was sent to."""
    assert ["/fields/0/propagate"] == list(_faults(fields=[replace(std.AUTHORIZATION, propagate=Propagate.ALWAYS)]))


@pytest.mark.req(6)
@pytest.mark.parametrize(
    ("budgets", "path"),
    [
        (Budgets(), None),
        (Budgets(total_bytes=2048), None),
        (Budgets(total_bytes=2047), "custom_bytes"),
        (Budgets(trace_bytes=16_385), "trace_bytes"),
        (Budgets(total_count=0), "total_count"),
        (Budgets(custom_bytes=True), "custom_bytes"),
    ],
)
def test_contract_refuses_budgets_of_a_part_above_the_whole(budgets: Budgets, path: str | None) -> None:
    """Custom and trace within the total; each at least 1."""
    assert ([] if path is None else [f"/budgets/{path}"]) == list(_faults(budgets=budgets))


@pytest.mark.req(6)
def test_contract_refuses_a_field_that_its_budget_cannot_hold(make_field: Make) -> None:
    """As long as it may be it would be dropped each time."""
    assert ["/fields/0/max_length"] == list(_faults(fields=[make_field("x-plan", max_length=2049)]))
    assert [] == list(_faults(fields=[make_field("x-plan", max_length=2048), std.AUTHORIZATION]))


IDENTITY = (std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF)


@pytest.mark.req(59, 68, 95)
@pytest.mark.parametrize(
    ("downstream", "parts"),
    [
        (Downstream("a", host="a", tenant=True, actor=True, deadline=DeadlineForm.GRPC, audience="a"), []),
        (Downstream("a", host="a", retries=Retries(), breaker=Breaker()), []),
        (Downstream("a", topic="a", tenant=True, audience="urn:orders"), []),
        (Downstream(" ", host="a"), ["name"]),
        (Downstream("a", topic="a", deadline=DeadlineForm.GRPC), ["deadline"]),
        (Downstream("a", topic="a", retries=Retries(), breaker=Breaker()), ["retries", "breaker"]),
        (Downstream("a", host="a", external=True, tenant=True), ["tenant"]),
        (Downstream("a", host="a", external=True, actor=True), ["actor"]),
        (Downstream("a", host="a", external=True, audience="a"), ["audience"]),
        (Downstream("a", host="a", audience=""), ["audience"]),
        (Downstream("a", host="a", audience="pay ments"), ["audience"]),
        (Downstream("a", host="a", audience="a" * 256), ["audience"]),
        (Downstream("a", host="a", deadline="grpc-timeout"), ["deadline"]),  # type: ignore[arg-type]
        (Downstream("a", host="a", retries=3), ["retries"]),  # type: ignore[arg-type]
        (Downstream("a", host="a", retries=Retries(attempts=0)), ["retries/attempts"]),
        (Downstream("a", host="a", retries=Retries(attempts=11)), ["retries/attempts"]),
        (Downstream("a", host="a", retries=Retries(initial_s=0)), ["retries/initial_s"]),
        (Downstream("a", host="a", retries=Retries(initial_s=3)), ["retries/initial_s"]),
        (Downstream("a", host="a", retries=Retries(max_s=float("inf"))), ["retries/max_s"]),
        (Downstream("a", host="a", breaker=Breaker(failures=0)), ["breaker/failures"]),
        (Downstream("a", host="a", breaker=Breaker(rest_s=-1)), ["breaker/rest_s"]),
        (Downstream("a", host="a", fields=["traceparent"]), ["fields/0"]),
        (Downstream("a", host="a", fields=["etag"]), ["fields/0"]),
        (Downstream("a", host="a", fields=["idempotency-key"]), ["fields/0"]),
        (Downstream("a", host="a", fields=["x-region"]), ["fields/0"]),
    ],
)
def test_contract_refuses_downstreams_that_cannot_be_served(downstream: Downstream, parts: list[str]) -> None:
    """What nobody could send, guard or believe."""
    kept = replace(std.REGION, downstream_may_forward=False)
    declared = [*IDENTITY, std.TRACEPARENT, std.ETAG, std.IDEMPOTENCY_KEY, kept]
    faults = _faults(fields=declared, deadline=DEADLINE, downstreams=[downstream])

    assert [f"/downstreams/0/{part}" for part in parts] == list(dict.fromkeys(faults))


@pytest.mark.req(68, 70, 95)
def test_contract_names_the_identity_fields_that_a_downstream_wants() -> None:
    """An actor goes with what it is and for whom it acts, or not at all."""
    wants = Downstream("a", host="a", tenant=True, actor=True)
    faults = _faults(fields=[std.ACTOR_ID], downstreams=[wants])

    assert ["/downstreams/0/tenant", "/downstreams/0/actor"] == list(faults)
    assert "std.TENANT_ID" in faults["/downstreams/0/tenant"]
    assert "std.ACTOR_TYPE, std.ON_BEHALF_OF" in faults["/downstreams/0/actor"]


@pytest.mark.req(60, 61, 95, 107, 122)
def test_contract_refuses_a_deadline_that_nobody_keeps() -> None:
    """Downstreams are told what the contract has; its policy's faults are the contract's."""
    told = Downstream("a", host="a", deadline=DeadlineForm.GRPC)

    assert ["/downstreams/0/deadline"] == list(_faults(downstreams=[told]))
    assert ["/deadline/cap_s"] == list(_faults(deadline=DeadlinePolicy(accept=[], cap_s=-1)))
    assert ["/deadline/accept/0"] == list(_faults(deadline=DeadlinePolicy(accept=["soon"], cap_s=1)))
    assert ["/deadline"] == list(_faults(deadline=30))


@pytest.mark.req(12)
def test_contract_refuses_an_unknown_policy_for_unknown_headers() -> None:
    """One of three."""
    assert ["/unknown"] == list(_faults(unknown="drop"))
    assert all({} == _faults(unknown=each) for each in UnknownHeaders)


@pytest.mark.req(6)
def test_contract_refuses_limits_of_another_kind() -> None:
    """Enforced or observed; a text is neither."""
    assert ["/limits"] == list(_faults(limits="observe"))
    assert all({} == _faults(limits=each) for each in Limits)


@pytest.mark.req(18, 20, 96)
def test_listing_a_credential_does_not_take_it_off_calls() -> None:
    """What a standard defines for each message is that message's own: one's own Authorization leaves as it was set."""
    contract = Contract(
        "c",
        version="1",
        owner="t",
        fields=[std.AUTHORIZATION, std.COOKIE],
        downstreams=[Downstream("a", host="a")],
    )
    routes = (contract.route(contract.downstreams[0]), contract.route(None))

    assert all(not {b"authorization", b"cookie"} & route.withheld for route in routes)
    assert all(not route.fields for route in routes)


@pytest.mark.req(8, 15)
def test_derived_lookups_tell_what_is_read_as_declared(make_field: Make) -> None:
    """Each name over HTTP, in lower case; a codec's field is found and not read twice."""
    own = make_field("X-Plan", kafka="Plan", trust=Trust.CLIENT)
    contract = Contract("c", version="1", owner="t", fields=[own, std.TRACEPARENT, std.ETAG], deadline=DEADLINE)

    assert {"x-plan"} == contract.fields_by_name.keys()
    assert {"x-plan", "traceparent", "etag"} == contract.declared.keys()
    assert ("x-plan", None) == (contract.slots[b"x-plan"], contract.slots.get(b"plan"))
    assert b"etag" not in contract.slots
