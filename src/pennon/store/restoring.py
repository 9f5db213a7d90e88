"""A backup in place of the database.

1. All of it is one transaction: a server that runs meanwhile sees the database of before, then the restored one in its
   new epoch; nothing in between, and no edit is lost between the look at the old and the write of the new.
2. The new epoch is above those of the backup and of the database that is replaced, so that no (epoch, revision) comes
   twice, also where one restore follows another within a minute.
3. A kill always wins, and what was revoked stays revoked (`keeping`).
4. The database of before is kept beside it, as it was in that moment. The backup's file stays as it is.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, mkstemp
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import DatabaseError

from pennon.clock import SYSTEM_CLOCK, Clock
from pennon.control import Author, EnvironmentRow
from pennon.errors import Fault, SettingInvalid
from pennon.store import environments, epochs
from pennon.store.database import Database
from pennon.store.keeping import Kept, held, keep
from pennon.store.schema import bring_up_to_date
from pennon.store.tables import METADATA

# Rows at once; their values stay well below what SQLite takes in one statement.
_BATCH_COUNT: Final = 1_000


class Restored(msgspec.Struct, frozen=True):
    """What a restore did. environments: as they stand now. beside: the database of before; None if there was none."""

    environments: tuple[EnvironmentRow, ...]
    kept: Kept
    beside: Path | None


def restore_backup(
    url: str, backup: Path, *, by: Author, keeps_kills: bool = True, clock: Clock = SYSTEM_CLOCK
) -> Restored:
    """The backup in place of the database at this URL, in a new epoch.

    backup: an SQLite file. keeps_kills: whether flags that are killed now, and not in the backup, stay killed.
    Raises: SettingInvalid if either is not a database of ours; Unreachable while somebody else writes for too long.
    """
    with TemporaryDirectory(prefix="pennon-restore-") as folder, closing(Database(url)) as database:
        was_there = database.path.exists()
        copy = Path(folder) / "backup.db"
        _copy_backup(backup, copy, database.path)
        with closing(Database(f"sqlite:///{copy}")) as source:
            _bring_up_to_date(source)
            with _named(
                database.path, "stop the server, move the file away and restore again; its kills are then lost"
            ):
                _bring_up_to_date(database)
            with _named(backup), source.reading() as old, database.writing() as new:
                rows, kept = _replaced(old, new, keeps_kills=keeps_kills, by=by, at_ns=clock.now_ns())
                # Not committed yet: who reads now still reads the database of before.
                beside = _put_beside(database.path, clock.now_ns()) if was_there else None
    return Restored(rows, kept, beside)


def begin_epoch(url: str, *, by: Author, seen: int = 0, clock: Clock = SYSTEM_CLOCK) -> tuple[EnvironmentRow, ...]:
    """The environments of a database that other tools have restored, each in a new epoch.

    seen: the latest epoch that was in use, if it is known; for a second restore within a minute.
    Raises: SettingInvalid if there is no database, or it is not one of ours; Unreachable.
    """
    with closing(Database(url)) as database:
        if not database.path.exists():
            raise SettingInvalid([Fault("", f"{database.path}: no such file")])
        _bring_up_to_date(database)
        with database.writing() as connection:
            epochs.begin(connection, None, by=by, seen=seen, at_ns=clock.now_ns())
            return _environments(connection)


def _replaced(
    old: Connection, new: Connection, *, keeps_kills: bool, by: Author, at_ns: int
) -> tuple[tuple[EnvironmentRow, ...], Kept]:
    """The new one holds what the old one does, in a new epoch. Environments as they stand, and what was kept."""
    was = held(new)
    for table in reversed(METADATA.sorted_tables):
        new.execute(delete(table))
    for table in METADATA.sorted_tables:
        for rows in old.execute(select(table)).mappings().partitions(_BATCH_COUNT):
            new.execute(insert(table), [dict(row) for row in rows])
    epochs.begin(new, None, by=by, seen=was.epoch, at_ns=at_ns)
    kept = keep(new, was, keeps_kills=keeps_kills, by=by, at_ns=at_ns)
    return _environments(new), kept


def _environments(connection: Connection) -> tuple[EnvironmentRow, ...]:
    projects = environments.projects(connection)
    return tuple(place.row for one in projects for place in environments.of_project(connection, one.key))


def _bring_up_to_date(database: Database) -> None:
    with database.writing() as connection:
        bring_up_to_date(connection)


def _copy_backup(backup: Path, copy: Path, path: Path) -> None:
    """A whole and sound copy. Raises: SettingInvalid if the file is not a database of ours."""
    if not backup.is_file():
        raise SettingInvalid([Fault("", f"{backup}: no such file")])
    if path.exists() and backup.samefile(path):
        raise SettingInvalid([Fault("", f"{backup} is the database itself; in place only a new epoch can be begun")])
    with _named(backup):
        _copy(backup, copy)
        with closing(sqlite3.connect(copy)) as connection:
            said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if said != "ok":
            raise sqlite3.DatabaseError(said)
        if not {"alembic_version", "environments"} <= tables:
            raise SettingInvalid([Fault("", f"{backup} is a database, but not one of pennon")])


def _put_beside(path: Path, at_ns: int) -> Path:
    """A copy of the database in its folder, named by the time."""
    moment = datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%SZ")
    handle, name = mkstemp(prefix=f"{path.name}.before-{moment}-", dir=path.parent)
    os.close(handle)
    _copy(path, Path(name))
    return Path(name)


def _copy(path: Path, to: Path) -> None:
    with (
        closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(to)) as target,
    ):
        source.backup(target)


@contextmanager
def _named(path: Path, way_out: str = "it is damaged, use another backup") -> Iterator[None]:
    """What SQLite cannot read is named, and the way out."""
    try:
        yield
    except (sqlite3.DatabaseError, DatabaseError) as error:
        raise SettingInvalid([Fault("", f"{path}: {getattr(error, 'orig', error)}; {way_out}")]) from error
