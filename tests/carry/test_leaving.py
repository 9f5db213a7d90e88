"""What leaves with a request."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.carry import decode, encode, encode_entries, entries_leaving, fingerprint_of, take_returned
from pennon.context import Decision, Entry, Environment, Ledger, Origin

Decisions = Callable[..., Decision]
Entries = Callable[..., Entry]
SEVEN = fingerprint_of("salt", "user", "7")


@pytest.fixture
def ledger() -> Ledger:
    """An empty one."""
    return Ledger()


def _arrive(ledger: Ledger, *entries: Entry) -> None:
    for entry in entries:
        place = (entry.environment, entry.flag_id)
        ledger.arrived[place] = (*ledger.arrived.get(place, ()), entry)


def test_entries_leaving_of_an_empty_ledger_is_nothing(ledger: Ledger) -> None:
    """No member is sent for a request in which nothing was decided."""
    assert [] == entries_leaving(ledger)
    assert "" == encode(ledger).value


def test_entries_leaving_says_all_of_a_decision(ledger: Ledger, decision_of: Decisions) -> None:
    """Ids, unit, minute, origin and revision."""
    ledger.enter(decision_of(flag_id=9, variant_id=3, minute=77, origin=Origin.RULE, revision=12))
    assert [Entry(0x0102030405, 5, SEVEN, 77, 9, 3, Origin.RULE, 12)] == entries_leaving(ledger)


def test_entries_leaving_keeps_the_order_made(ledger: Ledger, decision_of: Decisions, entry_of: Entries) -> None:
    """What arrived is older than what was decided here; the budget relies on it."""
    _arrive(ledger, entry_of(flag_id=8), entry_of(flag_id=2))
    for flag_id in (7, 3, 5):
        ledger.enter(decision_of(flag_id=flag_id))
    assert [8, 2, 7, 3, 5] == [entry.flag_id for entry in entries_leaving(ledger)]


@pytest.mark.parametrize("stays", [{"carry": False}, {"unit_key": None}])
def test_entries_leaving_leaves_here_what_is_not_carried(
    ledger: Ledger, decision_of: Decisions, stays: dict[str, object]
) -> None:
    """A flag that does not carry, and a decision for nobody, hold in this request only."""
    ledger.enter(decision_of(**stays))
    assert [] == entries_leaving(ledger)


def test_entries_leaving_takes_the_latest_after_a_raised_floor(ledger: Ledger, decision_of: Decisions) -> None:
    """The older decision of the same unit is void and goes nowhere; another unit's is its own."""
    ledger.enter(decision_of(variant_id=1, revision=41))
    ledger.enter(decision_of(variant_id=1, unit_key="8"))
    ledger.enter(decision_of(variant_id=2, revision=50, floor=50, origin=Origin.KILL))
    assert [("8", 1), ("7", 2)] == [
        ("7" if entry.fingerprint == SEVEN else "8", entry.variant_id) for entry in entries_leaving(ledger)
    ]


def test_entries_leaving_takes_the_latest_after_a_new_epoch(ledger: Ledger, decision_of: Decisions) -> None:
    """One environment, flag and unit leave once, also when the numbering began anew in mid-request."""
    ledger.enter(decision_of(epoch=5))
    ledger.enter(decision_of(epoch=6))
    assert [6] == [entry.epoch for entry in entries_leaving(ledger)]


def test_entries_leaving_keeps_neighbours_apart(ledger: Ledger, decision_of: Decisions) -> None:
    """Decisions in a row that differ in unit, kind, minute, epoch or environment alone."""
    differences: list[dict[str, Any]] = [
        {},
        {"unit_key": "8"},
        {"unit_key": "8", "unit_kind": "account"},
        {"unit_key": "8", "unit_kind": "account", "minute": 3},
        {"unit_key": "8", "unit_kind": "account", "minute": 3, "epoch": 6},
        {"unit_key": "8", "unit_kind": "account", "minute": 3, "epoch": 6, "environment": Environment(9, "x", "salt")},
    ]
    for flag_id, difference in enumerate(differences):
        ledger.enter(decision_of(flag_id=flag_id, **difference))
    entries = decode(encode(ledger).value).entries
    assert list(range(6)) == [entry.flag_id for entry in entries]
    said = [(each.environment, each.epoch, each.fingerprint, each.decided_min) for each in entries]
    assert 6 == len(set(said))


def test_entries_leaving_hides_a_void_decision_whose_flag_stopped_carrying(
    ledger: Ledger, decision_of: Decisions
) -> None:
    """The latest decision decides, and it stays here."""
    ledger.enter(decision_of(carry=True))
    ledger.enter(decision_of(carry=False, floor=50, revision=50))
    assert [] == entries_leaving(ledger)


def test_entries_leaving_replaces_what_arrived_for_the_same_place(
    ledger: Ledger, decision_of: Decisions, entry_of: Entries
) -> None:
    """Same environment, epoch, flag and fingerprint: what was decided here stands in its place."""
    _arrive(ledger, entry_of(fingerprint=SEVEN, variant_id=1))
    ledger.enter(decision_of(variant_id=2))
    assert [2] == [entry.variant_id for entry in entries_leaving(ledger)]


@pytest.mark.parametrize("difference", [{"environment": 9}, {"epoch": 9}, {"flag_id": 9}, {"fingerprint": 9}])
def test_entries_leaving_forwards_what_is_about_something_else(
    ledger: Ledger, decision_of: Decisions, entry_of: Entries, difference: dict[str, int]
) -> None:
    """Another environment, epoch, flag or unit is forwarded as it came."""
    arrived = entry_of(**{"fingerprint": SEVEN} | difference)
    _arrive(ledger, arrived)
    ledger.enter(decision_of())
    assert arrived in entries_leaving(ledger)
    assert 2 == len(entries_leaving(ledger))


def test_entries_leaving_forwards_the_carried_one_of_a_flag_that_does_not_carry_here(
    ledger: Ledger, decision_of: Decisions, entry_of: Entries
) -> None:
    """Whether a flag carries is asked where a decision is made, never where one arrives."""
    arrived = entry_of(fingerprint=SEVEN)
    _arrive(ledger, arrived)
    ledger.enter(decision_of(carry=False))
    assert [arrived] == entries_leaving(ledger)


def test_entries_leaving_tells_unit_kinds_apart(ledger: Ledger, decision_of: Decisions) -> None:
    """A flag that changed its unit kind in mid-request decided about two units."""
    ledger.enter(decision_of(unit_kind="user"))
    ledger.enter(decision_of(unit_kind="account", floor=50))
    assert 2 == len(entries_leaving(ledger))


def test_encode_forwards_an_untouched_ledger_unchanged(ledger: Ledger, entry_of: Entries) -> None:
    """A hop that asks nothing sends the same groups, foreign environments and epochs included."""
    _arrive(ledger, entry_of(), entry_of(environment=9, epoch=1), entry_of(flag_id=4, epoch=99))
    assert set(entries_leaving(ledger)) == set(decode(encode(ledger).value).entries)
    assert 3 == len(entries_leaving(ledger))


def test_encode_says_again_that_decisions_were_cut_before(ledger: Ledger) -> None:
    """The mark survives every hop, also where nothing is left to carry."""
    ledger.was_cut = True
    assert decode(encode(ledger).value).was_cut


def test_encode_marks_a_replay_that_decided_nothing(ledger: Ledger) -> None:
    """What is decided further down the replay must not count as an exposure either."""
    assert decode(encode(ledger, is_replay=True).value).is_replay


def test_encode_uses_the_salt_of_the_environment(ledger: Ledger, decision_of: Decisions) -> None:
    """Fingerprints are the environment's own."""
    ledger.enter(decision_of(environment=Environment(9, "staging", "other")))
    assert [fingerprint_of("other", "user", "7")] == [entry.fingerprint for entry in entries_leaving(ledger)]


operations = st.one_of(
    st.tuples(st.just("enter"), st.integers(0, 3), st.integers(1, 3), st.sampled_from(["7", "8"]), st.integers(40, 44)),
    st.tuples(
        st.just("return"), st.integers(0, 3), st.integers(0, 3), st.sampled_from([SEVEN, 9]), st.integers(40, 44)
    ),
    st.tuples(st.just("kill"), st.integers(0, 3), st.just(0), st.sampled_from([SEVEN, 9]), st.integers(40, 44)),
    st.just(("cut",)),
    st.just(("encode",)),
)


@given(st.lists(operations, max_size=14), st.sampled_from([512, 90]), st.booleans())
def test_encode_remembers_nothing_that_has_changed(
    decision_of: Decisions, entry_of: Entries, done: list[tuple[Any, ...]], budget_bytes: int, is_replay: bool
) -> None:
    """Whatever happened since it last wrote: it says what leaves now."""
    ledger = Ledger()
    for name, *said in [*done, ("encode",)]:
        match name, said:
            case "enter", (flag_id, variant_id, unit_key, floor):
                ledger.enter(decision_of(flag_id=flag_id, variant_id=variant_id, unit_key=unit_key, floor=floor))
            case "return" | "kill", (flag_id, variant_id, fingerprint, revision):
                origin = Origin.KILL if name == "kill" else Origin.SPLIT
                entry = entry_of(
                    flag_id=flag_id, variant_id=variant_id, fingerprint=fingerprint, revision=revision, origin=origin
                )
                values = [encode_entries([entry]).value.encode()]
                take_returned(ledger, values, has_age=False, began_ns=0, note=lambda _: None)
            case "cut", _:
                ledger.was_cut = True
            case "encode", _:
                expected = encode_entries(
                    entries_leaving(ledger), was_cut=ledger.was_cut, is_replay=is_replay, budget_bytes=budget_bytes
                )
                for _ in range(2):
                    assert expected == encode(ledger, budget_bytes=budget_bytes, is_replay=is_replay)


def test_encode_minds_who_asks(ledger: Ledger, decision_of: Decisions) -> None:
    """A downstream with less room, or of a replay, gets its own."""
    for number in range(9):
        ledger.enter(decision_of(flag_id=number))
    whole = encode(ledger)
    assert encode(ledger, budget_bytes=60).cut_count > 0 == whole.cut_count
    assert decode(encode(ledger, is_replay=True).value).is_replay
    assert whole == encode(ledger)
