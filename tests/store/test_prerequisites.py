"""Prerequisites through the store: what an edit finds around a flag, in its environment and no other."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pennon.errors import DocumentInvalid
from pennon.flags import Ruleset


def _asks(flag: str) -> dict[str, Any]:
    return {"prerequisites": [{"flag": flag, "variants": ["on"]}]}


@pytest.fixture
def chained(books: Any) -> Any:
    """An environment in which invoices asks for billing, billing for checkout, in production."""
    for key in ("checkout", "billing", "invoices"):
        books.create(key)
    books.patch(_asks("checkout"), "billing")
    books.patch(_asks("billing"), "invoices")
    return books


def test_a_cycle_over_kept_flags_is_refused_whole(chained: Any) -> None:
    """Named from the edited flag back to it, and nothing is stored."""
    before = chained.at()

    with pytest.raises(DocumentInvalid, match="checkout → invoices → billing → checkout"):
        chained.patch(_asks("invoices"))

    assert before == chained.at()


def test_environments_have_graphs_of_their_own(chained: Any) -> None:
    """What would be a cycle in production is none in staging."""
    assert 1 == len(chained.patch(_asks("invoices"), environment="staging").changes)


def test_what_others_ask_for_cannot_be_taken_away(chained: Any) -> None:
    """Neither by archiving nor by removing the variant; the error names who asks, and where."""
    with pytest.raises(DocumentInvalid, match=r"/archived: in environment 'production': .*'billing'$"):
        chained.patch_flag({"archived": True})
    with pytest.raises(DocumentInvalid, match=r"/variants: in environment 'production': 'on' missing, .*'billing'$"):
        chained.patch_flag({"variants": [{"key": "off", "value": False}]})


def test_it_can_be_taken_away_when_nobody_asks_any_more(chained: Any) -> None:
    """The list emptied, or the asking flag archived."""
    chained.patch({"prerequisites": []}, "invoices")
    chained.patch_flag({"archived": True}, "billing")

    assert 2 == len(chained.patch_flag({"archived": True}).changes)


def test_a_flag_does_not_return_without_its_prerequisite(chained: Any) -> None:
    """Back in the other order they come."""
    for key in ("invoices", "billing", "checkout"):
        chained.patch_flag({"archived": True}, key)
    with pytest.raises(DocumentInvalid, match='"checkout" found, must be a flag that is not archived'):
        chained.patch_flag({"archived": False}, "billing")

    chained.patch_flag({"archived": False})
    assert chained.patch_flag({"archived": False}, "billing").changes
    with pytest.raises(DocumentInvalid, match="'billing'"):
        chained.patch_flag({"archived": True})


def test_an_edit_of_a_flag_leaves_its_prerequisites(chained: Any) -> None:
    """A kill or a new description asks for nothing else."""
    chained.kill("billing")
    chained.patch_flag({"description": "words"}, "billing")

    assert ["checkout"] == [one.flag for one in chained.store.snapshot(chained.id).flags["billing"].prerequisites]
    with pytest.raises(DocumentInvalid, match="'billing'"):
        chained.patch_flag({"archived": True})


def test_an_effective_floor_never_falls(chained: Any, carrying: Any) -> None:
    """A kill of what was asked for voids; taking the prerequisite away, and the kill, revives nothing."""
    chained.patch({"fallthrough": {"variant": "on"}})
    chained.patch({"fallthrough": {"variant": "on"}}, "billing")
    chained.patch_flag({"carry": True}, "invoices")
    old = carrying.entries(chained.store.snapshot(chained.id), "invoices")
    assert carrying.asked(chained.store.snapshot(chained.id), old, "invoices")[1]
    floors = []

    def look() -> None:
        record = chained.store.snapshot(chained.id)
        flag = Ruleset.of(record).flag("invoices")
        assert flag is not None
        floors.append(flag.floor)
        assert not carrying.asked(record, old, "invoices")[1]

    chained.kill()
    look()
    chained.patch({"prerequisites": []}, "billing")
    look()
    chained.unkill()
    look()
    chained.patch({"prerequisites": []}, "invoices")
    look()

    assert floors == sorted(floors)


def test_names_beyond_the_limit_are_not_looked_up(chained: Any) -> None:
    """A hostile list is refused for its length, not turned into a query."""
    asked = [{"flag": f"f{i}", "variants": ["on"]} for i in range(40_000)]

    with pytest.raises(DocumentInvalid, match="/prerequisites: 40000 elements found, must be at most 10"):
        chained.patch({"prerequisites": asked})


# Each may ask for the next one.
FLAGS = ("a", "b", "c")
DEEDS = ("ask", "ask", "ask nobody", "ask nobody", "forget", "forget", "kill", "unkill", "archive", "return")
EDITS = st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 2)), min_size=8, max_size=16)


def _do(books: Any, deed: str, number: int) -> None:
    flag = FLAGS[number]
    if deed.startswith("ask"):
        books.patch(_asks(FLAGS[number + 1]) if deed == "ask" and number < 2 else {"prerequisites": []}, flag)
    elif deed in {"archive", "return"}:
        books.patch_flag({"archived": deed == "archive"}, flag)
    else:
        getattr(books, deed)(flag)


@pytest.mark.slow
@given(edits=EDITS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_effective_floor_ever_sinks(edits: list[tuple[str, int]], new_books: Callable[[], Any]) -> None:
    """Whatever is asked for, taken away, killed and archived: what was void once is void for good."""
    books, floors = new_books(), dict.fromkeys(FLAGS, 0)
    for key in FLAGS:
        books.create(key)
    for edit in edits:
        # A refused edit changes nothing.
        with suppress(DocumentInvalid):
            _do(books, *edit)
        ruleset = Ruleset.of(books.store.snapshot(books.id))
        for key in FLAGS:
            flag = ruleset.flag(key)
            if flag is not None:
                assert floors[key] <= flag.floor
                floors[key] = flag.floor
