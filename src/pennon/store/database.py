"""The engine: connections set up right, and two kinds of transactions.

SQLite as it has to be: write-ahead log (readers never wait for a writer), every commit on disk before it is answered
(`synchronous=FULL`), foreign keys held, and `BEGIN IMMEDIATE` for writers, since one that began as a reader cannot wait
for its turn, it fails.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from pennon.errors import Fault, SettingInvalid, Unreachable

# Another process may hold the write lock through a long edit; then it is better to fail than to hold up a thread.
_BUSY_LIMIT_MS: Final = 10_000

# More than the server has threads that ask; SQLite connections are cheap.
_POOL_SIZE: Final = 20

# A second in all: the switch takes a few milliseconds, and happens once in the life of a file.
_SWITCH_LIMIT_COUNT: Final = 50
_SWITCH_PAUSE_S: Final = 0.02

_WRITES: Final = "pennon_writes"


class Database:
    """An engine and its transactions; callable from any thread."""

    def __init__(self, url: str) -> None:
        place = _checked(url)
        if place.database is None:
            raise AssertionError("checked above")
        self.path = Path(place.database)
        self._engine = create_engine(place, pool_size=_POOL_SIZE, max_overflow=0, hide_parameters=True)
        _set_up(self._engine, self.path.parent)
        # SQLite has one writer. Its own queue is a poll with pauses of up to 100 ms; this one wakes at once.
        self._turn = Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of everything."""
        with _answering(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its beginning; rolled back if the block raises."""
        with _answering(), self._turn, self._engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()


@contextmanager
def _answering() -> Iterator[None]:
    """Locked for too long, a full disk, a file that is gone: the database does not answer, whatever was asked."""
    try:
        yield
    except OperationalError as error:
        # Only what the driver said: SQLAlchemy's own text brings the statement.
        raise Unreachable(f"the database does not answer: {error.orig}") from error


def _checked(url: str) -> URL:
    try:
        place = make_url(url)
    except ArgumentError:
        raise SettingInvalid([Fault("", f"database: {url!r} is not a URL, e.g. sqlite:///pennon.db")]) from None
    if place.get_backend_name() != "sqlite":
        # Without the URL itself: it may hold a password.
        message = f"database: {place.get_backend_name()!r} is not supported, must be sqlite"
        raise SettingInvalid([Fault("", message)])
    if place.database in {None, "", ":memory:"}:
        raise SettingInvalid([Fault("", f"database: {url!r} names no file, e.g. sqlite:///pennon.db")])
    return place


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Switch the file to write-ahead logging. The file remembers it: after the first start this only asks.

    For this one change SQLite does not wait when another connection is making it too; it fails at once.
    """
    for _ in range(_SWITCH_LIMIT_COUNT):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            Event().wait(_SWITCH_PAUSE_S)
        else:
            return
    cursor.execute("PRAGMA journal_mode=WAL")


def _set_up(engine: Engine, folder: Path) -> None:
    @event.listens_for(engine, "do_connect", once=True)
    def connecting(*_: object) -> None:
        # Not before: what is refused before it needs the database leaves no folder behind. And not again: a folder
        # that is gone later is a database that does not answer, not a new one.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        # The driver's own idea of when to begin is switched off; `begun` below says it.
        connection.isolation_level = None
        cursor = connection.cursor()
        # The first: the others may have to wait.
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_LIMIT_MS}")
        _write_ahead(cursor)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        is_writing = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")
