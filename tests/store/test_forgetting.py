"""Forgetting what is carried: after it, nothing that was made before applies."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pennon.control import Action
from pennon.errors import PreconditionFailed, PreconditionMissing

EDITS = ("ramp", "kill", "unkill", "forget", "phase", "switch", "archive", "describe")


def _edit(books: Any, deed: str, number: int) -> None:
    """One edit of whatever sort; the number makes it a change."""
    if deed in {"kill", "unkill"}:
        getattr(books, deed)()
    elif deed == "forget":
        books.forget()
    elif deed == "archive":
        books.patch_flag({"archived": True})
        books.patch_flag({"archived": False})
    elif deed == "describe":
        books.patch_flag({"description": str(number)})
    elif deed == "switch":
        books.patch({"on": not books.store.settings("shop", "production", "checkout").on})
    else:
        weights = [{"variant": "on", "weight": 90_000}, {"variant": "off", "weight": 10_000}]
        split = {"weights": weights[::-1] if deed == "phase" else weights, "coverage": number * 1_000}
        books.patch({"fallthrough": {"variant": None, "split": split}})


@given(before=st.lists(st.sampled_from(EDITS), max_size=5), after=st.lists(st.sampled_from(EDITS), max_size=3))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_after_forgetting_no_entry_made_before_applies(
    before: list[str], after: list[str], new_books: Callable[[], Any], carrying: Any
) -> None:
    """Whatever was done to the flag before, and whatever is done to it later."""
    books = new_books()
    books.create(carry=True)
    entries = []
    for number, deed in enumerate(["ramp", *before], start=1):
        _edit(books, deed, number)
        entries.append(carrying.entries(books.store.snapshot(books.id)))
    books.forget()

    for number, deed in enumerate(["describe", *after], start=len(before) + 2):
        _edit(books, deed, number)
        snapshot = books.store.snapshot(books.id)
        assert not any(carrying.asked(snapshot, made)[1] for made in entries)


def test_what_is_decided_afterwards_is_carried_again(books: Any, carrying: Any) -> None:
    """Only the past is forgotten."""
    books.create(carry=True)
    books.forget()
    snapshot = books.store.snapshot(books.id)

    assert carrying.asked(snapshot, carrying.entries(snapshot))[1]


def test_forgetting_is_told_and_stays_in_its_environment(books: Any, carrying: Any) -> None:
    """One row, with reason, diff and note; staging remembers."""
    books.create(carry=True)
    staged = carrying.entries(books.store.snapshot(books.staging.environment.id))

    edited = books.forget()

    (row,) = edited.changes
    assert (Action.FORGET, "because", "/void_before") == (row.action, row.why, row.diff[0].path)
    assert ("forgotten: units are decided anew, and what was decided before is void",) == row.notes
    assert edited.document.void_before == edited.document.revision == row.revision
    assert carrying.asked(books.store.snapshot(books.staging.environment.id), staged)[1]


@pytest.mark.parametrize(("if_match", "error"), [(None, PreconditionMissing), (7, PreconditionFailed)])
def test_forgetting_names_the_version_that_was_read(
    if_match: int | None, error: type[Exception], books: Any, by: Any
) -> None:
    """Nobody forgets what somebody else has just decided anew."""
    books.create()

    with pytest.raises(error):
        books.store.forget_carried("shop", "production", "checkout", if_match=if_match, by=by)
