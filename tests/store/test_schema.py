"""The database file: its migrations, its settings, what is refused."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from pennon.errors import SettingInvalid
from pennon.store import open_store
from pennon.store.database import Database
from pennon.store.schema import bring_up_to_date
from pennon.store.tables import METADATA


def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    """A changed table without a migration shows here."""
    with closing(Database(f"sqlite:///{tmp_path / 'new.db'}")) as database, database.writing() as connection:
        bring_up_to_date(connection)

        assert [] == compare_metadata(MigrationContext.configure(connection), METADATA)


def test_what_was_kept_is_there_after_reopening(books: Any, path: Path) -> None:
    """And the numbering goes on."""
    books.create()
    before = books.store.snapshot(books.id)
    books.store.close()

    with closing(open_store(f"sqlite:///{path}")) as store:
        assert before == store.snapshot(books.id)
        assert books.at() == store.environment_by_id(books.id)


def test_a_database_of_a_newer_version_is_refused(books: Any, path: Path) -> None:
    """With the way out, and untouched."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(SettingInvalid, match=r"schema is '9999'.* knows up to '\d{4}'; start a pennon at least as new"):
        open_store(f"sqlite:///{path}")


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """All of it is one transaction: a second start tries again from where the first one began."""
    path = tmp_path / "half.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE segments (mine INTEGER)")
    connection.close()

    with pytest.raises(Exception, match="segments"):
        open_store(f"sqlite:///{path}")

    with sqlite3.connect(path) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    assert {"segments"} == tables


@pytest.mark.parametrize(
    ("pragma", "expected"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10_000)]
)
def test_every_connection_is_set_up(pragma: str, expected: object, tmp_path: Path) -> None:
    """A commit that was answered is on the disk (synchronous 2 is FULL)."""
    with closing(Database(f"sqlite:///{tmp_path / 'new.db'}")) as database, database.reading() as connection:
        assert expected == connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()


def test_a_writer_takes_the_lock_at_its_beginning(tmp_path: Path) -> None:
    """BEGIN IMMEDIATE: what it reads is what it edits."""
    path = tmp_path / "new.db"
    with closing(Database(f"sqlite:///{path}")) as database, database.writing():
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_references_are_held(books: Any, path: Path) -> None:
    """A row of an environment that does not exist is refused by the database itself."""
    with closing(Database(f"sqlite:///{path}")) as database, database.writing() as connection:
        insert = "INSERT INTO exposure_counts VALUES (1, 'checkout', 1, 'on', 1)"
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            connection.exec_driver_sql(insert)
        connection.rollback()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("pennon.db", "is not a URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("postgresql://user:secret@db/pennon", "'postgresql' is not supported, must be sqlite"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, said: str) -> None:
    """With what is allowed, and without a password in the message."""
    with pytest.raises(SettingInvalid, match=said) as raised:
        open_store(url)
    assert "secret" not in str(raised.value)


def test_ping_answers_while_the_database_does(books: Any) -> None:
    """Nothing, and no exception."""
    books.store.ping()
