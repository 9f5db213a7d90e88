"""The suite of a contract: it passes where the contract is kept, and turns red for each rule that is not."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from pennon.headers import (
    BaggageKey,
    BaggagePolicy,
    Boundary,
    Breaker,
    Budgets,
    Contract,
    DeadlineForm,
    DeadlinePolicy,
    Downstream,
    Identity,
    Limits,
    Retries,
    Trust,
    UnknownHeaders,
    mesh,
    networks,
    public,
    std,
)
from pennon.headers.proxies import ForwardedSource, TrustedProxies
from pennon.testing.headers import Caller, Needs, Unseen, cases_of, run_suite

Door = Callable[..., Any]
DOORS = ["asgi", "wsgi"]


@pytest.mark.req(126)
@pytest.mark.parametrize("kind", DOORS)
@pytest.mark.parametrize("place", ["mesh", "public"])
def test_suite_passes_behind_the_contract_s_own_door(
    kind: str, place: str, door: Door, contract: Contract, boundaries: dict[str, Boundary], header_contract_suite: Any
) -> None:
    """Every rule is kept, by either protocol, at either boundary; there are many."""
    count = header_contract_suite(door(kind, contract, boundaries[place]), contract)

    assert count == len(cases_of(contract, boundaries[place]))
    assert count > 100


@pytest.mark.req(126)
@pytest.mark.parametrize("place", ["mesh", "public"])
def test_each_case_has_an_id_of_its_own(place: str, contract: Contract, boundaries: dict[str, Boundary]) -> None:
    """By which it can be parametrised, and which names field and rule."""
    cases = cases_of(contract, boundaries[place])

    assert len(cases) == len({case.id for case in cases})
    assert all(case.id.startswith(f"{case.field}/{case.rule}") for case in cases)
    assert {each.name for each in contract.fields} <= {case.field for case in cases}


def changed(contract: Contract, name: str, **changes: Any) -> Contract:
    """The contract with another rule for one field; where it goes nowhere any more, no downstream names it."""
    fields = [dataclasses.replace(each, **changes) if each.name == name else each for each in contract.fields]
    stays = not changes.get("downstream_may_forward", True)
    downstreams = [
        dataclasses.replace(each, fields=[field for field in each.fields if not (stays and field == name)])
        for each in contract.downstreams
    ]
    return dataclasses.replace(contract, fields=fields, downstreams=downstreams)


@pytest.mark.req(4, 126)
@pytest.mark.parametrize("kind", DOORS)
def test_case_turns_red_where_the_door_s_contract_breaks_its_rule(
    kind: str, door: Door, contract: Contract, boundaries: dict[str, Any]
) -> None:
    """The suite of the one contract, asked of a service behind another: the case of that very rule fails, and says so.

    One rule here; that there is a case for each is shown by `tests/requirements`.
    """
    other = door(kind, changed(contract, "x-case-kind", max_length=7), boundaries["mesh"])
    cases = {case.id: case for case in cases_of(contract, boundaries["mesh"])}

    cases["x-case-kind/syntax/taken"].run(other)
    with pytest.raises(AssertionError) as raised:
        cases["x-case-kind/max_length"].run(other)

    assert str(raised.value).startswith("x-case-kind/max_length: ")


@pytest.mark.parametrize(
    ("boundary", "broken"),
    [
        (mesh(verify=lambda _: True), ["x-desk/trust/stranger", "traceparent/stranger", "x-request-id/stranger"]),
        (mesh(verify=lambda _: False), ["x-desk/syntax/taken", "traceparent/verified", "x-request-id/verified"]),
        (mesh(verify=networks("10.0.0.0/8"), identity=lambda i: Identity(tenant=i.header("x-tenant-id"))), []),
    ],
    ids=["everybody", "nobody", "by the gateway's word"],
)
def test_case_turns_red_where_the_door_believes_somebody_else(
    boundary: Boundary, broken: list[str], door: Door, contract: Contract, boundaries: dict[str, Any]
) -> None:
    """The boundary is under test as the contract is."""
    cases = {case.id: case for case in cases_of(contract, boundaries["mesh"])}
    for each in broken:
        with pytest.raises(AssertionError):
            cases[each].run(door("asgi", contract, boundary))
    assert broken or run_suite(door("asgi", contract, boundary), contract) > 0


@pytest.mark.req(126)
@pytest.mark.parametrize("kind", DOORS)
def test_door_that_believes_everybody_turns_the_suite_red(kind: str, door: Door, contract: Contract) -> None:
    """By its own boundary there is no stranger to ask as. Where all are strangers there is no such case."""
    everybody = mesh(verify=lambda _: True)
    with pytest.raises(AssertionError, match=r"1 of \d+ failed:\nboundary/not-everybody: "):
        run_suite(door(kind, contract, everybody), contract)

    for nobody in (public(), mesh()):
        assert "boundary/not-everybody" not in {case.id for case in cases_of(contract, nobody)}


def test_stranger_that_is_named_is_whom_the_boundary_must_not_believe(door: Door, contract: Contract) -> None:
    """Where every usual address is somebody's of ours."""
    boundary = mesh(verify=lambda inbound: inbound.header("x-kit-guest") is None)
    with pytest.raises(AssertionError, match="boundary/not-everybody"):
        run_suite(door("asgi", contract, boundary), contract)

    guest = Caller("10.0.0.9", (("x-kit-guest", "yes"),))
    assert run_suite(door("asgi", contract, boundary), contract, stranger=guest) > 100


FORMS = DeadlinePolicy(accept=list(DeadlineForm), cap_s=5)
LISTED = """
    accept if-match etag authorization cookie content-type signature x-shard x-canary idempotency-key traceparent
baggage link sunset if-modified-since host x-actor-id x-actor-type x-on-behalf-of x-tenant-id""".split()
CONTRACTS = [
    Contract("bare", version="1", owner="tests", deadline=FORMS),
    Contract(
        "strict",
        version="1",
        owner="tests",
        unknown=UnknownHeaders.REJECT,
        deadline=FORMS,
        fields=[std.TENANT_ID],
        downstreams=[Downstream("a", host="a.internal", tenant=True)],
    ),
    Contract(
        "standards",
        version="1",
        owner="tests",
        unknown=UnknownHeaders.DROP,
        deadline=FORMS,
        fields=[std.BY_NAME[name] for name in LISTED],
        downstreams=[
            Downstream("a", host="a.internal", tenant=True, actor=True),
            Downstream("b", host="[::1]:81", external=True, deadline=DeadlineForm.GRPC),
            Downstream("t", topic="t", actor=True),
        ],
    ),
    Contract(
        "demanding",
        version="1",
        owner="tests",
        deadline=FORMS,
        fields=[dataclasses.replace(std.IDEMPOTENCY_KEY, required=True), std.TENANT_ID],
    ),
    Contract(
        "observing",
        version="1",
        owner="tests",
        limits=Limits.OBSERVE,
        unknown=UnknownHeaders.REJECT,
        deadline=dataclasses.replace(FORMS, max_refused_share=1.0),
        fields=[dataclasses.replace(each, required=True) for each in (std.IDEMPOTENCY_KEY, std.REGION, std.SHARD)],
        baggage=BaggagePolicy(max_bytes=800, wire_max_bytes=800, allow=["a"]),
        budgets=Budgets(total_bytes=2_000, total_count=20, custom_bytes=100),
    ),
    Contract(
        "narrow",
        version="1",
        owner="tests",
        proxies=TrustedProxies(["10.0.0.0/8"], reads=[ForwardedSource.FORWARDED]),
        deadline=dataclasses.replace(FORMS, from_strangers=True),
        baggage=BaggagePolicy(max_bytes=200, max_members=3, wire_max_bytes=400, allow=["a", "b"]),
        budgets=Budgets(total_bytes=2_000, total_count=20, trace_bytes=100, custom_bytes=500),
        fields=[std.TENANT_ID],
        downstreams=[Downstream("a", host="a.internal", audience="a", tenant=True, decides=True)],
    ),
]


@pytest.mark.parametrize("spoken", CONTRACTS, ids=lambda each: each.name)
@pytest.mark.parametrize(
    "boundary",
    [
        mesh(verify=networks("10.0.0.0/8")),
        mesh(verify=networks("10.0.0.0/8"), identity=lambda _: Identity(tenant="t")),
        public(),
        public(identity=lambda _: Identity(tenant="t", actor="u")),
    ],
    ids=["mesh", "mesh that knows who asks", "public", "public that knows who asks"],
)
def test_suite_and_corpus_pass_whatever_is_declared(
    boundary: Boundary, spoken: Contract, door: Door, hostile_headers: Any
) -> None:
    """Nobody's contract is red because of what the suite takes for granted."""
    for kind in DOORS:
        assert run_suite(door(kind, spoken, boundary), spoken) >= 30
        assert hostile_headers.run(door(kind, spoken, boundary), spoken, boundary=boundary) >= 50


@pytest.mark.req(6, 126)
@pytest.mark.parametrize(
    "broken",
    [
        *("budgets/total_count", "budgets/total_bytes", "budgets/custom_bytes", "baggage/wire_max_bytes"),
        *("x-region/required", "unknown/verified", "deadline/max_refused_share"),
    ],
)
def test_case_turns_red_where_limits_are_to_be_observed_and_the_door_enforces_them(broken: str, door: Door) -> None:
    """A contract that says nobody is turned away yet is kept to that, limit by limit."""
    [spoken] = [each for each in CONTRACTS if each.limits is Limits.OBSERVE]
    boundary = mesh(verify=networks("10.0.0.0/8"))
    [case] = [each for each in cases_of(spoken, boundary) if each.id == broken]
    case.run(door("asgi", spoken, boundary))

    with pytest.raises(AssertionError):
        case.run(door("asgi", dataclasses.replace(spoken, limits=Limits.ENFORCE), boundary))


def test_failure_names_what_was_sent_and_holds_no_value(door: Door, contract: Contract, boundaries: Any) -> None:
    """Names and sizes: a suite's output goes to places where values may not."""
    loose = changed(contract, "x-desk", trust=Trust.CLIENT, caller_may_set=True, gateway_overwrites=False)

    with pytest.raises(AssertionError) as raised:
        run_suite(door("asgi", loose, boundaries["mesh"]), contract)

    told = str(raised.value)
    assert "x-desk/trust/stranger: a stranger's value is not taken" in told
    assert "sent: x-desk (7 bytes), by a stranger" in told
    assert "expected: the request context does not hold it" in told
    assert "came: it holds 7 bytes" in told
    assert "desk-09" not in told


def test_application_that_is_no_door_is_seen_from_outside_alone(
    contract: Contract, boundaries: Any, door: Door
) -> None:
    """What can be told from responses runs; of the rest nobody is told that it held."""
    inner = door("asgi", contract, boundaries["public"])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def answering(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        inner.app = answering
        await inner(scope, receive, send)

    cases = cases_of(contract, boundaries["public"])
    outside = [case for case in cases if case.needs is Needs.ANSWERS]

    assert len(outside) == run_suite(app, contract, boundary=boundaries["public"], outside_only=True)
    with pytest.raises(Unseen, match="give the door itself"):
        next(case for case in cases if case.needs is Needs.INSIDE).run(app)
    with pytest.raises(ValueError, match="boundary: no door is found"):
        run_suite(app, contract)


def test_what_is_left_out_does_not_run(door: Door, contract: Contract, boundaries: Any) -> None:
    """By id, or by how ids begin."""
    everything = run_suite(door("asgi"), contract)
    gone = [case for case in cases_of(contract, boundaries["mesh"]) if case.id.startswith("deadline/")]

    assert everything - len(gone) - 1 == run_suite(
        door("asgi"), contract, leave_out=("deadline/", "rule/no-json-blobs")
    )


def test_caller_that_proves_itself_by_headers_is_named(door: Door, contract: Contract) -> None:
    """Where a verifier wants more than an address, the suite is told who it verifies, and checks that it does."""
    boundary = mesh(verify=lambda inbound: inbound.header("x-kit-proof") == "known")
    known = Caller("192.0.2.1", (("x-kit-proof", "known"),))

    with pytest.raises(ValueError, match=r"verifies none of .*say who is: Caller"):
        cases_of(contract, boundary)
    with pytest.raises(ValueError, match=r"does not verify '192\.0\.2\.1'"):
        cases_of(contract, boundary, verified=Caller("192.0.2.1"))
    with pytest.raises(ValueError, match=r"stranger: the boundary verifies '192\.0\.2\.1'"):
        cases_of(contract, boundary, stranger=known)
    assert run_suite(door("asgi", contract, boundary), contract, verified=known) > 100


@pytest.mark.req(126)
def test_stranger_who_cannot_bring_what_is_required_is_turned_away(
    door: Door, contract: Contract, boundaries: Any
) -> None:
    """Nothing else is asked of it; at a boundary where everybody is one, no case could be asked of anybody."""
    strict = changed(contract, "x-desk", required=True)
    cases = {case.id: case for case in cases_of(strict, boundaries["mesh"])}

    assert ["x-desk/required/stranger"] == [each for each in cases if each.endswith("/stranger")]
    assert len(cases) == run_suite(door("asgi", strict, boundaries["mesh"]), strict)
    with pytest.raises(AssertionError):
        cases["x-desk/required/stranger"].run(door("asgi", contract, boundaries["mesh"]))
    with pytest.raises(ValueError, match="x-desk: required, and nobody at this boundary can set it"):
        cases_of(strict, boundaries["public"])


def test_required_field_of_which_no_value_can_be_made_is_said(door: Door, contract: Contract) -> None:
    """By whoever knows one."""
    odd = changed(contract, "x-case-kind", syntax=r"([a-z])\1", required=True)
    boundary = mesh(verify=networks("10.0.0.0/8"))
    known, stranger = (Caller(address, (("x-case-kind", "aa"),)) for address in ("10.0.0.9", "203.0.113.9"))

    with pytest.raises(ValueError, match="x-case-kind: required, and no value can be made of the syntax"):
        cases_of(odd, boundary)
    assert run_suite(door("asgi", odd, boundary), odd, verified=known, stranger=stranger) > 100


def test_field_case_needs_nothing_of_a_field_that_a_codec_handles(boundaries: Any) -> None:
    """Trace, ids, baggage and deadlines have cases of their own; a response's fields and a connection's have none."""
    from pennon.headers import std

    listed = Contract("c", version="1", owner="t", fields=[std.TRACEPARENT, std.ETAG, std.HOST, std.FORWARDED])

    assert not {"etag", "host", "forwarded"} & {case.field for case in cases_of(listed, boundaries["mesh"])}


def test_service_in_which_nobody_is_verified_has_no_cases_of_verified_callers(contract: Contract) -> None:
    """A mesh without a verifier: everybody is a stranger, as at a public boundary."""
    assert not {each.id for each in cases_of(contract, mesh()) if each.id.endswith("/verified")}


@pytest.mark.req(6, 7, 27, 66, 126)
@pytest.mark.parametrize(
    ("broken", "told", "changes"),
    [
        ("downstreams/a/declared", "it differs in: retries, breaker", {"retries": None, "breaker": None}),
        ("downstreams/a/retries", "3 attempts", {"retries": Retries(attempts=2)}),
        ("downstreams/a/retries", "the door's contract guards the call", {"retries": None, "breaker": None}),
        ("downstreams/a/breaker", "4 attempts, and then none", {"breaker": Breaker(failures=5)}),
        ("baggage/declared", "it differs in: allow", {"baggage": BaggagePolicy(allow=[BaggageKey("a", max_values=2)])}),
        ("budgets/declared", "it differs in: total_count", {"budgets": Budgets(total_count=99)}),
        ("budgets/total_count/record", "behind 101 others", {"budgets": Budgets(total_count=1)}),
        ("unknown/declared", "came: another", {"unknown": UnknownHeaders.DROP}),
        ("deadline/declared", "came: another", {"deadline": None}),
        ("proxies/declared", "came: another", {"proxies": None}),
        ("business_ids/declared", "came: another", {"business_ids": ["CASE-[0-9]+"]}),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_part_that_the_door_declares_otherwise_turns_red(
    broken: str, told: str, changes: dict[str, Any], door: Door, boundaries: dict[str, Boundary]
) -> None:
    """Also what no request shows: how often a call is tried, how many values are expected."""
    host = Downstream("a", host="a.internal", retries=Retries(), breaker=Breaker(failures=4))
    said = Contract(
        "guarded",
        version="1",
        owner="tests",
        deadline=FORMS,
        baggage=BaggagePolicy(allow=[BaggageKey("a", max_values=3)]),
        proxies=TrustedProxies(["10.0.0.0/8"], reads=[ForwardedSource.FORWARDED]),
        downstreams=[host],
    )
    of_host = {
        name: value for name, value in changes.items() if hasattr(host, name) and name not in ("baggage", "deadline")
    }
    rest = {name: value for name, value in changes.items() if name not in of_host}
    spoken = dataclasses.replace(said, downstreams=[dataclasses.replace(host, **of_host)], **rest)
    [case] = [each for each in cases_of(said, boundaries["mesh"]) if each.id == broken]

    case.run(door("asgi", said))
    with pytest.raises(AssertionError, match=told):
        case.run(door("asgi", spoken))
