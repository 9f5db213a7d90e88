"""The contract as TOML: each spelling is the value that Python's is; what cannot be read is told, all at once."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.errors import ContractInvalid
from pennon.headers import (
    BaggageKey,
    BaggagePolicy,
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
    UnknownMembers,
    std,
)
from pennon.headers.proxies import ForwardedSource, TrustedProxies

HEAD = 'name = "orders"\nversion = "1"\nowner = "platform"\n'
PLAN = Field(
    "X-Plan",
    category=Category.EVOLUTION,
    owner="billing",
    syntax="free|pro",
    max_length=8,
    trust=Trust.MESH,
    caller_may_set=False,
    gateway_overwrites=True,
    downstream_may_forward=True,
    propagate=Propagate.PER_DOWNSTREAM,
    log=Log.CLEAR,
    classification=Classification.INTERNAL,
    description="Which plan the tenant has",
    kafka="plan",
    required=True,
)
PLAN_TOML = """
[[fields]]
name = "X-Plan"
category = "evolution"
owner = "billing"
syntax = "free|pro"
max_length = 8
trust = "mesh"
caller_may_set = false
gateway_overwrites = true
downstream_may_forward = true
propagate = "per_downstream"
log = "clear"
classification = "internal"
description = "Which plan the tenant has"
kafka = "plan"
required = true
"""
IDENTITY = (std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF)
IDENTITY_TOML = 'std = ["x-tenant-id", "X-Actor-Id", "x-actor-type", "x-on-behalf-of"]\n'
DEADLINE = DeadlinePolicy(accept=["x-request-deadline", DeadlineForm.GRPC], cap_s=30, from_strangers=True)
DEADLINE_TOML = """
[deadline]
accept = ["x-request-deadline", "grpc-timeout"]
cap_s = 30
from_strangers = true
"""
# Each with what Python says in its place.
SPELLINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing but a name": ("", {}),
    "unknown": ('unknown = "reject"', {"unknown": UnknownHeaders.REJECT}),
    "limits": ('limits = "observe"', {"limits": Limits.OBSERVE}),
    "built-in fields by name": ('std = ["x-tenant-id", "traceparent"]', {"fields": [std.TENANT_ID, std.TRACEPARENT]}),
    "a built-in field that differs": (
        '[[fields]]\nstd = "idempotency-key"\nmax_length = 64\nlog = "redacted"',
        {"fields": [replace(std.IDEMPOTENCY_KEY, max_length=64, log=Log.REDACTED)]},
    ),
    "a field of one's own": (PLAN_TOML, {"fields": [PLAN]}),
    "the list comes first": ('std = ["x-region"]\n' + PLAN_TOML, {"fields": [std.REGION, PLAN]}),
    "baggage": (
        """
        [baggage]
        max_bytes = 512
        max_members = 8
        wire_max_bytes = 4096
        on_unknown = "drop"
        refuse_status = 400
        allow = ["tenant.tier", { key = "region", enum = ["eu", "us"], classification = "public" },
                 { key = "exp.*", syntax = "[a-z]+", max_length = 32, max_values = 64, description = "arms" }]
        """,
        {
            "baggage": BaggagePolicy(
                max_bytes=512,
                max_members=8,
                wire_max_bytes=4096,
                on_unknown=UnknownMembers.DROP,
                refuse_status=400,
                allow=[
                    "tenant.tier",
                    BaggageKey("region", enum=["eu", "us"], classification=Classification.PUBLIC),
                    BaggageKey("exp.*", syntax="[a-z]+", max_length=32, max_values=64, description="arms"),
                ],
            )
        },
    ),
    "allowed keys as tables": (
        '[[baggage.allow]]\nkey = "region"\nmax_length = 9',
        {"baggage": BaggagePolicy(allow=[BaggageKey("region", max_length=9)])},
    ),
    "budgets": (
        "[budgets]\ntotal_bytes = 9000\ntotal_count = 50\ncustom_bytes = 1000\ntrace_bytes = 600",
        {"budgets": Budgets(total_bytes=9000, total_count=50, custom_bytes=1000, trace_bytes=600)},
    ),
    "a budget inline": ("budgets = { total_count = 50 }", {"budgets": Budgets(total_count=50)}),
    "deadline": (DEADLINE_TOML, {"deadline": DEADLINE}),
    "a span as a fraction": (
        "[deadline]\naccept = []\ncap_s = 1.5\nfloor_s = 0",
        {"deadline": DeadlinePolicy(accept=[], cap_s=1.5, floor_s=0)},
    ),
    "proxies": (
        '[proxies]\nnetworks = ["10.0.0.0/8", "::1"]\nreads = ["forwarded"]\nmax_elements = 4',
        {"proxies": TrustedProxies(["10.0.0.0/8", "::1"], reads=[ForwardedSource.FORWARDED], max_elements=4)},
    ),
    "downstreams": (
        IDENTITY_TOML
        + DEADLINE_TOML
        + PLAN_TOML
        + """
        [[downstreams]]
        name = "payments"
        host = "*.pay.internal"
        tenant = true
        actor = true
        deadline = "x-request-timeout-ms"
        audience = "payments"
        fields = ["x-plan"]
        decides = true
        retries = { attempts = 2, initial_s = 0.2, max_s = 1 }
        breaker = {}

        [[downstreams]]
        name = "feed"
        topic = "feed.posts"
        trace = false
        baggage = false

        [[downstreams]]
        name = "stripe"
        host = "api.stripe.com"
        external = true
        """,
        {
            "fields": [*IDENTITY, PLAN],
            "deadline": DEADLINE,
            "downstreams": [
                Downstream(
                    "payments",
                    host="*.pay.internal",
                    tenant=True,
                    actor=True,
                    deadline=DeadlineForm.TIMEOUT_MS,
                    audience="payments",
                    fields=["x-plan"],
                    decides=True,
                    retries=Retries(attempts=2, initial_s=0.2, max_s=1),
                    breaker=Breaker(),
                ),
                Downstream("feed", topic="feed.posts", trace=False, baggage=False),
                Downstream("stripe", host="api.stripe.com", external=True),
            ],
        },
    ),
}


def _faults(text: str) -> dict[str, str]:
    with pytest.raises(ContractInvalid) as refusal:
        Contract.from_toml(text)
    return {fault.path: fault.message for fault in refusal.value.faults}


@pytest.mark.req(4, 88)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_from_toml_is_the_value_that_python_declares(spelling: str) -> None:
    """One declaration in either form: equal, and equal in hash."""
    text, said = SPELLINGS[spelling]
    expected = Contract("orders", version="1", owner="platform", **said)
    read = Contract.from_toml(HEAD + text)

    assert expected == read
    assert hash(expected) == hash(read)


def test_every_setting_is_spelled_in_these_tests() -> None:
    """A setting that a text cannot say, or that nobody has tried to, is found here."""
    text = "\n".join(text for text, _ in SPELLINGS.values())
    kinds = (Field, BaggageKey, BaggagePolicy, Budgets, TrustedProxies, Retries)
    settings = {each.name for kind in kinds for each in fields(kind) if each.init}

    assert set() == {name for name in settings if f"{name} =" not in text}


@pytest.mark.req(4)
@pytest.mark.parametrize("missing", [each.name for each in fields(Field) if each.name not in ("kafka", "required")])
def test_from_toml_wants_every_property_of_a_field(missing: str) -> None:
    """Nothing about a header of one's own is decided by leaving it out."""
    kept = [line for line in PLAN_TOML.splitlines() if not line.startswith(f"{missing} =")]

    assert {f"/fields/0/{missing}": "is missing"} == _faults("\n".join([HEAD, *kept]))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("nme = 1", "/nme"),
        ('"a/b~" = 1', "/a~1b~0"),
        ('std = "x-region"', "/std"),
        ('std = ["x-region", "x-nobody"]', "/std/1"),
        ("std = [1]", "/std/0"),
        ('unknown = "hide"', "/unknown"),
        ("fields = 3", "/fields"),
        ("fields = [3]", "/fields"),
        ('[[fields]]\nstd = "x-region"\nname = "x"', "/fields/0/name"),
        ('[[fields]]\nstd = "x-regio"', "/fields/0/std"),
        ('[[fields]]\nstd = "x-region"\nmax_length = "8"', "/fields/0/max_length"),
        ('[[fields]]\nstd = "x-region"\nmax_length = true', "/fields/0/max_length"),
        ("[baggage]\nmax_byte = 3", "/baggage/max_byte"),
        ("[baggage]\nallow = [3]", "/baggage/allow/0"),
        ("[baggage]\nallow = [{ enum = [] }]", "/baggage/allow/0/key"),
        ('[baggage]\nallow = ["a", { key = "b", enum = [1] }]', "/baggage/allow/1/enum/0"),
        ("[baggage]\nallow = 3", "/baggage/allow"),
        ("baggage = 3", "/baggage"),
        ('[deadline]\naccept = ["grpc"]\ncap_s = 1', "/deadline/accept/0"),
        ("[deadline]\naccept = []", "/deadline/cap_s"),
        ('[deadline]\naccept = []\ncap_s = "30s"', "/deadline/cap_s"),
        ('[proxies]\nnetworks = ["::1", "home"]\nreads = ["forwarded"]', "/proxies/networks/1"),
        ('[proxies]\nnetworks = ["::1"]\nreads = ["via"]', "/proxies/reads/0"),
        ('[[downstreams]]\nhost = "a"', "/downstreams/0/name"),
        ('[[downstreams]]\nname = "a"\nhost = "a"\nretries = 3', "/downstreams/0/retries"),
        ('[[downstreams]]\nname = "a"\nhost = "a"\nretries = { tries = 3 }', "/downstreams/0/retries/tries"),
        ('[[downstreams]]\nname = "a"\nhost = "a"\ndeadline = "ms"', "/downstreams/0/deadline"),
    ],
)
def test_from_toml_tells_where_it_cannot_be_read(text: str, path: str) -> None:
    """The key that is wrong, as a JSON pointer, and nothing else."""
    assert [path] == list(_faults(f"{HEAD}{text}"))


def test_from_toml_says_what_is_allowed_in_place_of_an_unknown_key() -> None:
    """A slip of the pen is put right without opening the manual."""
    assert (
        "total_bytes, total_count, custom_bytes, trace_bytes"
        in _faults(f"{HEAD}[budgets]\ntotal = 1")["/budgets/total"]
    )


def test_from_toml_tells_everything_that_cannot_be_read_at_once() -> None:
    """One run, all faults."""
    text = 'name = 1\nversion = "1"\nstd = ["x-no"]\n[budgets]\ntotal_count = "9"\n'
    text += '[proxies]\nnetworks = []\nreads = ["forwarded"]\n'

    assert {"/name", "/owner", "/std/0", "/budgets/total_count", "/proxies/networks"} == _faults(text).keys()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('std = ["x-region", "x-region"]', "/std/1"),
        ('std = ["x-shard", "x-region"]\n[[fields]]\nstd = "x-tenant-id"\nmax_length = 0', "/fields/0/max_length"),
        ("[budgets]\ncustom_bytes = 90000", "/budgets/custom_bytes"),
        ('[[downstreams]]\nname = "a"', "/downstreams/0"),
    ],
)
def test_from_toml_tells_the_contracts_faults_where_the_text_has_them(text: str, path: str) -> None:
    """A field's number is that of its table, not that among all fields."""
    assert [path] == list(_faults(f"{HEAD}{text}"))


@pytest.mark.req(3)
def test_from_toml_tells_at_once_that_a_field_has_a_standard() -> None:
    """Not only once everything else that it lacks has been filled in."""
    with pytest.raises(ContractInvalid) as refusal:
        Contract.from_toml('name = "a"\nversion = "1"\nowner = "b"\n[[fields]]\nname = "X-Trace-Id"\n')

    [told] = [fault.message for fault in refusal.value.faults if fault.path == "/fields/0/name"]
    assert told.endswith("use std.TRACEPARENT")
    assert "/fields/0/owner" in [fault.path for fault in refusal.value.faults]


def test_from_toml_names_the_built_in_fields_that_are_near() -> None:
    """A slip of the pen is put right without the list of all."""
    assert "such as 'x-tenant-id'" in _faults(f'{HEAD}std = ["x-tenant"]')["/std/0"]
    assert "'x-canary'" in _faults(f'{HEAD}std = ["x-canery"]')["/std/0"]
    assert "such as 'x-tenant-id'" in _faults(f"{HEAD}std = [3]")["/std/0"]


def test_from_toml_seeks_what_is_near_for_the_first_names_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of a long list, nor of a long text: all faults come at once, and soon."""
    sought: list[str] = []

    def none_near(name: str, *_: object) -> list[str]:
        sought.append(name)
        return []

    monkeypatch.setattr("pennon.headers.toml.get_close_matches", none_near)

    faults = _faults(f"{HEAD}std = {['y' * 5_000, *(f'n{number}' for number in range(500))]}")

    assert 501 == len(faults)
    assert [f"n{number}" for number in range(7)] == sought


def test_from_toml_tells_what_is_no_toml() -> None:
    """With the line."""
    faults = _faults("name = \n")

    assert [""] == list(faults)
    assert "line 1" in faults[""]


def test_from_toml_reads_a_text_that_begins_with_a_byte_order_mark() -> None:
    """As some editors write it."""
    assert Contract.from_toml(HEAD) == Contract.from_toml(f"\ufeff{HEAD}")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (f'[deadline]\naccept = ["grpc-timeout"]\ncap_s = {"9" * 400}', "/deadline/cap_s"),
        (
            f'[[downstreams]]\nname = "a"\nhost = "a"\nbreaker = {{ rest_s = {"9" * 400} }}',
            "/downstreams/0/breaker/rest_s",
        ),
    ],
)
def test_number_that_nobody_can_reckon_with_is_a_fault(text: str, path: str) -> None:
    """An integer beyond all floats is no exception of arithmetic."""
    assert [path] == list(_faults(f"{HEAD}{text}"))


scalars = st.one_of(st.text(max_size=8), st.integers(), st.booleans(), st.floats())
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@given(st.dictionaries(st.sampled_from(["name", "std", "fields", "baggage", "proxies", "downstreams", "x"]), values))
def test_from_toml_refuses_or_reads_whatever_stands_there(document: dict[str, Any]) -> None:
    """Nothing but a ContractInvalid comes out of a text, whatever is written under its keys."""
    lines = [f"{key} = {_toml(value)}" for key, value in document.items()]

    with pytest.raises(ContractInvalid):
        Contract.from_toml("\n".join(lines))


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=True) if isinstance(value, str | bool) else repr(value)


@pytest.mark.parametrize("text", ["name", "a = " + "[" * 5_000, "a = " + "9" * 5_000, "\0"])
def test_text_that_cannot_be_read_is_one_fault(text: str) -> None:
    """Also what the parser itself gives up on: nested too deep, digits without end."""
    with pytest.raises(ContractInvalid) as refusal:
        Contract.from_toml(text)
    [fault] = refusal.value.faults
    assert fault.message.startswith("is not TOML that can be read: ")
    assert len(fault.message) < 300
