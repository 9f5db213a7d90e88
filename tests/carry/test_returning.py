"""What a response brings back, and what becomes of it in the caller's ledger."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pennon.carry import (
    BUDGET_BYTES,
    GroupFault,
    Note,
    ReturnDrop,
    Returned,
    decide,
    decode,
    encode,
    encode_entries,
    entries_leaving,
    returning,
    take_returned,
)
from pennon.context import LEDGER_LIMIT_COUNT, Decision, Entry, Ledger, Origin, Reason
from pennon.flags import Ruleset

Asks = Callable[..., Any]
Decisions = Callable[..., Decision]
Entries = Callable[..., Entry]
Rulesets = Callable[..., Ruleset]

MINUTE = 29_925_600
BEGAN_NS = MINUTE * 60_000_000_000
FULL = LEDGER_LIMIT_COUNT


def _take(
    ledger: Ledger, *entries: Entry, notes: list[Note] | None = None, has_age: bool = False, **said: Any
) -> Returned:
    value = encode_entries(entries, **said).value
    note = ([] if notes is None else notes).append
    return take_returned(ledger, [value.encode()], has_age=has_age, began_ns=BEGAN_NS, note=note)


def _back(ledger: Ledger) -> list[Entry]:
    return list(decode(returning(ledger).value).entries)


# ---- what goes back


def test_returning_says_what_was_decided_here(decision_of: Decisions) -> None:
    """As the next hop would get it."""
    ledger = Ledger()
    ledger.enter(decision_of(flag_id=3, variant_id=2))
    assert entries_leaving(ledger) == _back(ledger)


def test_returning_says_nothing_of_what_the_caller_sent(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """Neither what was used here nor what nobody asked about."""
    ask = asking(entry_of(fingerprint=seven, variant_id=2), entry_of(flag_id=9))
    ask(ruleset_of())
    assert ("", 0) == (returning(ask.ledger).value, returning(ask.ledger).cut_count)


def test_returning_says_what_was_decided_in_place_of_what_the_caller_sent(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """It was void here: the caller learns what holds above the floor, and a kill."""
    ask = asking(entry_of(fingerprint=seven, variant_id=2))
    ask(ruleset_of({"void_before": 60}))
    assert [(1, 60)] == [(entry.variant_id, entry.revision) for entry in _back(ask.ledger)]
    ask(ruleset_of().with_kills({1: 61}))
    assert [(Origin.KILL, 61)] == [(entry.origin, entry.revision) for entry in _back(ask.ledger)]


def test_returning_passes_on_what_callees_returned(entry_of: Entries) -> None:
    """Up to the first that asked."""
    ledger = Ledger()
    entry = entry_of(decided_min=MINUTE)
    _take(ledger, entry)
    assert [entry] == _back(ledger)


def test_returning_leaves_here_what_does_not_travel(decision_of: Decisions) -> None:
    """A flag that does not carry; a decision for nobody."""
    ledger = Ledger()
    ledger.enter(decision_of(carry=False))
    ledger.enter(decision_of(flag_id=2, unit_key=None))
    assert "" == returning(ledger).value


def test_returning_stays_within_512_bytes(decision_of: Decisions) -> None:
    """The newest stay, the caller learns that some are missing."""
    ledger = Ledger()
    for number in range(60):
        ledger.enter(decision_of(flag_id=number, revision=2**27))
    encoded = returning(ledger)
    assert 21 == encoded.cut_count
    assert len(encoded.value) <= BUDGET_BYTES
    assert decode(encoded.value).was_cut


def test_returning_says_that_a_request_is_a_replay_beside_decisions_only(decision_of: Decisions) -> None:
    """Alone the mark is no news to the caller."""
    ledger = Ledger()
    assert "" == returning(ledger, is_replay=True).value
    ledger.enter(decision_of())
    assert decode(returning(ledger, is_replay=True).value).is_replay


# ---- what is taken


def test_take_returned_answers_the_next_ask(asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int) -> None:
    """Calls made one after the other agree."""
    ask = asking()
    assert Returned(1) == _take(ask.ledger, entry_of(fingerprint=seven, variant_id=3))
    assert ("v3", Reason.CARRIED, []) == (ask(ruleset_of()).answer.variant, ask(ruleset_of()).answer.reason, ask.notes)


def test_take_returned_goes_on_with_the_next_call(entry_of: Entries) -> None:
    """Whoever is called next gets it, nobody here need have asked."""
    ledger, entry = Ledger(), entry_of()
    _take(ledger, entry)
    assert [entry] == list(decode(encode(ledger).value).entries)


def test_take_returned_of_no_header_is_nothing() -> None:
    """Most responses."""
    assert Returned() == take_returned(Ledger(), [], has_age=True, began_ns=BEGAN_NS, note=print)


def test_take_returned_from_a_cache_is_nothing(entry_of: Entries) -> None:
    """With an Age it answers somebody else's request."""
    ledger = Ledger()
    assert Returned(dropped=ReturnDrop.CACHED) == _take(ledger, entry_of(), has_age=True)
    assert {} == ledger.arrived


@pytest.mark.parametrize(("minute", "taken"), [(MINUTE, 1), (MINUTE - 5, 1), (MINUTE - 6, 0), (MINUTE + 99, 1), (0, 0)])
def test_take_returned_leaves_what_is_older_than_the_call(entry_of: Entries, minute: int, taken: int) -> None:
    """Five minutes are allowed for clocks that differ; what is younger of the same response is taken."""
    young = entry_of(flag_id=9, decided_min=MINUTE)
    returned = _take(Ledger(), entry_of(decided_min=minute), young)
    assert Returned(taken + 1, (), None if taken else ReturnDrop.STALE) == returned


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b"A" * 513], Returned(dropped=ReturnDrop.TOO_LONG)),
        ([b"x", b"x"], Returned(dropped=ReturnDrop.REPEATED)),
        ([b"!.AAAA"], Returned(faults=(GroupFault.ENCODING, GroupFault.LENGTH))),
        ([b"\xff\xfe"], Returned(faults=(GroupFault.ENCODING,))),
        ([b""], Returned()),
    ],
)
def test_take_returned_refuses_what_it_must(values: list[bytes], expected: Returned) -> None:
    """One header, 512 bytes, well-formed groups."""
    ledger = Ledger()
    assert expected == take_returned(ledger, values, has_age=False, began_ns=BEGAN_NS, note=print)
    assert {} == ledger.arrived


def test_take_returned_after_the_door_closed_is_nothing(entry_of: Entries) -> None:
    """A response that comes too late enters no ledger."""
    ledger = Ledger()
    ledger.seal()
    assert Returned(dropped=ReturnDrop.SEALED) == _take(ledger, entry_of())
    assert ({}, []) == (ledger.arrived, ledger.returned)


def test_take_returned_is_bounded(entry_of: Entries) -> None:
    """However many calls a request makes."""
    ledger = Ledger()
    for first in range(0, FULL + 30, 30):
        returned = _take(ledger, *(entry_of(flag_id=number) for number in range(first, first + 30)))
    assert (FULL, ReturnDrop.FULL) == (len(ledger.returned), returned.dropped)
    assert FULL == sum(map(len, ledger.arrived.values()))
    ledger.returned += ledger.returned[:3]  # as threads at once may have done
    assert Returned(dropped=ReturnDrop.FULL) == _take(ledger, *(entry_of(flag_id=FULL + number) for number in range(9)))


def test_take_returned_keeps_that_a_callee_dropped_some(entry_of: Entries) -> None:
    """What is missing later may have been decided there."""
    ledger = Ledger()
    _take(ledger, entry_of(), was_cut=True)
    assert ledger.was_cut


@given(st.lists(st.binary(max_size=600), max_size=3), st.booleans(), st.integers(0, 2**63))
def test_take_returned_never_raises(values: list[bytes], has_age: bool, began_ns: int) -> None:
    """Whatever a server answers: nothing that nobody decided is held."""
    ledger = Ledger()
    take_returned(ledger, values, has_age=has_age, began_ns=began_ns, note=print)
    assert ({}, []) == (ledger.arrived, ledger.returned)


# ---- where two answers meet


def test_take_returned_twice_is_once(entry_of: Entries) -> None:
    """Two calls to one service."""
    ledger = Ledger()
    assert [1, 0] == [_take(ledger, entry_of()).taken_count for _ in range(2)]
    assert 1 == sum(map(len, ledger.arrived.values())) == len(ledger.returned)


@pytest.mark.parametrize("revision", [41, 40, 42])
def test_take_returned_loses_to_what_was_made_and_counts(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int, revision: int
) -> None:
    """The first held stands; what is newer stays behind it, for whoever knows that the first is void."""
    ask = asking()
    ask(ruleset_of())
    entry = entry_of(fingerprint=seven, variant_id=3, revision=revision)
    assert (revision > 41) == _take(ask.ledger, entry, notes=ask.notes).taken_count
    assert ("v1", [Note.CONFLICT]) == (ask(ruleset_of()).answer.variant, ask.notes)
    assert (entry in entries_leaving(ask.ledger)) is (revision > 41)
    later = ask(ruleset_of({"void_before": 42, "revision": 42}))
    assert ("v3" if revision > 41 else "v1") == later.answer.variant


def test_take_returned_that_agrees_is_no_conflict(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """Both evaluated, and came to the same."""
    ask = asking()
    ask(ruleset_of())
    _take(ask.ledger, entry_of(fingerprint=seven, variant_id=1), notes=ask.notes)
    assert [] == ask.notes


def test_take_returned_that_is_void_here_is_no_conflict(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """The callee is behind."""
    ask = asking()
    ask(ruleset_of({"void_before": 50}))
    assert 0 == _take(ask.ledger, entry_of(fingerprint=seven, variant_id=3), notes=ask.notes).taken_count
    assert ("v1", []) == (ask(ruleset_of({"void_before": 50})).answer.variant, ask.notes)


def test_take_returned_about_another_unit_is_its_own(asking: Asks, ruleset_of: Rulesets, entry_of: Entries) -> None:
    """Fan-out: callees decide about others."""
    ask = asking()
    ask(ruleset_of())
    assert 1 == _take(ask.ledger, entry_of(fingerprint=9, variant_id=3), notes=ask.notes).taken_count
    assert [] == ask.notes


def test_two_returned_that_differ_are_counted_and_the_first_holds(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """Nobody here had asked; of one revision the second is not even kept, of a higher one the ask tells."""
    for revision in (41, 50):
        ask = asking()
        _take(ask.ledger, entry_of(fingerprint=seven, variant_id=2), notes=ask.notes)
        _take(ask.ledger, entry_of(fingerprint=seven, variant_id=3, revision=revision), notes=ask.notes)
        assert ("v2", [Note.CONFLICT]) == (ask(ruleset_of()).answer.variant, ask.notes)


def test_returned_kill_is_seen_by_the_next_ask(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """What was made gives way, which is no conflict; the kill leaves, upwards too."""
    ask = asking()
    ask(ruleset_of())
    kill = entry_of(fingerprint=seven, variant_id=0, origin=Origin.KILL, revision=61)
    _take(ask.ledger, kill, notes=ask.notes)
    assert [] == ask.notes
    assert Reason.KILLED is ask(ruleset_of()).answer.reason
    assert [kill] == entries_leaving(ask.ledger) == _back(ask.ledger)


def test_returned_kill_below_the_floor_is_void(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """The callee has not heard of the unkill: what was made stands."""
    ask = asking()
    ruleset = ruleset_of({"void_before": 60})
    made = ask(ruleset)
    kill = entry_of(fingerprint=seven, variant_id=0, origin=Origin.KILL, revision=55)
    _take(ask.ledger, kill, notes=ask.notes)
    assert ask(ruleset) is made
    assert [kill] == ask.ledger.returned


def test_returned_kill_of_an_older_revision_than_what_arrived_is_kept(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """Both are valid for who is behind, and killed is above all."""
    ask = asking(entry_of(fingerprint=seven, variant_id=2, revision=60))
    ask(ruleset_of())
    _take(ask.ledger, entry_of(fingerprint=seven, variant_id=0, origin=Origin.KILL, revision=55))
    assert Reason.KILLED is ask(ruleset_of()).answer.reason


def test_returned_decision_does_not_hide_behind_one_that_stays_here(
    asking: Asks, ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """A flag that does not carry here was decided here; further down the callee's decision is needed."""
    ask = asking()
    ask(ruleset_of({"carry": False}))
    entry = entry_of(fingerprint=seven, variant_id=1)
    _take(ask.ledger, entry)
    assert [entry] == entries_leaving(ask.ledger)


class _Meanwhile(dict[tuple[int, int], tuple[Entry, ...]]):
    """A ledger's `arrived` in which something else happens between one reader's look and its write."""

    happens: Callable[[], object] | None = None

    def __setitem__(self, key: tuple[int, int], value: tuple[Entry, ...]) -> None:
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()
        super().__setitem__(key, value)


def test_returned_by_another_thread_meanwhile_is_held_too(entry_of: Entries) -> None:
    """A sync fan-out: calls about the same flag come back together."""
    ledger = Ledger()
    ledger.arrived = meanwhile = _Meanwhile()
    one, other = entry_of(fingerprint=1), entry_of(fingerprint=2)
    meanwhile.happens = lambda: _take(ledger, other)
    _take(ledger, one)
    assert {one, other} == set(*ledger.arrived.values()) == set(ledger.returned)


class _Later(dict[tuple[int, int], tuple[Entry, ...]]):
    """A ledger's `arrived` in which something else happens after one reader's look."""

    happens: Callable[[], object] | None = None

    def get(self, key: Any, default: Any = None) -> Any:
        found, happens, self.happens = super().get(key, default), self.happens, None
        if happens is not None:
            happens()
        return found


def test_returned_kill_that_comes_while_an_entry_is_taken_up_wins(
    ruleset_of: Rulesets, entry_of: Entries, seven: int
) -> None:
    """What had arrived was looked at, and is served no more."""
    ledger = Ledger()
    ledger.arrived = later = _Later()
    _take(ledger, entry_of(fingerprint=seven, variant_id=2))
    kill = entry_of(fingerprint=seven, variant_id=0, origin=Origin.KILL, revision=61)
    later.happens = lambda: _take(ledger, kill)
    ruleset = ruleset_of()
    flag = ruleset.flag("checkout")
    assert flag is not None
    decision = decide(flag, ruleset, ledger, "7", {}, {}, BEGAN_NS, lambda _: None)
    assert (Reason.KILLED, [decision]) == (decision.answer.reason, list(ledger.made.values()))


@pytest.mark.parametrize("is_there_before", [False, True])
@pytest.mark.parametrize("revision", [50, 61])
def test_returned_kill_that_comes_while_it_is_decided_wins(
    ruleset_of: Rulesets, entry_of: Entries, seven: int, is_there_before: bool, revision: int
) -> None:
    """It came after the look at what had arrived, and found nothing to take away."""

    class Attributes(dict[str, object]):
        def get(self, key: str, default: object = None) -> object:
            _take(ledger, entry_of(fingerprint=seven, variant_id=0, origin=Origin.KILL, revision=revision))
            return super().get(key, default)

    ledger = Ledger()
    if is_there_before:
        _take(ledger, entry_of(fingerprint=9))
    clause = {"op": "equals", "attribute": "plan", "value": "pro"}
    ruleset = ruleset_of({"rules": [{"id": "r", "clauses": [clause], "serve": {"variant": "v2"}}]})
    flag = ruleset.flag("checkout")
    assert flag is not None
    decision = decide(flag, ruleset, ledger, "7", Attributes(), {}, BEGAN_NS, lambda _: None)
    assert Reason.KILLED is decision.answer.reason
    assert [decision] == list(ledger.made.values())


# ---- the whole way


@given(calls=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["7", "8"]), st.integers(1, 4)), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_calls_one_after_the_other_agree(asking: Asks, ruleset_of: Rulesets, calls: list[tuple[int, str, int]]) -> None:
    """Callees of different opinions, asked in turn by one caller, answer as the first of them did."""
    caller = asking()
    said: dict[tuple[int, str], str | None] = {}
    for flag_id, unit, opinion in calls:
        callee = asking()
        callee.ledger.arrived = decode(encode(caller.ledger).value).arrived
        ruleset = ruleset_of({"key": "f", "id": flag_id, "fallthrough": {"variant": f"v{opinion}"}})
        decision = callee(ruleset, "f", unit=unit)
        assert said.setdefault((flag_id, unit), decision.answer.variant) == decision.answer.variant
        value = returning(callee.ledger).value
        values = [value.encode()] if value else []
        take_returned(caller.ledger, values, has_age=False, began_ns=BEGAN_NS, note=caller.notes.append)
    assert [] == caller.notes
