"""A new epoch: what it counts from, and what readers of the log are told."""

from typing import Any

import pytest

from pennon.control import Action
from pennon.errors import NotFound

MINUTE_NS = 60_000_000_000


@pytest.mark.parametrize(
    ("minutes", "seen", "expected"),
    [(0, 0, 1), (5, 0, 5), (-5, 0, 1), (0, 9, 10), (20, 9, 20)],
    ids=["same minute", "later", "clock went back", "seen elsewhere", "later than seen"],
)
def test_a_new_epoch_is_later_than_all(minutes: int, seen: int, expected: int, books: Any, by: Any) -> None:
    """Than the previous, than what was seen, and not before the present minute."""
    first = books.at().epoch
    books.clock.at_ns += minutes * MINUTE_NS

    books.store.begin_epoch("shop", by=by, seen=first + seen if seen else 0)

    assert first + expected == books.at().epoch


def test_a_new_epoch_is_a_row_of_every_environment(books: Any, by: Any) -> None:
    """It takes the next revision, publishes nothing, and the chain holds."""
    books.create()

    changes = books.store.begin_epoch(None, by=by)

    assert [2, 2] == [change.revision for change in changes]
    assert [("environment", "production"), ("environment", "staging")] == [(row.kind, row.key) for row in changes]
    assert {(Action.NEW_EPOCH, None, "anna")} == {(row.action, row.flag_id, row.who) for row in changes}
    assert [("/epoch", 1)] == [(told.path, told.after - told.before) for told in changes[0].diff]
    assert () == books.store.faults_of_log(books.id)


def test_another_project_keeps_its_epoch(books: Any, by: Any) -> None:
    """Unless all are meant."""
    (other,) = books.store.create_project("other", environments=["production"])

    books.store.begin_epoch("shop", by=by)
    assert other == books.store.environment_by_id(other.environment.id)

    books.store.begin_epoch(None, by=by)
    assert other.epoch + 1 == books.store.environment_by_id(other.environment.id).epoch
    with pytest.raises(NotFound):
        books.store.begin_epoch("nowhere", by=by)


def test_readers_of_another_epoch_need_a_snapshot(books: Any, by: Any) -> None:
    """Those of the earlier one, and whoever claims to have been in this one before it began."""
    books.create()
    before = books.at()
    books.store.begin_epoch(None, by=by)
    now = books.at()
    books.patch({"on": False})

    def since(epoch: int, revision: int) -> Any:
        return books.store.changes_since(books.id, epoch=epoch, revision=revision, limit=10)

    assert since(before.epoch, before.revision) is None
    assert since(now.epoch, 0) is None
    assert [3] == [row.revision for row in since(now.epoch, now.revision)]
