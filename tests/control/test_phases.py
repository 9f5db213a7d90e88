"""Phases: what begins one, what does not, and that no number is used twice."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennon.control.phases import splits_of

MakeSplit = Callable[..., dict[str, Any]]

OTHER_WEIGHTS = [{"variant": "on", "weight": 100_000}]


@pytest.mark.parametrize("coverage", [0, 1, 100_000])
def test_ramping_is_no_new_phase(coverage: int, desk: Any, split_of: MakeSplit) -> None:
    """Up, down, to nothing and to all: same salt, same phase, same floor."""
    before = desk.patch({"fallthrough": split_of()}).record.fallthrough.split
    ramped = desk.patch({"fallthrough": {"split": {"coverage": coverage}}})

    split = ramped.record.fallthrough.split
    assert (before.salt, 1, 0, ()) == (split.salt, split.phase, ramped.record.void_before, ramped.notes)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"weights": OTHER_WEIGHTS}, "weights"),
        ({"salt": "another"}, "salt"),
        ({"salt": None}, "salt"),
        ({"algo": "m3-utf8"}, "algo"),
    ],
)
def test_weights_salt_and_algo_begin_a_new_phase(
    change: dict[str, Any], word: str, desk: Any, split_of: MakeSplit
) -> None:
    """The floor rises to the new revision, and the author is told why."""
    desk.patch({"fallthrough": split_of()})
    changed = desk.patch({"fallthrough": {"split": change}})

    assert (2, 3) == (changed.record.fallthrough.split.phase, changed.record.void_before)
    begins = f"phase 2 begins at the fallthrough, because {word} changed"
    assert (f"{begins}: units are decided anew, and what was decided before revision 3 is void",) == changed.notes


def test_the_order_of_weights_is_part_of_the_phase(desk: Any, split_of: MakeSplit) -> None:
    """Slots lie in the author's order: turned round, every unit changes sides."""
    desk.patch({"fallthrough": split_of()})
    weights = split_of()["split"]["weights"][::-1]

    assert 3 == desk.patch({"fallthrough": {"split": {"weights": weights}}}).record.void_before


def test_a_split_taken_away_and_put_back_goes_on(desk: Any, split_of: MakeSplit) -> None:
    """The same split is the same phase: nobody is decided anew."""
    desk.patch({"fallthrough": split_of(salt="s")})
    desk.patch({"fallthrough": {"variant": "on", "split": None}})
    back = desk.patch({"fallthrough": split_of(salt="s")})

    assert (1, 0) == (back.record.fallthrough.split.phase, back.record.void_before)


def test_another_split_after_a_pause_is_a_new_phase(desk: Any, split_of: MakeSplit) -> None:
    """A record that waited through the pause was decided by the split before it."""
    desk.patch({"fallthrough": split_of(salt="s")})
    desk.patch({"fallthrough": {"variant": "on", "split": None}})
    back = desk.patch({"fallthrough": split_of(salt="t")})

    assert (2, 4) == (back.record.fallthrough.split.phase, back.record.void_before)


def test_a_rule_sent_without_its_salt_keeps_it(desk: Any, split_of: MakeSplit, rule_of: MakeSplit) -> None:
    """A merge patch replaces the list of rules; leaving out a salt must not decide everyone anew."""
    desk.patch({"rules": [rule_of("r1", split_of(algo="m3-utf8"))]})
    again = desk.patch({"rules": [rule_of("r0", {"variant": "on"}), rule_of("r1", split_of(coverage=7))]})

    assert (1, 0) == (again.record.rules[1].serve.split.phase, again.record.void_before)


def test_a_rule_with_salt_null_gets_a_new_one(desk: Any, split_of: MakeSplit, rule_of: MakeSplit) -> None:
    """Asked for, everyone is decided anew."""
    desk.patch({"rules": [rule_of("r1", split_of())]})

    assert 3 == desk.patch({"rules": [rule_of("r1", split_of(salt=None))]}).record.void_before


def test_a_second_split_voids_nothing(desk: Any, split_of: MakeSplit, rule_of: MakeSplit) -> None:
    """A new place for a split is not another split at an old one; its phase is a number of its own."""
    desk.patch({"fallthrough": split_of()})
    added = desk.patch({"rules": [rule_of("r1", split_of())]})

    assert (2, 1, 0) == (
        added.record.rules[0].serve.split.phase,
        added.record.fallthrough.split.phase,
        added.record.void_before,
    )


EDITS = st.lists(
    st.tuples(
        st.sampled_from(("fallthrough", "r1", "r2")),
        st.none() | st.tuples(st.sampled_from(("s", "t")), st.booleans(), st.sampled_from((0, 100_000))),
    ),
    max_size=12,
)


@given(changes=EDITS)
@settings(max_examples=100)
def test_a_phase_number_means_one_run_for_ever(
    changes: list[tuple[str, tuple[str, bool, int] | None]],
    new_desk: Callable[..., Any],
    split_of: MakeSplit,
    rule_of: MakeSplit,
) -> None:
    """Whatever the edits: one number, one definition; and the floor rises exactly if a place's definition changes."""
    desk = new_desk()
    serves: dict[str, dict[str, Any] | None] = {"fallthrough": None, "r1": None, "r2": None}
    meant: dict[int | None, tuple[Any, ...]] = {}
    last: dict[str, tuple[Any, ...]] = {}
    for place, choice in changes:
        serves[place] = None
        if choice is not None:
            salt, is_other, coverage = choice
            weights = {"weights": OTHER_WEIGHTS} if is_other else {}
            # Salts are a split's own: two places never share one.
            serves[place] = split_of(coverage, salt=f"{place}-{salt}", **weights)
        floor = desk.settings.void_before
        patch = {
            "fallthrough": serves["fallthrough"] or {"variant": "on", "split": None},
            "rules": [rule_of(name, serves[name]) for name in ("r1", "r2") if serves[name]],
        }
        done = desk.patch(patch)
        changed = False
        for where, split in splits_of(desk.settings):
            definition = (where, split.salt, split.algo, str(split.weights))
            assert definition == meant.setdefault(split.phase, definition)
            changed |= last.get(where, definition) != definition
            last[where] = definition
        assert (desk.revision if done and changed else floor) == desk.settings.void_before
