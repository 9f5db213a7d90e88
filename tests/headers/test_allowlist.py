"""What may stand in baggage: keys, prefixes, and the values under them."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.errors import ContractInvalid
from pennon.headers import BaggageKey, BaggagePolicy, Classification, Contract, DropReason, Extracted
from pennon.headers.allowlist import AllowList

ALLOW = AllowList(
    [
        "tenant.tier",
        BaggageKey("region", enum=["eu-west-1", "us-east-1"]),
        BaggageKey("exp.*", syntax="[a-z0-9]+", max_length=8),
        BaggageKey("exp.pay.*", max_length=2),
        BaggageKey("exp.pay.exact"),
    ]
)


@pytest.mark.req(24, 27, 30)
@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("tenant.tier", "anything at all", None),
        ("region", "eu-west-1", None),
        ("region", "EU-WEST-1", DropReason.MALFORMED),
        ("region", "", DropReason.MALFORMED),
        ("exp.checkout", "b", None),
        ("exp.checkout", "b\n", DropReason.MALFORMED),
        ("exp.checkout", "b" * 9, DropReason.TOO_LONG),
        ("exp.", "b", None),
        ("exp.pay.fee", "B!", None),
        ("exp.pay.fee", "b!!", DropReason.TOO_LONG),
        ("exp.pay.exact", "as long as it likes", None),
        ("expo", "anything", None),
    ],
)
def test_unfit_says_why_a_value_cannot_stand_under_a_key(key: str, value: str, reason: DropReason | None) -> None:
    """By the whole value; an exact key before a prefix, the longest prefix before shorter ones."""
    assert reason is ALLOW.unfit(key, value)


@pytest.mark.req(28, 30)
@pytest.mark.parametrize(
    ("key", "rank"),
    [("tenant.tier", 0), ("region", 1), ("exp.x", 2), ("exp.pay.x", 3), ("exp.pay.exact", 4), ("exp", None)],
)
def test_allow_list_ranks_what_it_knows(key: str, rank: int | None) -> None:
    """In the order of the declaration; a key under a prefix has the prefix's rank."""
    assert (rank, rank is not None) == (ALLOW.get(key), key in ALLOW)


@pytest.mark.req(25, 28)
@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("tenant.tier", "gold", None),
        ("tenant.tier", "eyJhbGciOiJFZERTQSJ9.e30.x", DropReason.UNSAFE),
        ("tenant.tier", "jane@example.com", DropReason.UNSAFE),
        ("region", "nowhere", DropReason.MALFORMED),
        ("colour", "blue", DropReason.UNKNOWN),
    ],
)
def test_unfit_to_set_refuses_secrets_and_strange_keys(key: str, value: str, reason: DropReason | None) -> None:
    """What our own code sets has a declared key and looks like nobody's secret."""
    assert reason is ALLOW.unfit_to_set(key, value, takes_unknown=False)


@pytest.mark.req(25)
def test_unfit_to_set_looks_at_keys_that_nobody_declared() -> None:
    """Where unknown keys may be set, secrets may not."""
    assert ALLOW.unfit_to_set("colour", "blue", takes_unknown=True) is None
    assert DropReason.UNSAFE is ALLOW.unfit_to_set("colour", "AKIAIOSFODNN7EXAMPLE", takes_unknown=True)


@pytest.mark.req(24, 27, 30)
@pytest.mark.parametrize("is_trusted", [True, False])
def test_extract_drops_members_that_are_not_what_their_key_says(
    take: Callable[..., Extracted], is_trusted: bool
) -> None:
    """Whoever sends them; the others stay, and the report names the key."""
    policy = BaggagePolicy(allow=[BaggageKey("region", enum=["eu"]), BaggageKey("exp.*", max_length=2)])
    contract = Contract("c", version="1", owner="t", baggage=policy)
    arrived = take([("baggage", "region=mars,exp.a=b,exp.b=long,region=eu")], under=contract, is_trusted=is_trusted)

    assert [("exp.a", "b"), ("region", "eu")] == [(member.key, member.value) for member in arrived.baggage]
    assert {("baggage:region", DropReason.MALFORMED), ("baggage:exp.b", DropReason.TOO_LONG)} == {
        (drop.name, drop.reason) for drop in arrived.report.dropped
    }


@given(st.text(st.sampled_from("exp.ay*region"), max_size=14))
def test_allow_list_knows_a_key_if_it_gives_it_a_rank(key: str) -> None:
    """`in`, `get` and `[]` never disagree."""
    is_known = key in ALLOW

    assert is_known is (ALLOW.get(key) is not None)
    if is_known:
        assert ALLOW[key] == ALLOW.get(key)
    else:
        with pytest.raises(KeyError):
            ALLOW[key]


@pytest.mark.req(24, 25, 26, 27, 29)
@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"key": "a b"}, ""),
        ({"key": "*"}, ""),
        ({"key": "pennon.*"}, ""),
        ({"key": "a", "enum": []}, "/enum"),
        ({"key": "a", "enum": "eu"}, "/enum"),
        ({"key": "a", "enum": ["ok", "jane@example.com"]}, "/enum/1"),
        ({"key": "a", "enum": ["long"], "max_length": 3}, "/enum/0"),
        ({"key": "a", "enum": ["b"], "syntax": "b"}, "/syntax"),
        ({"key": "a", "syntax": "("}, "/syntax"),
        ({"key": "a", "max_length": 0}, "/max_length"),
        ({"key": "a", "max_length": 1025}, "/max_length"),
        ({"key": "a", "max_values": 0}, "/max_values"),
        ({"key": "a", "max_values": True}, "/max_values"),
        ({"key": "a", "max_values": 10_001}, "/max_values"),
        ({"key": "a", "enum": ["b"], "max_values": 1}, "/max_values"),
        ({"key": "a", "classification": Classification.PERSONAL}, "/classification"),
        ({"key": "a", "classification": Classification.SECRET}, "/classification"),
        ({"key": "a", "classification": "public"}, "/classification"),
    ],
)
def test_contract_refuses_keys_that_cannot_hold(spec: dict[str, Any], path: str) -> None:
    """Personal data and secrets are no baggage; one rule for a key's values, and it can be kept."""
    with pytest.raises(ContractInvalid) as refusal:
        Contract("c", version="1", owner="t", baggage=BaggagePolicy(allow=[BaggageKey(**spec)]))

    assert [f"/baggage/allow/0{path}"] == [fault.path for fault in refusal.value.faults]


@pytest.mark.req(25)
def test_contract_does_not_repeat_a_secret_that_it_refuses() -> None:
    """The message stands in a build's log."""
    policy = BaggagePolicy(allow=[BaggageKey("a", enum=["AKIAIOSFODNN7EXAMPLE"])])
    with pytest.raises(ContractInvalid) as refusal:
        Contract("c", version="1", owner="t", baggage=policy)

    assert "AKIA" not in str(refusal.value)
