"""A restore under a running server: its streams, and the clients that follow them."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import pennon
from pennon.control import Author
from pennon.server import create_app
from pennon.store import restore_backup
from pennon.sync import EMPTY, Effect, receive

BY = Author("restorer")


@pytest.fixture
def own_plane(new_store: Any, serving: Callable[[Any], Any], plane_over: Callable[[str, Any], Any]) -> Iterator[Any]:
    """A control plane whose database is this test's own."""
    with serving(create_app(new_store)) as url:
        yield plane_over(url, new_store)


@pytest.fixture
def restore(tmp_path: Path, own_plane: Any) -> Callable[[], None]:
    """Puts the database back to how this fixture found it, as a process of its own would."""
    path, backup = tmp_path / "own.db", tmp_path / "backup.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)

    def run() -> None:
        restore_backup(f"sqlite:///{path}", backup, by=BY)

    return run


def test_a_new_epoch_ends_streams_and_the_next_is_a_snapshot_of_it(own_plane: Any) -> None:
    """Begun by another process: who comes back with the old position is not told that nothing happened."""
    flag = own_plane.flag()
    with own_plane.stream() as events:
        _, snapshot, position = next(events)
        replica, _ = receive(EMPTY, snapshot)
        own_plane.store.begin_epoch(None, by=BY)
        assert [] == list(events)

    with own_plane.stream(after=position) as events:
        name, fresh, _ = next(events)
        replica, effect = receive(replica, fresh)
        revision = own_plane.patch(flag, on=False)
        replica, followed = receive(replica, next(events)[1])

    assert ("snapshot", Effect.APPLIED, Effect.APPLIED) == (name, effect, followed)
    assert replica.ruleset is not None
    assert (snapshot.epoch + 1, revision) == (replica.ruleset.epoch, replica.ruleset.revision)


def test_a_restore_reaches_a_replica_that_was_ahead(own_plane: Any, restore: Callable[[], None]) -> None:
    """Its revision is higher than the restored one; the epoch is what counts."""
    flag = own_plane.flag()
    for is_on in (False, True, False):
        own_plane.patch(flag, on=is_on)
    with own_plane.stream() as events:
        _, snapshot, position = next(events)
        replica, _ = receive(EMPTY, snapshot)
        restore()
        assert [] == list(events)

    with own_plane.stream(after=position) as events:
        replica, effect = receive(replica, next(events)[1])

    assert replica.ruleset is not None
    assert (Effect.APPLIED, snapshot.epoch + 1) == (effect, replica.ruleset.epoch)
    assert replica.ruleset.revision < snapshot.revision
    assert replica.ruleset.flag(flag) is None


def test_a_ruleset_fetched_after_a_restore_is_the_restored_one(own_plane: Any, restore: Callable[[], None]) -> None:
    """What the server has encoded before is not served again."""
    own_plane.flag()
    before = own_plane.sdk.get("/v1/sdk/ruleset")
    restore()

    after = own_plane.sdk.get("/v1/sdk/ruleset", headers={"if-none-match": before.headers["etag"]})

    assert (200, before.json()["epoch"] + 1, {}) == (after.status_code, after.json()["epoch"], after.json()["flags"])


def test_a_client_follows_into_the_new_epoch(
    own_plane: Any, tmp_path: Path, until: Callable[[Callable[[], object]], None]
) -> None:
    """The SDK, over its stream, without being told anything."""
    flag = own_plane.flag()
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(tmp_path / "own.db")) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    own_plane.patch(flag, fallthrough={"variant": "on"})
    with pennon.connect(own_plane.url, token=own_plane.sdk_tokens["production"]) as client:
        assert client.wait_ready(60)
        assert client.is_on(flag, unit="u", default=False)

        restore_backup(f"sqlite:///{tmp_path}/own.db", backup, by=BY)

        until(lambda: not client.is_on(flag, unit="u", default=True))
