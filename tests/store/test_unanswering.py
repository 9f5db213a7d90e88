"""A database that does not answer."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pennon.errors import Unreachable
from pennon.store import open_store


def test_write_lock_held_elsewhere_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that keeps the write lock ends in our error, without the statement and what stood in it."""
    monkeypatch.setattr("pennon.store.database._BUSY_LIMIT_MS", 20)
    file = tmp_path / "pennon.db"
    with closing(open_store(f"sqlite:///{file}")) as store, closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(Unreachable, match="locked") as caught:
            store.create_project("shop", environments=["production"])

        assert "shop" not in str(caught.value)
        assert "INSERT" not in str(caught.value)
