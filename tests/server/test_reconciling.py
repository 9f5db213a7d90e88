"""From a break-glass kill to the kill in the numbering: whatever is read together, no replica serves the variant."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennon.clock import SYSTEM_CLOCK
from pennon.control import Author
from pennon.server.events import delta_of, kills_of
from pennon.store import open_store
from pennon.sync import EMPTY, BreakGlass, Effect, Replica, receive

BY = Author("test")

# What authors do to the flag and beside it before and after it is reconciled; after it nobody takes the kill back.
BEFORE = st.lists(st.sampled_from(("edit", "other", "kill", "unkill", "archive and back")), max_size=4)
AFTER = st.lists(st.sampled_from(("edit", "other", "kill")), max_size=3)


class Authors:
    """One environment with the flag `f`, which is on."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.id: int = store.create_project("default", environments=["production"])[0].environment.id
        variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
        for key in ("f", "g"):
            store.create_flag("default", {"key": key, "type": "boolean", "variants": variants}, by=BY)
            self.patch(key, {"fallthrough": {"variant": "on"}})

    def patch(self, flag: str, patch: object) -> None:
        """Of settings."""
        version = self.store.settings("default", "production", flag).revision
        self.store.update_settings("default", "production", flag, patch, if_match=version, by=BY)

    def do(self, deed: str, number: int) -> None:
        """One deed."""
        match deed:
            case "edit" | "other":
                clause = {"op": "equals", "attribute": "plan", "value": "pro"}
                rules = [{"id": f"r{number}", "clauses": [clause], "serve": {"variant": "on"}}]
                self.patch("f" if deed == "edit" else "g", {"rules": rules})
            case "kill" | "unkill":
                getattr(self.store, deed)("default", "f", environment="production", by=BY)
            case _:
                for archived in (True, False):
                    version = self.store.flag("default", "f").version
                    self.store.update_flag("default", "f", {"archived": archived}, if_match=version, by=BY)


@pytest.mark.slow
@given(before=BEFORE, after=AFTER, data=st.data())
@settings(max_examples=30, deadline=None)
def test_no_batching_of_changes_serves_the_variant_between_the_two_kills(
    before: list[str], after: list[str], data: st.DataObject
) -> None:
    """As a feed reads and sends: any batches, a newcomer's snapshot of any age, the emergency in front."""
    with TemporaryDirectory() as folder, closing(open_store(f"sqlite:///{Path(folder)}/pennon.db")) as store:
        authors = Authors(store)
        snapshots = [store.snapshot(authors.id)]
        until_s = SYSTEM_CLOCK.now_ns() // 10**9 + 3_600
        kill = BreakGlass(authors.id, store.flag("default", "f").id, "bg-1", until_s)
        for number, deed in enumerate((*before, "reconcile", *after)):
            if deed == "reconcile":
                store.reconcile(kill, by=Author("break-glass"))
            else:
                authors.do(deed, number)
            snapshots.append(store.snapshot(authors.id))
        begun = data.draw(st.sampled_from(snapshots), label="snapshot")
        rows = store.changes_since(authors.id, epoch=begun.epoch, revision=begun.revision, limit=1_000)
    assert rows is not None

    replica = _told(EMPTY, kill, begun)
    while rows:
        count = data.draw(st.integers(1, len(rows)), label="batch")
        batch, rows = rows[:count], rows[count:]
        is_merged = data.draw(st.booleans(), label="merged")
        deltas = [delta_of(batch)] if is_merged else [delta_of([row]) for row in batch]
        for message in (*kills_of(batch), *deltas, kill):
            replica = _told(replica, message)
    assert replica.ruleset is not None
    assert ({"bg-1"}, {}) == (set(replica.ruleset.reconciled), dict(replica.emergencies))
    assert replica.ruleset.records["f"].killed


def _told(replica: Replica, *messages: Any) -> Replica:
    """The replica after these; the variant is never served, and nothing is missed."""
    for message in messages:
        replica, effect = receive(replica, message)
        assert effect is not Effect.RESYNC
        flag = None if replica.ruleset is None else replica.ruleset.flag("f")
        answer = None if flag is None else flag.answer("7", {}, {"user": "7"})
        assert answer is None or "off" == answer.variant
    return replica


def test_other_flags_are_served_all_the_while(new_store: Any) -> None:
    """The emergency is one flag's."""
    authors = Authors(new_store)
    kill = BreakGlass(authors.id, new_store.flag("default", "f").id, "bg-1", 2**40)
    replica, _ = receive(EMPTY, kill)
    replica, _ = receive(replica, new_store.snapshot(authors.id))
    assert replica.ruleset is not None
    flags = [replica.ruleset.flag(key) for key in ("f", "g")]
    assert ["off", "on"] == [flag.answer("7", {}, {"user": "7"}).variant for flag in flags if flag is not None]
