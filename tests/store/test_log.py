"""The contract of `Store`: the change log, which streams, history and audit read."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pennon.control import Author
from pennon.errors import DocumentInvalid
from pennon.flags import FlagRecord, SegmentRecord

EDITS = st.lists(
    st.tuples(
        st.sampled_from(("coverage", "weights", "on", "kill", "unkill", "describe", "archive", "restore", "segment")),
        st.sampled_from(("checkout", "search")),
        st.sampled_from((0, 1_000, 100_000)),
    ),
    max_size=10,
)


@pytest.mark.slow
@given(edits=EDITS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_log_folds_to_the_snapshot(edits: list[tuple[str, str, int]], new_books: Callable[[], Any]) -> None:
    """Whatever the edits: revisions without gaps, a chain that verifies, and every put and delete of it."""
    books = new_books()
    for flag in ("checkout", "search"):
        books.create(flag)
    for edit in edits:
        _do(books, *edit)
    log, snapshot = books.log(), books.store.snapshot(books.id)

    flags: dict[str, FlagRecord] = {}
    segments: dict[str, SegmentRecord] = {}
    for change in log:
        flags.update(change.publication.put_flags)
        segments.update(change.publication.put_segments)
        for key in change.publication.delete_flags:
            flags.pop(key)
    assert (flags, segments) == (snapshot.flags, snapshot.segments)
    assert list(range(1, snapshot.revision + 1)) == [change.revision for change in log]
    assert () == books.store.faults_of_log(books.id)


@pytest.mark.slow
@given(edits=EDITS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_floor_never_sinks_and_never_passes_its_revision(
    edits: list[tuple[str, str, int]], new_books: Callable[[], Any]
) -> None:
    """Nothing voided is revived, and a fresh decision is never void."""
    books, floors = new_books(), {"checkout": 0, "search": 0}
    for flag in floors:
        books.create(flag)
    for edit in edits:
        _do(books, *edit)
    for change in books.log():
        for key, record in change.publication.put_flags.items():
            assert floors[key] <= record.void_before <= record.revision == change.revision
            floors[key] = record.void_before


def test_changes_since_gives_what_follows(books: Any) -> None:
    """After a revision, oldest first, at most as many as asked for; nothing for who is up to date."""
    for i in range(5):
        books.create(f"flag-{i}")
    epoch = books.production.epoch

    assert [3, 4] == [
        change.revision for change in books.store.changes_since(books.id, epoch=epoch, revision=2, limit=2)
    ]
    assert () == books.store.changes_since(books.id, epoch=epoch, revision=5)


@pytest.mark.parametrize(("epochs", "revision"), [(1, 1), (-1, 1), (0, 2), (0, -1)])
def test_changes_since_refuses_what_does_not_follow(epochs: int, revision: int, books: Any) -> None:
    """Another epoch or a revision of the future: only a snapshot helps."""
    books.create()
    epoch = books.production.epoch + epochs

    assert books.store.changes_since(books.id, epoch=epoch, revision=revision) is None


def test_history_tells_who_what_when_and_why(books: Any) -> None:
    """Newest first, of this flag, in this environment."""
    books.create()
    books.create("search")
    books.clock.at_ns += 5
    books.patch({"on": False})
    books.patch({"on": False}, environment="staging")

    newest, oldest = books.store.history("shop", "production", "checkout").items

    assert ("anna", "because", books.clock.at_ns, 3) == (newest.who, newest.why, newest.at_ns, newest.revision)
    assert [("/on", True, False)] == [(d.path, d.before, d.after) for d in newest.diff]
    assert ("create", 1) == (oldest.action, oldest.revision)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_give_everything_once_in_order(limit: int, books: Any) -> None:
    """Histories, flags and segments, whatever the size of a page."""
    for i in range(5):
        books.create(f"flag-{i}")
        books.store.put_segment("shop", "production", f"segment-{i}", {}, if_match=None, by=Author("anna"))
    for is_on in (False, True, False, True):
        books.patch({"on": is_on}, flag="flag-0")
    store = books.store

    history = _pages(lambda cursor: store.history("shop", "production", "flag-0", cursor=cursor, limit=limit))
    flags = _pages(lambda cursor: store.flags("shop", cursor=cursor, limit=limit))
    segments = _pages(lambda cursor: store.segments("shop", "production", cursor=cursor, limit=limit))

    assert [14, 13, 12, 11, 1] == [change.revision for change in history]
    assert [f"flag-{i}" for i in range(5)] == [flag.key for flag in flags]
    assert [f"segment-{i}" for i in range(5)] == [segment.key for segment in segments]


@pytest.mark.parametrize("cursor", ["", "!", "a", "é", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
def test_a_foreign_cursor_is_a_fault(cursor: str, books: Any) -> None:
    """Of our making or refused: not a crash, not the first page."""
    books.create()

    with pytest.raises(DocumentInvalid, match="/cursor"):
        books.store.history("shop", "production", "checkout", cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_page_has_bounds(limit: int, books: Any) -> None:
    """Nobody asks for everything at once."""
    with pytest.raises(DocumentInvalid, match="/limit"):
        books.store.flags("shop", limit=limit)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE changes SET body = replace(body, 'anna', 'eve!') WHERE revision = 2",
        "UPDATE changes SET hash = previous_hash WHERE revision = 2",
        "UPDATE changes SET key = 'search' WHERE revision = 2",
        "UPDATE changes SET kind = 'segment' WHERE revision = 2",
        "UPDATE changes SET epoch = epoch + 1 WHERE revision = 2",
        "DELETE FROM changes WHERE revision = 2",
        "DELETE FROM changes WHERE revision = 3",
        "DELETE FROM changes",
        "UPDATE changes SET revision = 9 WHERE revision = 3",
        "UPDATE environments SET revision = 2",
        "UPDATE environments SET head_hash = ''",
    ],
)
def test_tampering_with_the_log_shows(tampering: str, books: Any, path: Path) -> None:
    """Whatever is edited, lost or added by hand."""
    books.create()
    books.patch({"on": False})
    books.patch({"on": True})
    assert () == books.store.faults_of_log(books.id)

    with sqlite3.connect(path) as connection:
        connection.execute(tampering)
    connection.close()

    assert books.store.faults_of_log(books.id)


def _do(books: Any, what: str, flag: str, number: int) -> None:
    split = {"weights": [{"variant": "on", "weight": 100_000}], "coverage": number, "salt": "s"}
    if what == "weights":
        split["weights"] = [{"variant": "on", "weight": number}, {"variant": "off", "weight": 100_000 - number}]
    match what:
        case "coverage" | "weights" | "on":
            patch = {"on": bool(number)} if what == "on" else {"fallthrough": {"variant": None, "split": split}}
            if not books.store.flag("shop", flag).archived:
                books.patch(patch, flag)
        case "kill":
            books.kill(flag, None if number else "production")
        case "unkill":
            books.unkill(flag, None if number else "production")
        case "segment":
            held = [s for s in books.store.segments("shop", "production").items if s.key == flag]
            version = held[0].revision if held else None
            members = {"members": [str(number)]}
            books.store.put_segment("shop", "production", flag, members, if_match=version, by=Author("anna"))
        case _:
            patches = {"describe": {"description": str(number)}}
            books.patch_flag(patches.get(what, {"archived": what == "archive"}), flag)


def _pages(read: Callable[[str | None], Any]) -> list[Any]:
    items: list[Any] = []
    cursor = None
    while True:
        page = read(cursor)
        items += page.items
        cursor = page.cursor
        if cursor is None:
            return items
