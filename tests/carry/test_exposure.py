"""What counts as an exposure, and by which id."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pennon.carry import decide, exposure_id, exposure_of, phase_of
from pennon.context import Decision, Entry, Environment, Ledger, Origin, Unit
from pennon.flags import Flag, FlagRecord, Ruleset, RulesetRecord

ENVIRONMENT = Environment(0x0102030405, "production", "salt")


def _split(phase: int) -> dict[str, Any]:
    return {"split": {"algo": "m3-cbor", "salt": "s", "phase": phase, "ranges": [["on", 0, 100_000]], "rest": "off"}}


def _record(**changes: Any) -> FlagRecord:
    plain = {
        "key": "checkout",
        "id": 77,
        "type": "boolean",
        "variants": [{"key": "on", "id": 1, "value": True}, {"key": "off", "id": 2, "value": False}],
        "off": "off",
        "fallthrough": _split(3),
        "carry": True,
        "exposes": True,
        "revision": 41,
    }
    return msgspec.convert(plain | changes, FlagRecord)


def _ruleset(**changes: Any) -> Ruleset:
    return Ruleset.of(RulesetRecord(ENVIRONMENT, 5, 60, flags={"checkout": _record(**changes)}))


def _use(ledger: Ledger, unit: str | None = "7", **changes: Any) -> tuple[Flag, Decision]:
    ruleset = _ruleset(**changes)
    flag = ruleset.flag("checkout")
    assert flag is not None
    return flag, decide(flag, ruleset, ledger, unit, {}, {}, 0, lambda _: None)


def test_exposure_of_says_what_was_served() -> None:
    """Flag, variant, unit kind, phase, the time of use and the decision's revision."""
    exposure = exposure_of(*_use(Ledger()), is_replay=False, now_ns=99)
    assert exposure is not None
    assert ("checkout", "on", "user", 3, 99, 41) == (
        exposure.flag,
        exposure.variant,
        exposure.unit_kind,
        exposure.phase,
        exposure.at_ns,
        exposure.revision,
    )
    assert exposure_id(ENVIRONMENT.id, 77, 3, Unit("user", "7"), 1) == exposure.id


@pytest.mark.parametrize(
    "changes",
    [
        {"exposes": False},
        {"killed": True},
        {"on": False},
        {"fallthrough": {"variant": "on"}},
        {"fallthrough": {"split": {"algo": "m3-cbor", "salt": "s", "phase": 3, "ranges": [], "rest": "off"}}},
    ],
    ids=["no experiment", "killed", "disabled", "fallthrough", "outside coverage"],
)
def test_exposure_of_is_none_but_for_splits_and_rules_of_experiments(changes: dict[str, Any]) -> None:
    """Rest would look like the control arm; the others are nobody's treatment."""
    assert exposure_of(*_use(Ledger(), **changes), is_replay=False, now_ns=0) is None


def test_exposure_of_a_replay_is_none() -> None:
    """The record was treated when it was first processed."""
    assert exposure_of(*_use(Ledger()), is_replay=True, now_ns=0) is None


def test_exposure_of_nobody_is_none() -> None:
    """A rule can serve an ask that names no unit; there is nobody to count."""
    rules = [{"id": "r1", "clauses": [], "serve": {"variant": "on"}}]
    assert exposure_of(*_use(Ledger(), None, rules=rules), is_replay=False, now_ns=0) is None


@pytest.mark.parametrize(("origin", "counts"), [(origin, origin in (Origin.SPLIT, Origin.RULE)) for origin in Origin])
def test_exposure_of_a_carried_decision_goes_by_its_origin(
    origin: Origin, counts: bool, entry_of: Callable[..., Entry]
) -> None:
    """Deciding upstream is no exposure; using it here is, whoever decided, unless it was an override or a kill."""
    from pennon.carry import fingerprint_of

    ledger = Ledger()
    unit = fingerprint_of(ENVIRONMENT.salt, "user", "7")
    ledger.arrived[ENVIRONMENT.id, 77] = (entry_of(flag_id=77, fingerprint=unit, origin=origin),)
    carried = exposure_of(*_use(ledger), is_replay=False, now_ns=0)
    assert counts == (carried is not None)
    if carried is not None:
        here = exposure_of(*_use(Ledger()), is_replay=False, now_ns=0)
        assert here is not None
        assert here.id == carried.id


def test_phase_of_is_that_of_the_latest_split() -> None:
    """Rules and fallthrough alike; a flag without a split has none."""
    rules = [{"id": "r1", "clauses": [], "serve": _split(7)}, {"id": "r2", "clauses": [], "serve": {"variant": "on"}}]
    assert 7 == phase_of(_record(rules=rules))
    assert 3 == phase_of(_record())
    assert 0 == phase_of(_record(fallthrough={"variant": "on"}))
