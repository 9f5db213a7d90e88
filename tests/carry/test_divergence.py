"""How carried decisions compare with what this replica would say."""

from collections.abc import Callable
from typing import Any

import pytest

from pennon.carry import Divergence, divergence_of, unknown_flags, was_dropped
from pennon.context import Entry, Origin
from pennon.flags import Ruleset

Asks = Callable[..., Any]
Entries = Callable[..., Entry]
Rulesets = Callable[..., Ruleset]

BY_PLAN = {
    "rules": [
        {"id": "r", "clauses": [{"op": "equals", "attribute": "plan", "value": "pro"}], "serve": {"variant": "v2"}}
    ]
}


@pytest.fixture
def compared(asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int) -> Callable[..., Divergence]:
    """How an entry that came with the request compares under this flag."""

    def compare(flag: dict[str, Any], attributes: dict[str, object], **entry: Any) -> Divergence:
        ruleset = ruleset_of(flag)
        decision = asking(entry_of(fingerprint=seven, **entry))(ruleset)
        compiled = ruleset.flag("checkout")
        assert compiled is not None
        return divergence_of(compiled, decision, attributes, {})

    return compare


def test_divergence_of_the_same_variant_is_none(compared: Callable[..., Divergence]) -> None:
    """However it came about there: another revision, another origin."""
    assert Divergence.AGREED is compared({}, {}, variant_id=1, revision=7, origin=Origin.RULE)


@pytest.mark.parametrize("revision", [40, 42, 61])
def test_divergence_of_another_revision_is_skew(compared: Callable[..., Divergence], revision: int) -> None:
    """Behind, ahead, or newer than this whole ruleset; not to be looked for in attributes."""
    assert Divergence.REVISION_SKEW is compared(BY_PLAN, {}, variant_id=2, revision=revision)


def test_divergence_of_one_revision_looks_for_what_is_missing(compared: Callable[..., Divergence]) -> None:
    """The same flag, and an attribute that it asks about is not known here."""
    assert Divergence.MISSING_ATTRIBUTE is compared(BY_PLAN, {}, variant_id=2)
    assert Divergence.MISSING_ATTRIBUTE is compared(BY_PLAN, {"plan": None}, variant_id=2)
    assert Divergence.OTHER is compared(BY_PLAN, {"plan": "free"}, variant_id=2)
    assert Divergence.OTHER is compared({}, {}, variant_id=2)


def test_divergence_at_a_floor_above_the_record_is_of_one_revision(compared: Callable[..., Divergence]) -> None:
    """A fresh decision would bear the floor's revision as well."""
    assert Divergence.OTHER is compared({"void_before": 50}, {}, variant_id=2, revision=50)


@pytest.mark.parametrize(
    ("was_cut", "flag", "unit", "expected"),
    [
        (True, {}, "7", True),
        (False, {}, "7", False),
        (True, {"carry": False}, "7", False),
        (True, {}, None, False),
        (True, {"killed": True}, "7", False),
    ],
)
def test_dropped_is_what_is_decided_here_after_a_cut(
    asking: Asks, ruleset_of: Rulesets, was_cut: bool, flag: dict[str, Any], unit: str | None, expected: bool
) -> None:
    """Of a unit, by a flag that carries, by its rules."""
    ask = asking()
    ask.ledger.was_cut = was_cut
    assert expected is was_dropped(ask.ledger, ask(ruleset_of(flag), unit=unit))


def test_dropped_is_nothing_that_arrived(asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int) -> None:
    """Carried, or void: it was there. Another unit's was not."""
    for entry, ruleset, expected in (
        (entry_of(fingerprint=seven), ruleset_of(), False),
        (entry_of(fingerprint=seven), ruleset_of({"void_before": 50}), False),
        (entry_of(fingerprint=9), ruleset_of(), True),
    ):
        ask = asking(entry)
        ask.ledger.was_cut = True
        assert expected is was_dropped(ask.ledger, ask(ruleset))


def test_unknown_flags_are_those_of_this_environment_and_epoch(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries
) -> None:
    """Each once, however many units; others' are nobody's business here."""
    ask = asking(
        entry_of(),
        entry_of(flag_id=8),
        entry_of(flag_id=8, fingerprint=9),
        entry_of(flag_id=9),
        entry_of(flag_id=10, epoch=4),
        entry_of(flag_id=11, environment=9),
    )
    assert 2 == unknown_flags(ask.ledger, ruleset_of())
