"""Asks that follow each other: overrides that begin and end, flags that others need, candidates, ages."""

from collections.abc import Callable
from typing import Any

import pytest

from pennon.carry import Note, decode, encode, entries_leaving
from pennon.context import LEDGER_LIMIT_COUNT, Entry, Origin, Reason
from pennon.flags import Ruleset

Asks = Callable[..., Any]
Entries = Callable[..., Entry]
Rulesets = Callable[..., Ruleset]

MINUTE = 29_925_600
NEEDY = {
    "key": "needy",
    "id": 2,
    "prerequisites": [{"flag": "gate", "variants": ["v1"]}],
    "fallthrough": {"variant": "v3"},
}
GATE = {"key": "gate", "id": 3}


# ---- overrides


def test_override_serves_its_variant_and_travels(asking: Asks, ruleset_of: Rulesets) -> None:
    """A tester's token decides, with its own reason and origin, at the revision of a fresh decision."""
    ask = asking()
    ask.ledger.override = "token"
    decision = ask(ruleset_of({"void_before": 50}), override="v3")
    assert ("v3", "value 3", Reason.OVERRIDE) == (
        decision.answer.variant,
        decision.answer.value,
        decision.answer.reason,
    )
    assert [(3, Origin.OVERRIDE, 50)] == [
        (each.variant_id, each.origin, each.revision) for each in entries_leaving(ask.ledger)
    ]
    assert [] == ask.notes


def test_override_is_asked_again_and_stays(asking: Asks, ruleset_of: Rulesets) -> None:
    """Each use confirms it: the same decision."""
    ask = asking()
    ask.ledger.override = "token"
    assert ask(ruleset_of(), override="v3") is ask(ruleset_of(), override="v3")


def test_override_that_ends_is_decided_anew_and_noted(asking: Asks, ruleset_of: Rulesets) -> None:
    """Revoked or expired in mid-request: nothing of it leaves any more."""
    ask = asking()
    ask.ledger.override = "token"
    ask(ruleset_of(), override="v3")
    assert "v1" == ask(ruleset_of()).answer.variant
    assert [Note.OVERRIDE_ENDED] == ask.notes
    assert [1] == [each.variant_id for each in entries_leaving(ask.ledger)]
    assert "v1" == ask(ruleset_of()).answer.variant
    assert [Note.OVERRIDE_ENDED] == ask.notes


def test_override_that_begins_takes_the_place_of_what_was_made(asking: Asks, ruleset_of: Rulesets) -> None:
    """Its signer reached the replica in mid-request; that the answer changed is noted."""
    ask = asking()
    ask.ledger.override = "token"
    ask(ruleset_of())
    assert "v3" == ask(ruleset_of(), override="v3").answer.variant
    assert [Note.OVERRIDE_BEGAN] == ask.notes
    assert [3] == [each.variant_id for each in entries_leaving(ask.ledger)]


def test_override_of_an_unknown_variant_is_none(asking: Asks, ruleset_of: Rulesets) -> None:
    """It names what is not here."""
    assert Reason.STATIC is asking()(ruleset_of(), override="v9").answer.reason


def test_override_loses_to_a_kill(asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int) -> None:
    """Of the replica, of its overlay, and of one that a callee returned."""
    carried = entry_of(fingerprint=seven, variant_id=0, origin=Origin.KILL, revision=61)
    for ask, ruleset in (
        (asking(), ruleset_of({"killed": True, "void_before": 60})),
        (asking(), ruleset_of().with_kills({1: 61})),
        (asking(carried), ruleset_of()),
    ):
        ask.ledger.override = "token"
        assert Reason.KILLED is ask(ruleset, override="v3").answer.reason


def test_kill_in_mid_request_ends_an_override(asking: Asks, ruleset_of: Rulesets) -> None:
    """Seen at the next use."""
    ask = asking()
    ask.ledger.override = "token"
    ask(ruleset_of(), override="v3")
    assert Reason.KILLED is ask(ruleset_of().with_kills({1: 61}), override="v3").answer.reason


def test_override_beats_what_arrived(asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int) -> None:
    """Returned by a callee, for instance."""
    ask = asking(entry_of(fingerprint=seven, variant_id=2))
    ask.ledger.override = "token"
    assert "v3" == ask(ruleset_of(), override="v3").answer.variant
    assert [3] == [each.variant_id for each in entries_leaving(ask.ledger)]


def test_override_that_ended_gives_way_to_what_arrived(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """Not to what this ruleset says."""
    ask = asking(entry_of(fingerprint=seven, variant_id=2))
    ask.ledger.override = "token"
    ask(ruleset_of(), override="v3")
    assert ("v2", Reason.CARRIED) == (ask(ruleset_of()).answer.variant, ask(ruleset_of()).answer.reason)


def test_override_in_a_sealed_ledger_is_answered_and_not_entered(asking: Asks, ruleset_of: Rulesets) -> None:
    """An evaluation under way finishes."""
    ask = asking()
    ask.ledger.override = "token"
    ask(ruleset_of())
    ask.ledger.seal()
    assert "v3" == ask(ruleset_of(), override="v3").answer.variant
    assert ["v1"] == [decision.answer.variant for decision in ask.ledger.made.values()]


def test_override_that_ended_is_not_what_is_written(asking: Asks, ruleset_of: Rulesets) -> None:
    """As many decisions were made as when the member was last written; it is another now."""
    ask = asking()
    ask.ledger.override = "token"
    ask(ruleset_of(), override="v3")
    assert [3] == [entry.variant_id for entry in decode(encode(ask.ledger).value).entries]
    ask(ruleset_of())
    assert [1] == [entry.variant_id for entry in decode(encode(ask.ledger).value).entries]


# ---- flags that another needs


def test_prerequisite_is_answered_by_what_was_made(asking: Asks, ruleset_of: Rulesets) -> None:
    """Asked before, and changed here since: its first decision is still the request's."""
    ask = asking()
    ask(ruleset_of(GATE), "gate")
    changed = ruleset_of(GATE | {"fallthrough": {"variant": "v2"}}, NEEDY)
    assert "v3" == ask(changed, "needy").answer.variant
    assert "v0" == asking()(changed, "needy").answer.variant


def test_prerequisite_is_answered_by_what_arrived(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """Carried from upstream, valid here."""
    ask = asking(entry_of(flag_id=3, fingerprint=seven, variant_id=2))
    decision = ask(ruleset_of(GATE, NEEDY), "needy")
    assert ("v0", Reason.DISABLED, Origin.OFF) == (
        decision.answer.variant,
        decision.answer.reason,
        decision.origin,
    )


def test_prerequisite_does_not_enter(asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int) -> None:
    """Only what was asked for is a decision; the entry leaves as it came."""
    entry = entry_of(flag_id=3, fingerprint=seven, variant_id=1)
    ask = asking(entry)
    ask(ruleset_of(GATE, NEEDY), "needy")
    assert ["needy"] == [decision.answer.flag for decision in ask.ledger.made.values()]
    assert entry in entries_leaving(ask.ledger)


def test_prerequisite_is_asked_for_its_own_kind_of_unit(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """What a user got says nothing about its account."""
    from pennon.carry import fingerprint_of

    ruleset = ruleset_of(GATE | {"unit": "account"}, NEEDY)
    acme = fingerprint_of("salt", "account", "acme")
    theirs = asking(entry_of(flag_id=3, fingerprint=acme, variant_id=2))
    users = asking(entry_of(flag_id=3, fingerprint=seven, variant_id=2))
    assert "v0" == theirs(ruleset, "needy", units={"user": "7", "account": "acme"}).answer.variant
    assert "v3" == users(ruleset, "needy", units={"user": "7", "account": "acme"}).answer.variant
    assert [Note.FINGERPRINT] == users.notes


def test_prerequisite_that_was_killed_voids_what_was_carried(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """The kill's floor is its dependents' as well."""
    ask = asking(entry_of(flag_id=2, fingerprint=seven, variant_id=3))
    decision = ask(ruleset_of(GATE | {"killed": True, "void_before": 55}, NEEDY), "needy")
    assert ("v0", 55, [Note.VOID]) == (decision.answer.variant, decision.revision, ask.notes)


def test_prerequisite_with_a_carried_kill_is_off(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """A kill outruns the stream for dependents too, also where its variant is not known here."""
    for variant_id in (0, 9):
        kill = entry_of(flag_id=3, fingerprint=seven, variant_id=variant_id, origin=Origin.KILL, revision=61)
        assert "v0" == asking(kill)(ruleset_of(GATE, NEEDY), "needy").answer.variant


def test_prerequisite_whose_carried_variant_is_unknown_answers_for_itself(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """And that this ruleset is behind is noted."""
    ask = asking(entry_of(flag_id=3, fingerprint=seven, variant_id=9, revision=61))
    assert "v3" == ask(ruleset_of(GATE, NEEDY), "needy").answer.variant
    assert [Note.AHEAD, Note.UNKNOWN_VARIANT] == ask.notes


def test_full_ledger_is_noted_for_a_flag_that_needs_others(asking: Asks, ruleset_of: Rulesets) -> None:
    """It is answered, and not remembered."""
    ask = asking()
    for number in range(LEDGER_LIMIT_COUNT):
        ask(ruleset_of(), unit=str(number))
    assert "v3" == ask(ruleset_of(GATE, NEEDY), "needy").answer.variant
    assert (LEDGER_LIMIT_COUNT, [Note.LEDGER_FULL]) == (len(ask.ledger.made), ask.notes)


# ---- candidates


@pytest.fixture
def two_decided(entry_of: Entries, seven: int) -> list[Entry]:
    """v2 by somebody at revision 50, v3 by somebody at 60."""
    return [
        entry_of(fingerprint=seven, variant_id=2, revision=50),
        entry_of(fingerprint=seven, variant_id=3, revision=60),
    ]


def test_candidate_behind_a_void_one_holds(asking: Asks, ruleset_of: Rulesets, two_decided: list[Entry]) -> None:
    """Whoever knows of the floor finds the first decision that was made above it."""
    ask = asking(*two_decided)
    assert "v3" == ask(ruleset_of({"void_before": 55})).answer.variant
    assert [Note.VOID] == ask.notes


def test_candidate_of_the_lowest_revision_holds_and_the_other_goes_on(
    asking: Asks, ruleset_of: Rulesets, two_decided: list[Entry]
) -> None:
    """That two valid ones differ is noted; further down the second may be the one that holds."""
    ask = asking(*two_decided)
    assert "v2" == ask(ruleset_of()).answer.variant
    assert [Note.CONFLICT] == ask.notes
    assert set(two_decided) == set(entries_leaving(ask.ledger))


def test_candidate_below_what_was_decided_here_goes_no_further(
    asking: Asks, ruleset_of: Rulesets, two_decided: list[Entry]
) -> None:
    """A service without the floor would take the void one again."""
    ask = asking(*two_decided)
    ask(ruleset_of({"void_before": 55}))
    assert [3] == [entry.variant_id for entry in entries_leaving(ask.ledger)]


def test_candidate_that_is_a_kill_holds_before_all_and_is_no_conflict(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """At whatever revision, as long as it is not void."""
    entries = (
        entry_of(fingerprint=seven, variant_id=2, revision=50),
        entry_of(fingerprint=seven, variant_id=0, revision=55, origin=Origin.KILL),
    )
    ask = asking(*entries)
    assert (Reason.KILLED, []) == (ask(ruleset_of()).answer.reason, ask.notes)
    assert "v1" == asking(*entries)(ruleset_of({"void_before": 56})).answer.variant


# ---- ages


@pytest.mark.parametrize(
    ("age_min", "notes"),
    [(0, []), (10, []), (11, [Note.TOO_OLD]), (-5, []), (-6, [Note.SKEW])],
)
def test_age_is_within_what_the_author_allows(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int, age_min: int, notes: list[Note]
) -> None:
    """Ten minutes, both ends included; up to five in the future count as now."""
    ask = asking(entry_of(fingerprint=seven, variant_id=2, decided_min=MINUTE - age_min))
    decision = ask(ruleset_of({"carry_max_age_s": 600}), minute=MINUTE)
    assert ("v1" if notes else "v2", notes) == (decision.answer.variant, ask.notes)


def test_age_does_not_matter_unless_the_author_says_so(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """A record that is replayed next year is processed as it was decided; so is one from a clock that is ahead."""
    for minute in (0, 2**32 - 1):
        assert (
            "v2" == asking(entry_of(fingerprint=seven, variant_id=2, decided_min=minute))(ruleset_of()).answer.variant
        )


def test_age_ends_no_kill(asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int) -> None:
    """What ends a kill is an unkill (docs/decisions/0006)."""
    kill = entry_of(fingerprint=seven, variant_id=0, origin=Origin.KILL, decided_min=MINUTE - 10_000, revision=61)
    assert Reason.KILLED is asking(kill)(ruleset_of({"carry_max_age_s": 600}), minute=MINUTE).answer.reason


# ---- floors in mid-request


def test_floor_raised_in_mid_request_is_noted_once(asking: Asks, ruleset_of: Rulesets) -> None:
    """The decision that was given is void; that it gave way has a cause."""
    ask = asking()
    ask(ruleset_of())
    later = ruleset_of({"void_before": 61, "revision": 61, "fallthrough": {"variant": "v2"}}, revision=61)
    assert ("v2", [Note.VOID]) == (ask(later).answer.variant, ask.notes)
    assert ([], "v2") == (asking().notes, asking()(later).answer.variant)


def test_epoch_begun_in_mid_request_is_noted(asking: Asks, ruleset_of: Rulesets) -> None:
    """Numbered before the restore: not found again."""
    ask = asking()
    ask(ruleset_of())
    ask(ruleset_of(epoch=6))
    assert [Note.OTHER_EPOCH] == ask.notes


def test_killed_flag_that_cannot_say_what_off_is_enters_nothing(asking: Asks, ruleset_of: Rulesets) -> None:
    """An ERROR is no decision, killed or not."""
    ask = asking()
    assert Reason.ERROR is ask(ruleset_of({"killed": True, "off": "gone"})).answer.reason
    assert {} == ask.ledger.made
