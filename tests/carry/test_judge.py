"""What several asks leave in the ledger; single ones are vectors (tests/conformance/test_judge.py)."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pennon.carry import RESYNC_NOTES, Note, decide, entries_leaving, fingerprint_of
from pennon.context import LEDGER_LIMIT_COUNT, Decision, Entry, Environment, Ledger, Origin, Reason
from pennon.flags import Flag, FlagRecord, Ruleset, RulesetRecord

DOCUMENT = json.loads(
    (Path(__file__).parent.parent / "conformance" / "vectors" / "carry" / "judge.json").read_text(encoding="utf-8")
)
DEFAULTS = DOCUMENT["defaults"]
MINUTE_NS = 60_000_000_000
NOTHING: Mapping[str, Any] = {}

ENVIRONMENT = msgspec.convert(DEFAULTS["ruleset"]["environment"], Environment)


def _ruleset(flag: dict[str, Any] = {}, kills: dict[str, int] = {}, **changes: Any) -> Ruleset:  # noqa: B006
    record = msgspec.convert(DEFAULTS["flag"] | flag, FlagRecord)
    whole = msgspec.convert(DEFAULTS["ruleset"] | changes, RulesetRecord)
    ruleset = Ruleset.of(msgspec.structs.replace(whole, flags={record.key: record}))
    return ruleset.with_kills({int(flag_id): revision for flag_id, revision in kills.items()}) if kills else ruleset


def _flag(ruleset: Ruleset) -> Flag:
    flag = ruleset.flag("checkout")
    assert flag is not None
    return flag


def _entry(said: dict[str, Any]) -> Entry:
    fields = DEFAULTS["entry"] | said
    fingerprint = fingerprint_of(ENVIRONMENT.salt, fields.pop("unit_kind"), fields.pop("unit"))
    return Entry(**fields | {"fingerprint": fingerprint, "origin": Origin[fields["origin"].upper()]})


def _ledger(*entries: Entry) -> Ledger:
    ledger = Ledger()
    for entry in entries:
        place = (entry.environment, entry.flag_id)
        ledger.arrived[place] = (*ledger.arrived.get(place, ()), entry)
    return ledger


def _ask(
    ruleset: Ruleset, ledger: Ledger, unit: str | None = "7", *, minute: int = 30_000_000
) -> tuple[Decision, list[Note]]:
    notes: list[Note] = []
    now_ns = minute * MINUTE_NS
    return decide(_flag(ruleset), ruleset, ledger, unit, NOTHING, NOTHING, now_ns, notes.append), notes


def test_decide_gives_the_value_of_the_variant() -> None:
    """A carried decision is served as this ruleset's variant."""
    assert "1" == _ask(_ruleset(), _ledger(_entry({"unit": "7"})))[0].answer.value


def test_decide_keeps_when_a_carried_decision_was_made() -> None:
    """The next hop gets the minute of the first, not of this one."""
    decision, _ = _ask(_ruleset(), _ledger(_entry({"unit": "7"})))
    assert 29_925_600 * MINUTE_NS == decision.decided_ns


def test_decide_again_gives_the_first_decision() -> None:
    """Attributes, time or rules may differ: for one unit and floor the first holds."""
    ledger = Ledger()
    first, _ = _ask(_ruleset(), ledger)
    again, _ = _ask(_ruleset({"fallthrough": {"variant": "on"}, "revision": 61}), ledger, minute=30_000_009)
    assert first is again


def test_decide_gives_what_the_ledger_has_at_the_flags_place() -> None:
    """A caller may look there first, and finds the same."""
    ledger, ruleset = Ledger(), _ruleset()
    decision, _ = _ask(ruleset, ledger)
    assert ledger.made[(_flag(ruleset).scope.key, "7")] is decision


def test_decide_sees_a_kill_in_the_middle_of_a_request() -> None:
    """What was decided a moment ago is not asked again."""
    ledger, ruleset = Ledger(), _ruleset()
    assert "local" == _ask(ruleset, ledger)[0].answer.variant
    assert Reason.KILLED is _ask(ruleset.with_kills({77: 61}), ledger)[0].answer.reason
    assert [(2, Origin.KILL)] == [(entry.variant_id, entry.origin) for entry in entries_leaving(ledger)]


def test_decide_sees_a_kill_that_raised_no_floor() -> None:
    """A ruleset written by hand says killed and forgets the floor: killed is still above made."""
    ledger = Ledger()
    _ask(_ruleset(), ledger)
    assert Reason.KILLED is _ask(_ruleset({"killed": True}), ledger)[0].answer.reason


def test_decide_revives_nothing_after_unkill_in_one_request() -> None:
    """Carried, killed, unkilled: the third answer is decided anew."""
    ledger = _ledger(_entry({"unit": "7"}))
    assert Reason.CARRIED is _ask(_ruleset(), ledger)[0].answer.reason
    assert Reason.KILLED is _ask(_ruleset({"killed": True, "void_before": 61, "revision": 61}), ledger)[0].answer.reason
    after, notes = _ask(_ruleset({"void_before": 62, "revision": 62}, revision=62), ledger)
    # The entry that arrived, and the kill that was obeyed.
    assert ("local", 62, [Note.VOID, Note.VOID]) == (after.answer.variant, after.revision, notes)


def test_decide_gives_each_unit_its_own() -> None:
    """Fan-out: one flag, many units, one request."""
    ledger = _ledger(_entry({"unit": "7"}))
    variants = [_ask(_ruleset(), ledger, unit)[0].answer.variant for unit in ("7", "8", "9", "7")]
    assert ["on", "local", "local", "on"] == variants


def test_decide_after_the_door_closed_answers_and_enters_nothing() -> None:
    """An evaluation under way finishes, and its decision goes nowhere."""
    ledger = _ledger(_entry({"unit": "7"}))
    ledger.seal()
    carried, _ = _ask(_ruleset(), ledger)
    local, notes = _ask(_ruleset(), ledger, "8")
    assert (Reason.CARRIED, Reason.STATIC, {}) == (carried.answer.reason, local.answer.reason, ledger.made)
    assert [Note.FINGERPRINT] == notes


def test_decide_in_a_full_ledger_answers_and_notes(decision_of: Callable[..., Decision]) -> None:
    """Beyond the bound decisions are made and not remembered; what is remembered still holds."""
    ledger, ruleset = Ledger(), _ruleset()
    first, _ = _ask(ruleset, ledger)
    for number in range(LEDGER_LIMIT_COUNT - 1):
        ledger.enter(decision_of(unit_key=str(number)))
    _, notes = _ask(ruleset, ledger, "one more")
    again, quiet = _ask(ruleset, ledger)
    assert (LEDGER_LIMIT_COUNT, [Note.LEDGER_FULL]) == (len(ledger.made), notes)
    assert (first, []) == (again, quiet)


def test_decide_prefers_a_kill_among_several_valid_entries() -> None:
    """What a later message brought for the same unit loses to what is there, unless it is a kill."""
    kill = _entry({"unit": "7", "variant_id": 2, "origin": "kill", "revision": 60})
    decision, _ = _ask(_ruleset(), _ledger(_entry({"unit": "7"}), kill))
    assert Reason.KILLED is decision.answer.reason


def test_resync_notes_are_the_signs_of_being_behind() -> None:
    """A void entry or another unit is no reason to fetch anything."""
    assert {Note.AHEAD, Note.NEWER_EPOCH, Note.UNKNOWN_VARIANT} == RESYNC_NOTES
