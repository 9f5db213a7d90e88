"""What a contract is asked, and the fourteen answers of a review."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pennon.headers import (
    BaggageKey,
    BaggagePolicy,
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
    Trust,
    std,
)
from pennon.headers.lint import Rule, findings_of
from pennon.headers.proxies import ForwardedSource, TrustedProxies
from pennon.headers.review import Answer, Evidence, Outcome, review_of

Make = Callable[..., Field]
DEADLINE = DeadlinePolicy(accept=["x-request-deadline"], cap_s=30)
OPEN = {"trust": Trust.CLIENT, "caller_may_set": True, "gateway_overwrites": False}
PLAN = {
    "classification": Classification.INTERNAL,
    "category": Category.EVOLUTION,
    "syntax": "free|pro",
    "log": Log.CLEAR,
}
IDENTITY = (std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF)


def _contract(**changes: Any) -> Contract:
    declared: dict[str, Any] = {"version": "1", "owner": "t", "deadline": DEADLINE}
    return Contract("c", **(declared | changes))


def _found(contract: Contract) -> set[tuple[str, str]]:
    return {(each.rule.value, each.path) for each in findings_of(contract)}


@pytest.fixture(scope="module")
def good(make_field: Make) -> Contract:
    """A contract that is asked nothing."""
    return _contract(
        fields=[*IDENTITY, std.IDEMPOTENCY_KEY, std.ETAG, std.IF_MATCH, make_field("x-plan", **PLAN)],
        baggage=BaggagePolicy(
            allow=[BaggageKey("tenant.tier", enum=["free"]), BaggageKey("exp.*", syntax="[a-z]+", max_length=32)]
        ),
        proxies=TrustedProxies(["10.0.0.0/8"], reads=[ForwardedSource.X_FORWARDED]),
        downstreams=[
            Downstream("pay", host="*.pay.internal", tenant=True, deadline=DeadlineForm.TIMEOUT_MS),
            Downstream("feed", topic="feed"),
            Downstream("stripe", host="api.stripe.com", external=True, trace=False),
        ],
    )


def test_good_contract_is_asked_nothing(good: Contract) -> None:
    """Silence where there is nothing to say, so that what is said is heard."""
    assert () == findings_of(good)


@pytest.mark.req(2, 5, 22, 25, 26, 96, 101, 102, 103, 104, 114)
@pytest.mark.parametrize(
    ("name", "changes", "rule", "part"),
    [
        ("x-framing", {"category": Category.PROTOCOL}, Rule.UNCATEGORISED_HEADER, "category"),
        ("x-amzn-trace-id", {}, Rule.VENDOR_TRACE, "name"),
        ("sentry-trace", {}, Rule.VENDOR_TRACE, "name"),
        ("x-plan", {"owner": "TODO"}, Rule.NO_OWNER, "owner"),
        ("x-plan", {"owner": "n/a"}, Rule.NO_OWNER, "owner"),
        ("x-plan", {"syntax": ".*"}, Rule.SYNTAX_SAYS_NOTHING, "syntax"),
        ("x-plan", {"syntax": r"[\x20-\x7e]+"}, Rule.SYNTAX_SAYS_NOTHING, "syntax"),
        ("x-plan", {"syntax": r"\{.*\}"}, Rule.JSON_BLOB, "syntax"),
        ("x-plan", {"syntax": r"[\[{].+"}, Rule.JSON_BLOB, "syntax"),
        ("x-plan", {"syntax": r"[A-Za-z ,.:!]+"}, Rule.FREE_TEXT, "syntax"),
        ("X-Case-State", {}, Rule.DOMAIN_PAYLOAD, "name"),
        ("x_order_payload", {}, Rule.DOMAIN_PAYLOAD, "name"),
        ("x-method", {}, Rule.HIDDEN_PARAMETER, "name"),
        ("x-search-query", {}, Rule.HIDDEN_PARAMETER, "name"),
        ("x-http-method-override", {}, Rule.HIDDEN_PARAMETER, "name"),
        ("x-skip-validation", {}, Rule.HIDDEN_PARAMETER, "name"),
        ("x-id", {}, Rule.ONE_ID_FOR_ALL, "name"),
        ("x-global-uuid", {}, Rule.ONE_ID_FOR_ALL, "name"),
        ("x-api-key", {}, Rule.UNMARKED_SECRET, "classification"),
        ("x-customer-email", {}, Rule.PERSONAL_DATA, "classification"),
        ("x-plan", {"classification": Classification.INTERNAL_ID}, Rule.LOGGED_IN_CLEAR, "log"),
        ("x-plan", {"required": True}, Rule.REQUIRED_OF_STRANGERS, "required"),
        ("x-user-id", OPEN, Rule.PUBLIC_IDENTITY, "trust"),
        ("x-is-admin", OPEN, Rule.PUBLIC_IDENTITY, "trust"),
        ("x-tenant-id", OPEN, Rule.PUBLIC_IDENTITY, "trust"),
    ],
)
def test_field_is_asked_for(make_field: Make, name: str, changes: dict[str, Any], rule: Rule, part: str) -> None:
    """One doubtful thing, one finding, at its place."""
    assert {(rule.value, f"/fields/0/{part}")} == _found(_contract(fields=[make_field(name, **(PLAN | changes))]))


@pytest.mark.req(99)
def test_required_field_that_strangers_may_set_is_asked_nothing(make_field: Make) -> None:
    """Nor is who asks: at a public boundary its `identity` tells it."""
    fields = [make_field("x-plan", **(PLAN | OPEN), required=True), replace(std.TENANT_ID, required=True)]

    assert set() == _found(_contract(fields=fields))


@pytest.mark.req(5)
@pytest.mark.parametrize(
    "name", ["x-plan", "x-region-hint", "x-statement", "x-edition", "x-customer-segment", "x-grid"]
)
def test_field_of_an_ordinary_name_is_asked_nothing(make_field: Make, name: str) -> None:
    """Names are judged by whole words."""
    assert set() == _found(_contract(fields=[make_field(name, **PLAN)]))


@pytest.mark.req(8, 104)
def test_built_in_identity_that_anybody_may_set_is_asked_for() -> None:
    """Opened by hand, a built-in field is as doubtful as one's own."""
    opened = replace(std.TENANT_ID, trust=Trust.CLIENT, caller_may_set=True, gateway_overwrites=False)

    assert {("public-identity", "/fields/0/trust")} == _found(_contract(fields=[opened]))


@pytest.mark.req(40, 117)
def test_idempotency_key_that_is_sent_on_is_asked_for() -> None:
    """A key is for one deed; a copy of it downstream names another one."""
    sent = replace(std.IDEMPOTENCY_KEY, propagate=Propagate.ALWAYS, downstream_may_forward=True)

    assert {("key-forwarded", "/fields/0/propagate")} == _found(_contract(fields=[sent]))


@pytest.mark.req(100, 105)
def test_fields_that_all_go_everywhere_or_all_stand_in_logs_are_asked_for(make_field: Make) -> None:
    """One that does is a choice, all that do are none."""
    changes = PLAN | {"propagate": Propagate.ALWAYS}
    names = [f"x-{word}" for word in ("plan", "edition", "lane")]
    contract = _contract(fields=[make_field(name, **changes) for name in names])
    mixed = [make_field(names[0], **PLAN, propagate=Propagate.NEVER), *contract.fields[1:]]

    assert {("forward-everything", "/fields"), ("logged-in-clear", "/fields")} == _found(contract)
    assert {("logged-in-clear", "/fields")} == _found(_contract(fields=mixed))


@pytest.mark.req(6)
def test_budgets_that_the_fields_alone_exceed_are_asked_for(make_field: Make) -> None:
    """A caller who obeys each field's length is refused for all of them."""
    fields = [make_field(f"x-{word}", **(PLAN | {"max_length": 500, "log": Log.HASH})) for word in "abcde"]

    assert {("budget-too-small", "/budgets/custom_bytes")} == _found(_contract(fields=fields))
    assert {("budget-too-small", "/budgets/trace_bytes")} == _found(_contract(budgets=Budgets(trace_bytes=511)))


@pytest.mark.req(6, 7, 11, 118, 120)
@pytest.mark.parametrize(
    ("changes", "found", "number"),
    [
        ({"budgets": Budgets(total_bytes=65_537)}, ("wide-budget", "/budgets/total_bytes"), 120),
        ({"budgets": Budgets(total_count=401)}, ("wide-budget", "/budgets/total_count"), 120),
        ({"baggage": BaggagePolicy(wire_max_bytes=32_769)}, ("baggage-as-cache", "/baggage/wire_max_bytes"), 118),
        (
            {"proxies": TrustedProxies(["10.0.0.0/8", "0.0.0.0/1"], reads=[ForwardedSource.X_FORWARDED])},
            ("wide-network", "/proxies/networks/1"),
            120,
        ),
        (
            {"proxies": TrustedProxies(["::/0"], reads=[ForwardedSource.FORWARDED])},
            ("wide-network", "/proxies/networks/0"),
            120,
        ),
        ({"deadline": DeadlinePolicy(accept=[], cap_s=5)}, ("no-deadline", "/deadline/accept"), 122),
        ({"deadline": replace(DEADLINE, cap_s=3_601)}, ("no-deadline", "/deadline/cap_s"), 122),
        ({"owner": "TODO"}, ("no-owner", "/owner"), 114),
        (
            {"downstreams": [Downstream("a", host="*.eu.amazonaws.com", deadline=DeadlineForm.GRPC)]},
            ("broad-downstream", "/downstreams/0/host"),
            121,
        ),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
def test_limit_that_limits_nobody_is_asked_for(changes: Any, found: tuple[str, str], number: int) -> None:
    """It builds, and whoever reads the review should not take it for a yes."""
    contract = _contract(**changes)

    assert {found} == _found(contract)
    assert Outcome.FAILED is {answer.number: answer.outcome for answer in review_of(contract)}[number]


def test_limits_as_they_are_by_themselves_are_asked_nothing() -> None:
    """Nor twice as much, nor the largest private networks."""
    wide = _contract(
        budgets=Budgets(total_bytes=32_768, total_count=200, custom_bytes=4_096),
        proxies=TrustedProxies(["10.0.0.0/8", "fc00::/7"], reads=[ForwardedSource.FORWARDED]),
        deadline=replace(DEADLINE, cap_s=900),
        downstreams=[Downstream("a", host="*.amazonaws.com", external=True)],
    )

    assert not _found(_contract()) | _found(wide)


@pytest.mark.req(100)
def test_fields_that_each_service_names_go_everywhere(make_field: Make) -> None:
    """What the contract says one by one is what it would say at once."""
    fields = [make_field(name, **PLAN | {"log": Log.HASH}) for name in ("x-plan", "x-edition", "x-lane")]
    named = [each.name for each in fields]
    hosts = [Downstream(name, host=f"{name}.internal", fields=named, deadline=DeadlineForm.GRPC) for name in "ab"]
    other = replace(hosts[1], fields=named[1:])

    assert {("forward-everything", "/fields")} == _found(_contract(fields=fields, downstreams=hosts))
    assert not _found(_contract(fields=fields, downstreams=hosts[:1]))
    assert not _found(_contract(fields=fields, downstreams=[hosts[0], other]))


@pytest.mark.req(5, 23, 26, 101, 104)
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        *((name, "hidden-parameter") for name in ("x-dry-run", "x-filter", "x-include-deleted", "x-page-size")),
        *((name, "public-identity") for name in ("x-org-id", "x-workspace-id", "x-merchant-id", "x-login")),
        *((name, "personal-data") for name in ("x-dob", "x-customer-name", "x-geo-location")),
        *((name, "one-id-for-all") for name in ("x-flow-id", "x-transaction-id")),
        *((name, "vendor-trace") for name in ("x-newrelic-id", "elastic-apm-traceparent", "sw8")),
    ],
)
def test_usual_name_for_what_no_header_should_be_is_asked_for(name: str, rule: str, make_field: Make) -> None:
    """Beside others that it may also be asked for."""
    contract = _contract(fields=[make_field(name, **PLAN, **OPEN)])

    assert rule in {each for each, _ in _found(contract)}


@pytest.mark.req(5)
def test_field_with_room_for_a_document_is_asked_for(make_field: Make) -> None:
    """Whatever its encoding: base64 has no braces."""
    fields = [make_field("x-plan", **PLAN | {"syntax": "[A-Za-z0-9+/=]+", "max_length": 513})]

    assert {("domain-payload", "/fields/0/max_length")} == _found(_contract(fields=fields))


@pytest.mark.req(24, 25, 26, 27, 28, 29, 32, 104, 106)
@pytest.mark.parametrize(
    ("allow", "found"),
    [
        (["tier"], {(Rule.UNBOUNDED_KEY, "/0")}),
        ([BaggageKey("tier", syntax="[a-z]+")], {(Rule.UNBOUNDED_KEY, "/0")}),
        ([BaggageKey("tier", max_length=3)], {(Rule.UNBOUNDED_KEY, "/0")}),
        ([BaggageKey("tier", syntax=".+", max_length=32)], {(Rule.SYNTAX_SAYS_NOTHING, "/0/syntax")}),
        ([BaggageKey("tier", syntax=r"\{.*\}", max_length=32)], {(Rule.JSON_BLOB, "/0/syntax")}),
        ([BaggageKey("tier", syntax="[a-z]+", max_length=129)], {(Rule.BAGGAGE_AS_CACHE, "/0")}),
        ([BaggageKey("user.profile", syntax="[a-z]+", max_length=9)], {(Rule.BAGGAGE_AS_CACHE, "/0")}),
        ([BaggageKey("case-state.*", syntax="[a-z]+", max_length=9)], {(Rule.BAGGAGE_AS_CACHE, "/0")}),
        ([BaggageKey("user.id", syntax="[a-z]+", max_length=9)], {(Rule.PUBLIC_IDENTITY, "/0")}),
        ([BaggageKey("isAdmin", syntax="true|false", max_length=5)], {(Rule.PUBLIC_IDENTITY, "/0")}),
        ([BaggageKey("session-token", enum=["a"])], {(Rule.UNMARKED_SECRET, "/0")}),
        ([BaggageKey("email", enum=["a"])], {(Rule.PERSONAL_DATA, "/0")}),
        ([BaggageKey("tier", enum=["a"]), BaggageKey("Tier", enum=["a"])], {(Rule.UNSTABLE_KEYS, "/1")}),
        ([BaggageKey("a-b", enum=["a"]), BaggageKey("a_b", enum=["a"])], {(Rule.UNSTABLE_KEYS, "/1")}),
    ],
)
def test_baggage_key_is_asked_for(allow: list[Any], found: set[tuple[Rule, str]]) -> None:
    """Hints of few values under stable names; not ids, not data, nobody's secrets."""
    contract = _contract(baggage=BaggagePolicy(allow=allow))

    assert {(rule.value, f"/baggage/allow{path}") for rule, path in found} == _found(contract)


@pytest.mark.req(29, 106)
@pytest.mark.parametrize(
    "policy", [BaggagePolicy(max_bytes=2048), BaggagePolicy(max_members=17)], ids=["bytes", "members"]
)
def test_baggage_of_more_than_hints_is_asked_for(policy: BaggagePolicy) -> None:
    """What travels with each call is small."""
    assert {("baggage-as-cache", "/baggage")} == _found(_contract(baggage=policy))


@pytest.mark.req(107)
def test_contract_without_a_deadline_is_asked_for() -> None:
    """The last of the anti-patterns: nobody says how long it may take."""
    assert {("no-deadline", "/deadline")} == _found(_contract(deadline=None))


@pytest.mark.req(6, 7)
def test_limits_that_are_only_observed_are_asked_for() -> None:
    """A contract in production shows that nothing is turned away."""
    assert {("limits-observed", "/limits")} == _found(_contract(limits=Limits.OBSERVE))


@pytest.mark.req(59, 95, 100, 107)
def test_downstreams_are_asked_for() -> None:
    """A whole zone is no allowlist; a service of ours is told how long we wait, others need not be."""
    contract = _contract(
        downstreams=[
            Downstream("a", host="*.internal", deadline=DeadlineForm.GRPC),
            Downstream("b", host="b.internal"),
            Downstream("c", host="c.example", external=True),
            Downstream("d", topic="d"),
        ]
    )

    assert {("broad-downstream", "/downstreams/0/host"), ("deadline-not-told", "/downstreams/1")} == _found(contract)


def _answers(contract: Contract, evidence: Evidence | None = None) -> dict[int, Answer]:
    return {each.number: each for each in review_of(contract, evidence or Evidence())}


def test_review_answers_the_fourteen_questions_in_order(good: Contract) -> None:
    """113 to 126, each a question with an answer and what it rests on."""
    answers = review_of(good)

    assert [*range(113, 127)] == [each.number for each in answers]
    assert all(each.question.endswith("?") and each.evidence for each in answers)


@pytest.mark.req(113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126)
def test_review_of_a_good_contract_passes(good: Contract) -> None:
    """With what only others can show, every question passes; of what is not declared it says so."""
    answers = _answers(good, Evidence(doors=["shop:app"], tests=["tests/test_shop.py"]))

    assert {125} == {number for number, each in answers.items() if each.outcome is Outcome.NOT_DECLARED}
    assert {Outcome.PASSED} == {each.outcome for number, each in answers.items() if number != 125}
    assert "shop:app" in answers[116].evidence
    assert "tests/test_shop.py" in answers[126].evidence


@pytest.mark.req(116, 126)
@pytest.mark.parametrize("evidence", [Evidence(), Evidence(doors=(), tests=())], ids=["not looked", "not found"])
def test_review_claims_nothing_that_was_not_shown(good: Contract, evidence: Evidence) -> None:
    """Doors and tests are not in the contract: without them the answer is no."""
    answers = _answers(good, evidence)

    assert {116, 126} == {number for number, each in answers.items() if each.outcome is Outcome.FAILED}


@pytest.mark.parametrize(
    ("number", "broken"),
    [
        pytest.param(113, (["x-amzn-trace-id"], {}), marks=pytest.mark.req(113)),
        pytest.param(114, (["x-plan"], {"owner": "tbd"}), marks=pytest.mark.req(114)),
        pytest.param(117, (["x-id"], {}), marks=pytest.mark.req(103, 117)),
        pytest.param(119, (["x-api-key"], {}), marks=pytest.mark.req(119)),
        pytest.param(120, (["x-plan"], {"syntax": r"\{.*\}"}), marks=pytest.mark.req(102, 120)),
        pytest.param(123, (["x-actor-id"], OPEN), marks=pytest.mark.req(104, 123)),
        pytest.param(118, {"baggage": BaggagePolicy(max_bytes=4096)}, marks=pytest.mark.req(106, 118)),
        pytest.param(121, {"downstreams": [Downstream("a", host="*.com", external=True)]}, marks=pytest.mark.req(121)),
        pytest.param(122, {"deadline": None}, marks=pytest.mark.req(107, 122)),
        pytest.param(124, {"fields": [std.ETAG]}, marks=pytest.mark.req(124)),
        pytest.param(125, {"fields": [std.SUNSET]}, marks=pytest.mark.req(125)),
        pytest.param(
            116,
            {"downstreams": [Downstream("a", host="a", trace=False, deadline=DeadlineForm.GRPC)]},
            marks=pytest.mark.req(33, 116),
        ),
    ],
)
def test_review_fails_the_question_that_is_broken(make_field: Make, number: int, broken: Any) -> None:
    """One fault, one no; beside it what is shown from outside stays shown."""
    changes = broken
    if isinstance(broken, tuple):
        names, more = broken
        changes = {"fields": [make_field(*names, **(PLAN | more))]}
    answers = _answers(_contract(**changes), Evidence(doors=["a"], tests=["t"]))
    failed = {each.number for each in answers.values() if each.outcome is Outcome.FAILED}

    assert number in failed
    assert failed <= {number, 120, 123}


@pytest.mark.req(113, 114)
def test_review_counts_no_finding_that_is_meant_so(make_field: Make) -> None:
    """What is allowed by name stands against nothing."""
    contract = _contract(fields=[make_field("x-amzn-trace-id", **PLAN)])
    allowed = {each.number: each for each in review_of(contract, allowed={Rule.VENDOR_TRACE})}

    assert Outcome.FAILED is _answers(contract)[113].outcome
    assert Outcome.PASSED is allowed[113].outcome


@pytest.mark.req(124, 125)
def test_review_says_what_is_not_declared() -> None:
    """Neither yes nor no, where the contract need not say anything."""
    answers = _answers(_contract())

    assert (Outcome.NOT_DECLARED, Outcome.NOT_DECLARED) == (answers[124].outcome, answers[125].outcome)
