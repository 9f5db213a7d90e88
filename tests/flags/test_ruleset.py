"""Rulesets: a patched one is a fresh one, kills only ever add, and what did not change is shared."""

import gc
import threading
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.context import Origin, Reason
from pennon.flags import (
    DecideAt,
    Delete,
    Put,
    ReconciledRecord,
    RevocationRecord,
    Ruleset,
    SegmentClause,
    SegmentRecord,
    ServeRecord,
    SignerRecord,
    SignerUse,
    member_hash,
)

UNITS = ("user-1", "user-2", None)
KEYS = ("f", "g", "h", "gone")
KILLER, OVERRIDER = SignerRecord("k1", "AAAA", SignerUse.KILL), SignerRecord("k2", "BBBB", SignerUse.OVERRIDE, 99)
REVOKED, RECONCILED = RevocationRecord("t1", 50), ReconciledRecord("bg-1", 60)


def kinds_of(rules: Ruleset) -> tuple[set[str], set[str], set[str]]:
    """Ids of signers, revocations and reconciled kills."""
    return {*rules.signers}, {*rules.revocations}, {*rules.reconciled}


def seen(rules: Ruleset) -> Any:
    """Everything that a user of a ruleset can see of it."""
    flags = {key: rules.flag(key) for key in KEYS}
    return [
        (rules.revision, rules.epoch, rules.environment, dict(rules.records), dict(rules.segments), dict(rules.kills)),
        {
            key: (flag.floor, flag.is_killed, flag.fault, flag.scope, [flag.answer(unit, {}, {}) for unit in UNITS])
            for key, flag in flags.items()
            if flag is not None
        },
        {flag_id: flag.key for flag_id in range(5) if (flag := rules.flag_by_id(flag_id))},
    ]


def flag_of(make: Any, key: str, choice: int, revision: int) -> Any:
    """One of a few flags, some of which ask a segment."""
    options: list[dict[str, Any]] = [
        {},
        {"fallthrough": make.split(coverage=40_000)},
        {"killed": True, "void_before": revision},
        {"fallthrough": ServeRecord("gone")},
    ]
    flag_id = KEYS.index(key) + 1
    if choice >= len(options):
        return make.gate(SegmentClause("s"), key=key, id=flag_id, revision=revision)
    return make.flag(key, id=flag_id, revision=revision, **options[choice])


def segment_of(member: str) -> SegmentRecord:
    """A segment of one member."""
    return SegmentRecord("s", "user", "s", (member_hash("s", member),))


@given(data=st.data())
def test_patched_equals_building_afresh(make: Any, data: st.DataObject) -> None:
    """After any deltas, asked or not between them, a ruleset is what one from the whole state would be."""
    choice = st.integers(0, 4)
    flags = {key: flag_of(make, key, data.draw(choice), 1) for key in ("f", "g")}
    segments = {"s": segment_of("user-1")} if data.draw(st.booleans()) else {}
    kills = data.draw(st.dictionaries(st.integers(1, 4), st.integers(1, 99), max_size=2))
    rules = Ruleset.of(make.record(*flags.values(), segments=tuple(segments.values()))).with_kills(kills)
    for revision in range(2, 5):
        if data.draw(st.booleans()):
            seen(rules)
        put = {
            key: flag_of(make, key, data.draw(choice), revision)
            for key in data.draw(st.sets(st.sampled_from(["f", "g", "h"])))
        }
        gone = data.draw(st.sets(st.sampled_from(["f", "g", "h", "never"]))) - put.keys()
        put_segments = {"s": segment_of(data.draw(st.sampled_from(UNITS[:2])))} if data.draw(st.booleans()) else {}
        gone_segments = {"s"} - put_segments.keys() if data.draw(st.booleans()) else set()
        rules = rules.patched(revision, Put(put, put_segments), Delete(tuple(gone), tuple(gone_segments)))
        flags = {key: flag for key, flag in {**flags, **put}.items() if key not in gone}
        segments = {key: part for key, part in {**segments, **put_segments}.items() if key not in gone_segments}
        fresh = make.record(*flags.values(), segments=tuple(segments.values()), revision=revision)
        assert seen(Ruleset.of(fresh).with_kills(kills)) == seen(rules)


@given(data=st.data())
def test_with_kills_never_unkills_and_always_answers_off(make: Any, data: st.DataObject) -> None:
    """A killed flag, by record or overlay, serves its off variant to everyone, with a floor no lower than before."""
    records = [flag_of(make, key, data.draw(st.integers(0, 4)), 3) for key in ("f", "g", "h")]
    base = Ruleset.of(make.record(*records, segments=(segment_of("user-1"),)))
    if data.draw(st.booleans()):
        seen(base)
    kills = data.draw(st.dictionaries(st.integers(1, 5), st.integers(1, 99), max_size=4))
    rules = base.with_kills(kills)
    for record in records:
        before, flag = base.flag(record.key), rules.flag(record.key)
        assert before is not None
        assert flag is not None
        assert (record.killed or record.id in kills) is flag.is_killed
        assert max(before.floor, kills.get(record.id, 0)) == flag.floor
        if flag.is_killed:
            assert {(False, Reason.KILLED, Origin.KILL)} == {
                (answer.value, answer.reason, answer.origin)
                for answer in (flag.answer(unit, {}, {"user": "user-1"}) for unit in UNITS)
            }
            # A fresh decision is never void.
            assert max(record.revision, kills.get(record.id, 0)) == flag.answer(None, {}, {}).revision


def test_with_kills_replaces_the_overlay_before(make: Any) -> None:
    """The kills given are all that lie over it; the caller knows which are still open."""
    base = Ruleset.of(make.record(make.flag("f", id=1), make.flag("g", id=2))).with_kills({1: 5})
    rules = base.with_kills({2: 6})
    killed = {key: flag.is_killed for key in ("f", "g") if (flag := rules.flag(key))}
    assert {"f": False, "g": True} == killed


def test_with_kills_reaches_a_flag_that_comes_later(make: Any) -> None:
    """A kill of an unknown id waits for its flag."""
    base = Ruleset.of(make.record()).with_kills({1: 5})
    flag = base.patched(4, Put({"f": make.flag("f", id=1)}), Delete()).flag("f")
    assert flag is not None
    assert flag.is_killed


def test_flag_is_compiled_on_first_use_and_kept(make: Any) -> None:
    """Nothing is compiled at load; afterwards the hot path finds it in `compiled`."""
    rules = Ruleset.of(make.record(make.flag("f")))
    assert {} == rules.compiled
    flag = rules.flag("f")
    assert {"f": flag} == rules.compiled
    assert flag is rules.flag("f")
    assert flag is rules.flag_by_id(1)


def test_flag_of_an_unknown_key_is_none(make: Any) -> None:
    """Neither a key nor an id that nobody has gives a flag."""
    rules = Ruleset.of(make.record(make.flag("f")))
    assert (None, None) == (rules.flag("g"), rules.flag_by_id(2))


def test_patched_keeps_what_did_not_change(make: Any) -> None:
    """A delta of one flag costs one compilation, not all of them."""
    gate = make.gate(SegmentClause("s"), key="h", id=3)
    rules = Ruleset.of(make.record(make.flag("f", id=1), make.flag("g", id=2), gate, segments=(segment_of("user-1"),)))
    before = {key: rules.flag(key) for key in ("f", "g", "h")}
    after = rules.patched(2, Put({"g": make.flag("g", id=2, revision=2)}), Delete())
    assert [True, False, True] == [before[key] is after.flag(key) for key in ("f", "g", "h")]
    after = rules.patched(2, Put(segments={"s": segment_of("user-2")}), Delete())
    assert [True, True, False] == [before[key] is after.flag(key) for key in ("f", "g", "h")]


def test_patched_leaves_the_earlier_one_alone(make: Any) -> None:
    """Whoever holds the earlier ruleset goes on with it."""
    rules = Ruleset.of(make.record(make.flag("f")))
    before = seen(rules)
    rules.patched(2, Put({"g": make.flag("g", id=2)}), Delete(("f",))).with_kills({1: 9})
    assert before == seen(rules)


def test_patched_lets_the_earlier_one_go(make: Any) -> None:
    """A flag that outlives its ruleset does not keep it: a thousand deltas hold one set of records."""
    gate = make.gate(SegmentClause("s"), key="h", id=3)
    rules = Ruleset.of(make.record(make.flag("f"), gate, segments=(segment_of("user-1"),)))
    for revision in range(2, 20):
        seen(rules)
        rules = rules.patched(revision, Put({"g": make.flag("g", id=2, revision=revision)}), Delete())
    gc.collect()
    environment = rules.environment
    held = [found for found in gc.get_objects() if type(found) is Ruleset and found.environment is environment]
    assert [rules] == [found for found in held if found.revision > 1]


def test_patched_puts_and_takes_records_of_every_kind(make: Any) -> None:
    """Signers, revocations and reconciled kills come and go as flags do, and stay through kills and other deltas."""
    record = msgspec.structs.replace(make.record(make.flag("f")), signers={"k1": KILLER}, revocations={"t1": REVOKED})
    rules = Ruleset.of(record).with_kills({1: 5})
    assert ({"k1"}, {"t1"}, set()) == kinds_of(rules)
    rules = rules.patched(2, Put(signers={"k2": OVERRIDER}, reconciled={"bg-1": RECONCILED}), Delete())
    assert ({"k1", "k2"}, {"t1"}, {"bg-1"}) == kinds_of(rules)
    rules = rules.patched(3, Put(), Delete(signers=("k1", "never"), revocations=("t1",), reconciled=("bg-1",)))
    assert ({"k2"}, set(), set()) == kinds_of(rules.with_kills({}))
    assert OVERRIDER == rules.signers["k2"]


def test_patched_without_flags_shares_them(make: Any) -> None:
    """A delta that brings a revocation copies no flags."""
    rules = Ruleset.of(make.record(make.flag("f")))
    flag = rules.flag("f")
    patched = rules.patched(2, Put(revocations={"t1": REVOKED}), Delete())
    assert rules.records is patched.records
    assert flag is patched.flag("f")


def test_published_are_the_flags_that_the_writer_decides(make: Any) -> None:
    """In the ruleset's order; a delta is followed."""
    flags = [make.flag(key, id=at, at=DecideAt.PUBLISH) for at, key in enumerate("ab")]
    rules = Ruleset.of(make.record(flags[0], make.flag("f", id=7), flags[1]))
    assert ("a", "b") == rules.published
    assert rules.published is rules.published
    assert ("a", "b") == rules.with_kills({0: 3}).published
    assert ("b", "g") == rules.patched(
        2, Put({"g": make.flag("g", id=9, at=DecideAt.PUBLISH)}), Delete(("a",))
    ).published


def test_flag_says_how_its_decisions_travel(make: Any) -> None:
    """Age in nanoseconds, as the judge compares it; who decides; whether a tester may."""
    flag = make.compiled(make.flag(carry_max_age_s=90, at=DecideAt.PUBLISH, overridable=True))
    assert (90_000_000_000, DecideAt.PUBLISH, True) == (flag.carry_max_age_ns, flag.at, flag.overridable)
    flag = make.compiled(make.flag())
    assert (None, DecideAt.CONSUME, False) == (flag.carry_max_age_ns, flag.at, flag.overridable)


@pytest.mark.slow
def test_flags_are_compiled_once_by_threads_at_once(make: Any) -> None:
    """Threads that ask for the same new flags get the same objects, also while the ruleset is patched."""
    for _ in range(30):
        rules = Ruleset.of(make.record(*(make.flag(f"f{number}", id=number) for number in range(50))))
        start = threading.Barrier(4)
        found: list[list[Any]] = []

        def ask(rules: Ruleset = rules, start: threading.Barrier = start, found: list[list[Any]] = found) -> None:
            start.wait()
            found.append([rules.flag(f"f{number}") for number in range(50)])
            found[-1].append(len(rules.patched(2, Put(), Delete()).records))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert all(flags == found[0] for flags in found)
