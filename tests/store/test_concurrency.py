"""Many threads, and two stores over one file: numbers without gaps, and one winner."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from pennon.control import Author
from pennon.errors import PreconditionFailed
from pennon.store import open_store
from pennon.store.database import Database

THREADS = 8


def test_writers_get_strictly_increasing_revisions_without_gaps(books: Any, path: Path) -> None:
    """Half of them through a second store, as another process would."""
    for i in range(THREADS):
        books.create(f"flag-{i}")
    before = books.at().revision
    with closing(open_store(f"sqlite:///{path}")) as other:

        def edit(i: int) -> list[int]:
            store, revisions = (books.store, other)[i % 2], []
            for is_on in (False, True) * 5:
                version = store.settings("shop", "production", f"flag-{i}").revision
                patch = {"on": is_on}
                done = store.update_settings(
                    "shop", "production", f"flag-{i}", patch, if_match=version, by=Author(f"author-{i}")
                )
                revisions.append(done.document.revision)
            return revisions

        taken = _at_once(edit)

    assert all(revisions == sorted(set(revisions)) for revisions in taken)
    numbers = [revision for revisions in taken for revision in revisions]
    assert list(range(before + 1, before + 1 + len(numbers))) == sorted(numbers)
    assert list(range(1, before + 1 + len(numbers))) == [change.revision for change in books.log()]
    assert () == books.store.faults_of_log(books.id)


def test_of_authors_who_read_the_same_version_one_wins(books: Any) -> None:
    """412 for everyone else, and nothing of theirs is kept."""
    books.create()

    def edit(i: int) -> bool:
        patch = {"description": f"by {i}"}
        try:
            books.store.update_flag("shop", "checkout", patch, if_match=1, by=Author(f"author-{i}"))
        except PreconditionFailed:
            return False
        return True

    won = _at_once(edit)

    assert 1 == sum(won)
    assert f"by {won.index(True)}" == books.store.flag("shop", "checkout").description
    assert 2 == books.at().revision


def test_kills_at_once_are_one_kill(books: Any) -> None:
    """Idempotent also when everyone presses the button."""
    books.create()

    changes = _at_once(lambda _: books.kill())

    assert 1 == sum(map(len, changes))
    assert 2 == books.store.settings("shop", "production", "checkout").void_before


def test_exposures_at_once_count_once(books: Any) -> None:
    """Two services report the same treatment at the same moment."""
    from pennon.control import Exposure

    report = [Exposure(f"{i:032x}", "checkout", "on", "user", 1, 1) for i in range(50)]

    receipts = _at_once(lambda _: books.store.add_exposures(books.id, report))

    assert 50 == sum(receipt.new_count for receipt in receipts)
    assert [50] == [row.count for row in books.store.exposure_counts(books.id)]


def test_readers_do_not_wait_for_a_writer(books: Any, path: Path) -> None:
    """They see what was committed before, while an edit is under way."""
    books.create()
    with closing(Database(f"sqlite:///{path}")) as database, database.writing() as connection:
        connection.exec_driver_sql("UPDATE environments SET revision = 99")

        assert 1 == books.store.snapshot(books.id).revision
        connection.rollback()


def test_a_first_start_at_once_makes_one_schema(tmp_path: Path) -> None:
    """Several processes open the same new file."""

    def start(_: int) -> int:
        with closing(open_store(url)) as store:
            return len(store.projects())

    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert [0] * THREADS == _at_once(start)


@pytest.mark.slow
def test_the_switch_to_write_ahead_is_not_lost_to_another(tmp_path: Path) -> None:
    """SQLite fails at once when two connections make the switch; it takes a hundred tries to see it."""

    def connect(i: int) -> str:
        with databases[i].reading() as connection:
            return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())

    for attempt in range(100):
        databases = [Database(f"sqlite:///{tmp_path / f'{attempt}.db'}") for _ in range(THREADS)]
        with ExitStack() as stack:
            for database in databases:
                stack.enter_context(closing(database))
            assert ["wal"] * THREADS == _at_once(connect)


def _at_once(do: Callable[[int], Any]) -> list[Any]:
    start = Barrier(THREADS)

    def begin(i: int) -> Any:
        start.wait(timeout=30)
        return do(i)

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(begin, range(THREADS)))
