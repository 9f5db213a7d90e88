"""A backup in place of the database: real files, and what must not come back with it."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pennon.control import Action, Author, Role
from pennon.errors import SettingInvalid, TokenRefused
from pennon.flags.keys import key_id_of
from pennon.store import KeptKill, Restored, begin_epoch, open_store, restore_backup
from pennon.sync import BreakGlass

Restore = Callable[..., Restored]
BY = Author("restorer", "the disk broke")


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Where the backup is put."""
    return tmp_path / "backup.db"


@pytest.fixture
def back_up(path: Path, backup: Path) -> Callable[[], None]:
    """Backs up the books as people do: by SQLite's own backup, while they are open."""

    def save() -> None:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
            source.backup(target)

    return save


@pytest.fixture
def restore(books: Any, path: Path, backup: Path) -> Restore:
    """Restores the backup over the books, which stay open, as they do under a running server."""

    def run(**options: Any) -> Restored:
        return restore_backup(f"sqlite:///{path}", backup, by=BY, clock=books.clock, **options)

    return run


def test_restore_brings_back_what_the_backup_held(books: Any, back_up: Callable[[], None], restore: Restore) -> None:
    """Documents, records and the log, in an open store too; what was made since is gone."""
    books.create("kept")
    back_up()
    then = books.store.snapshot(books.id)
    books.create("lost")

    restore()

    now = books.store.snapshot(books.id)
    assert then.flags == now.flags
    assert (2, ()) == (now.revision, books.store.faults_of_log(books.id))


def test_restore_begins_an_epoch_above_all_that_was(books: Any, back_up: Callable[[], None], restore: Restore) -> None:
    """Also twice in the same minute, where the second backup knows nothing of the first restore."""
    books.create()
    back_up()
    epochs = [books.at().epoch]

    for _ in range(3):
        restore()
        epochs.append(books.at().epoch)

    assert sorted(set(epochs)) == epochs


def test_no_position_comes_twice(books: Any, back_up: Callable[[], None], restore: Restore) -> None:
    """Edits before, between and after restores: each (epoch, revision) names one state."""
    books.create()
    back_up()
    seen = []
    for _ in range(3):
        seen += [(row.epoch, row.revision) for is_on in (False, True) for row in books.patch({"on": is_on}).changes]
        restore()
        seen.append((books.at().epoch, books.at().revision))

    assert len(seen) == len(set(seen))


def test_every_environment_says_so_in_its_log(books: Any, back_up: Callable[[], None], restore: Restore) -> None:
    """One row each, which publishes nothing."""
    books.create()
    back_up()

    restore()

    for row in books.store.environments("shop"):
        last = books.store.changes_since(row.environment.id, epoch=row.epoch, revision=row.revision - 1)[-1]
        assert (Action.NEW_EPOCH, "environment", row.environment.key) == (last.action, last.kind, last.key)
        assert ("restorer", "the disk broke") == (last.who, last.why)
        assert not last.publication.put_flags


def test_a_kill_outlives_the_restore(books: Any, back_up: Callable[[], None], restore: Restore) -> None:
    """What was killed after the backup is killed again, with a floor of its own; the other environment is not."""
    books.create()
    back_up()
    books.kill()

    done = restore()

    record = books.store.snapshot(books.id).flags["checkout"]
    assert (True, record.revision) == (record.killed, record.void_before)
    assert (KeptKill("shop", "production", "checkout"),) == done.kept.kills
    assert not books.store.settings("shop", "staging", "checkout").killed
    last = books.store.history("shop", "production", "checkout").items[0]
    assert (Action.KILL, "the disk broke") == (last.action, last.why)


def test_a_phase_number_does_not_come_twice(books: Any, back_up: Callable[[], None], restore: Restore) -> None:
    """Exposures of a phase that the restore has lost are known by its number; no other phase may take them over."""

    def phase_of(on: int) -> int:
        weights = [{"variant": "on", "weight": on}, {"variant": "off", "weight": 100_000 - on}]
        split = {"weights": weights, "coverage": 100_000, "salt": "s"}
        done = books.patch({"fallthrough": {"variant": None, "split": split}})
        return int(done.document.fallthrough.split.phase)

    books.create()
    first = phase_of(50_000)
    back_up()
    lost = [phase_of(60_000), phase_of(70_000)]

    restore()
    assert first == books.store.settings("shop", "production", "checkout").fallthrough.split.phase
    back_up()
    restore()
    assert phase_of(80_000) not in {first, *lost}


def test_a_kill_is_dropped_only_on_demand(books: Any, back_up: Callable[[], None], restore: Restore) -> None:
    """The one way back to a backup that was made before the kill."""
    books.create()
    back_up()
    books.kill()

    done = restore(keeps_kills=False)

    assert ((), False) == (done.kept.kills, books.store.settings("shop", "production", "checkout").killed)


def test_a_kill_of_a_flag_that_the_backup_does_not_know_is_over(
    books: Any, back_up: Callable[[], None], restore: Restore
) -> None:
    """There is nothing to kill, and nothing fails."""
    back_up()
    books.create()
    books.kill()

    assert () == restore().kept.kills


def test_a_revoked_token_stays_revoked(books: Any, back_up: Callable[[], None], restore: Restore) -> None:
    """Whoever stole it would get it back with the backup. One made since is not known any more."""
    made = books.store.create_token(name="a", role=Role.ADMIN, project="shop", environment=None)
    back_up()
    books.store.revoke_token(made.row.id)
    books.store.create_token(name="b", role=Role.ADMIN, project="shop", environment=None)

    done = restore()

    with pytest.raises(TokenRefused):
        books.store.token(made.secret)
    assert (1, 1) == (done.kept.revoked_token_count, done.kept.forgotten_token_count)


def test_a_revoked_override_stays_revoked_and_a_removed_signer_removed(
    books: Any, back_up: Callable[[], None], restore: Restore
) -> None:
    """Also one that the backup does not know: its token is still out there. Replicas are told, and the chain holds."""
    books.create(overridable=True)
    place = ("shop", "production")
    keys = [letter * 42 + "A" for letter in "AB"]
    for number, key in enumerate(keys):
        document = {"name": f"ops {number}", "use": "override", "key": key}
        books.store.put_signer(*place, key_id_of(key), document, if_match=None, by=BY)
    now_s = books.clock.at_ns // 10**9
    claims = {"signer": key_id_of(keys[0]), "flag": "checkout", "variant": "on", "unit_kind": "user", "unit_key": "7"}
    tested = claims | {"issued_s": now_s, "until_s": now_s + 3_600}
    books.store.put_override(*place, "known", tested, by=BY)
    back_up()
    books.store.put_override(*place, "since", tested, by=BY)
    for override in ("known", "since"):
        books.store.revoke_override(*place, override, by=BY)
    version = books.store.signer(*place, key_id_of(keys[1])).revision
    books.store.remove_signer(*place, key_id_of(keys[1]), if_match=version, by=BY)

    kept = restore().kept

    now = books.store.snapshot(books.id)
    assert ({"known", "since"}, {key_id_of(keys[0])}) == (set(now.revocations), set(now.signers))
    assert (2, 1) == (kept.revoked_override_count, kept.removed_signer_count)
    assert books.store.override(*place, "known").revoked_s is not None
    assert () == books.store.faults_of_log(books.id)
    again = restore().kept
    assert (2, 1) == (again.revoked_override_count, again.removed_signer_count)


def test_a_reconciled_break_glass_kill_stays_reconciled(
    books: Any, back_up: Callable[[], None], restore: Restore
) -> None:
    """Its token is still out there, and must not kill once more what has been unkilled since."""
    flag_id = books.create().document.id
    back_up()
    kill = BreakGlass(books.id, flag_id, "bg-1", books.clock.at_ns // 10**9 + 3_600)
    books.store.reconcile(kill, by=BY)
    books.unkill()
    held = books.store.snapshot(books.id).reconciled

    restore()

    assert held == books.store.snapshot(books.id).reconciled
    assert () == books.store.reconcile(kill, by=BY)
    assert not books.store.settings("shop", "production", "checkout").killed
    assert () == books.store.faults_of_log(books.id)


def test_what_was_carried_before_the_restore_decides_nothing(
    books: Any, back_up: Callable[[], None], restore: Restore, carrying: Any
) -> None:
    """Neither what the backup knew nor what was decided after it: all of it is of another epoch."""
    books.create(carry=True)
    back_up()
    old = carrying.entries(books.store.snapshot(books.id))
    books.patch({"fallthrough": {"variant": "on"}})
    lost = carrying.entries(books.store.snapshot(books.id))
    assert [("off", True), ("on", True)] == [
        carrying.asked(books.store.snapshot(books.id), entries) for entries in (old, lost)
    ]

    restore()

    restored = books.store.snapshot(books.id)
    assert [("off", False)] * 2 == [carrying.asked(restored, entries) for entries in (old, lost)]


def test_the_database_of_before_is_kept_beside(
    books: Any, path: Path, back_up: Callable[[], None], restore: Restore
) -> None:
    """Whole, as it was in that moment; two restores keep two."""
    books.create()
    back_up()
    books.create("since")

    first, second = restore(), restore()

    assert first.beside is not None
    assert first.beside.parent == path.parent
    assert first.beside != second.beside
    with closing(open_store(f"sqlite:///{first.beside}")) as kept:
        assert "since" == kept.flag("shop", "since").key


def test_the_backup_stays_as_it_is(books: Any, backup: Path, back_up: Callable[[], None], restore: Restore) -> None:
    """Byte for byte: it may be needed again."""
    books.create()
    back_up()
    before = backup.read_bytes()

    restore()

    assert before == backup.read_bytes()


def test_restore_where_no_database_is(books: Any, tmp_path: Path, backup: Path, back_up: Callable[[], None]) -> None:
    """A new machine: the folder is made, nothing is kept beside."""
    books.create()
    back_up()
    url = f"sqlite:///{tmp_path}/new/pennon.db"

    done = restore_backup(url, backup, by=BY, clock=books.clock)

    assert done.beside is None
    with closing(open_store(url)) as store:
        assert ("checkout", books.at().epoch + 1) == (
            store.flag("shop", "checkout").key,
            store.environment_by_id(books.id).epoch,
        )


def test_a_restore_that_fails_leaves_everything(
    books: Any, path: Path, restore: Restore, backup: Path, back_up: Callable[[], None]
) -> None:
    """A backup with a row that refers to nothing fails late: what stood before stands."""
    books.create()
    back_up()
    with closing(sqlite3.connect(backup)) as broken:
        broken.execute("UPDATE settings SET environment_id = 1 WHERE environment_id = ?", (books.id,))
        broken.commit()
    before = books.store.snapshot(books.id)

    with pytest.raises(SettingInvalid, match=r"backup\.db: FOREIGN KEY"):
        restore()

    assert before == books.store.snapshot(books.id)
    assert [] == list(path.parent.glob("*before*"))


def _database(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)


def test_what_is_no_backup_is_refused(books: Any, path: Path, backup: Path, restore: Restore) -> None:
    """By name, with what is wrong, and before anything is touched."""
    with pytest.raises(SettingInvalid, match=r"backup\.db: no such file"):
        restore()
    backup.write_text("not a database, but long enough to be read as one" * 100)
    with pytest.raises(SettingInvalid, match=r"backup\.db: file is not a database"):
        restore()
    backup.unlink()
    _database(backup, "CREATE TABLE mine (number INTEGER)")
    with pytest.raises(SettingInvalid, match=r"backup\.db is a database, but not one of pennon"):
        restore()
    with pytest.raises(SettingInvalid, match="is the database itself"):
        restore_backup(f"sqlite:///{path}", path, by=BY, clock=books.clock)
    assert [path.name] == [
        file.name for file in path.parent.glob("pennon.db*") if "before" in file.name or file == path
    ]


def test_a_broken_database_names_the_way_out(
    books: Any, path: Path, tmp_path: Path, backup: Path, back_up: Callable[[], None]
) -> None:
    """Its kills cannot be read; who restores over it has to say so by moving it away."""
    back_up()
    broken = tmp_path / "broken.db"
    broken.write_text("no database" * 1000)

    with pytest.raises(SettingInvalid, match=r"broken\.db: file is not a database; .* move the file away"):
        restore_backup(f"sqlite:///{broken}", backup, by=BY, clock=books.clock)


def test_a_plain_copy_of_the_file_is_a_backup_too(books: Any, path: Path, backup: Path, restore: Restore) -> None:
    """As people make them of a server that is not running."""
    books.create()
    books.store.close()
    shutil.copy(path, backup)

    assert 2 == len(restore().environments)


def test_a_restore_that_is_refused_leaves_no_folder(tmp_path: Path, backup: Path) -> None:
    """Neither for a backup that is none, nor for a database that is not there."""
    url = f"sqlite:///{tmp_path}/new/pennon.db"
    with pytest.raises(SettingInvalid, match="no such file"):
        restore_backup(url, backup, by=BY)
    with pytest.raises(SettingInvalid, match="no such file"):
        begin_epoch(url, by=BY)

    assert not (tmp_path / "new").exists()
