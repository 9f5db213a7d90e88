"""Streams over real HTTP: opening, deltas, kills, resume."""

from typing import Any

import pytest

from pennon.sync import EMPTY, receive


def test_stream_opens_with_a_snapshot_then_gets_deltas(plane: Any) -> None:
    """A newcomer has the whole ruleset, then each change, numbered without gaps."""
    flag = plane.flag()
    with plane.stream() as events:
        name, snapshot, position = next(events)
        assert ("snapshot", f"{snapshot.epoch}.{snapshot.revision}") == (name, position)
        revisions = [plane.patch(flag, on=is_on) for is_on in (False, True)]
        deltas = [next(events) for _ in revisions]
    assert ["delta", "delta"] == [name for name, _, _ in deltas]
    assert [(snapshot.revision, revisions[0]), tuple(revisions)] == [
        (delta.from_revision, delta.to_revision) for _, delta, _ in deltas
    ]
    assert [False, True] == [delta.put.flags[flag].on for _, delta, _ in deltas]


def test_stream_gets_only_its_environment(plane: Any) -> None:
    """An edit in staging is nothing to production."""
    flag = plane.flag()
    with plane.stream() as production, plane.stream(environment="staging") as staging:
        next(production), next(staging)
        plane.patch(flag, "staging", on=False)
        last = plane.patch(flag, on=False)
        assert "delta" == next(staging)[0]
        assert last == next(production)[1].to_revision


def test_stream_says_kill_before_the_delta_that_holds_it(plane: Any) -> None:
    """The overlay comes first, outside the numbering; the delta makes it last."""
    flag = plane.flag()
    with plane.stream() as events:
        _, snapshot, _ = next(events)
        plane.admin.put(plane.settings(flag) + "/kill")
        (first, kill, kill_id), (second, delta, delta_id) = next(events), next(events)
    assert ("kill", None, "delta") == (first, kill_id, second)
    assert (snapshot.flags[flag].id, delta.to_revision) == (kill.flag, kill.revision)
    assert (True, f"{delta.epoch}.{delta.to_revision}") == (delta.put.flags[flag].killed, delta_id)


def test_stream_says_unkill_by_delta_alone(plane: Any) -> None:
    """Taking a kill back is an ordinary change."""
    flag = plane.flag()
    plane.admin.put(plane.settings(flag) + "/kill")
    with plane.stream() as events:
        next(events)
        plane.admin.delete(plane.settings(flag) + "/kill")
        name, delta, _ = next(events)
    assert ("delta", False) == (name, delta.put.flags[flag].killed)


def test_resume_gets_what_was_missed_and_no_snapshot(plane: Any) -> None:
    """Last-Event-ID says where the reader stands; it gets the changes after that."""
    flag = plane.flag()
    with plane.stream() as events:
        _, _, position = next(events)
    missed = [plane.patch(flag, on=is_on) for is_on in (False, True, False)]
    with plane.stream(after=position) as events:
        name, delta, _ = next(events)
        revisions = [delta.to_revision]
        while revisions[-1] < missed[-1]:
            name, delta, _ = next(events)
            revisions.append(delta.to_revision)
    assert ("delta", False) == (name, delta.put.flags[flag].on)


def test_resume_with_a_kill_among_the_missed_hears_it_first(plane: Any) -> None:
    """A reader that was away learns of the kill before it reads all else it missed."""
    flag = plane.flag()
    with plane.stream() as events:
        _, _, position = next(events)
    for is_on in (False, True):
        plane.patch(flag, on=is_on)
    plane.admin.put(plane.settings(flag) + "/kill")
    with plane.stream(after=position) as events:
        assert "kill" == next(events)[0]


def test_resume_from_where_the_log_ends_gets_no_more_than_what_comes(plane: Any) -> None:
    """Nothing was missed: no snapshot, no delta; then the next change."""
    flag = plane.flag()
    with plane.stream() as events:
        _, _, position = next(events)
    with plane.stream(after=position) as events:
        revision = plane.patch(flag, on=False)
        name, delta, _ = next(events)
    assert ("delta", revision) == (name, delta.to_revision)


@pytest.mark.parametrize("after", ["nonsense", "1.1", "99999999.1", "{epoch}.99999999", "", "é.1"])
def test_resume_from_nowhere_gets_a_snapshot(plane: Any, after: str) -> None:
    """Not ours, another epoch, the future: the reader starts anew."""
    epoch = plane.store.environment("default", "production").epoch
    with plane.stream(after=after.format(epoch=epoch)) as events:
        assert "snapshot" == next(events)[0]


def test_newcomers_replica_agrees_with_the_ruleset_whenever_it_came(plane: Any) -> None:
    """A snapshot made earlier plus what went out since is what the store has now."""
    flags = [plane.flag() for _ in range(3)]
    with plane.stream() as first:
        next(first)
        for round_ in range(4):
            for flag in flags:
                plane.patch(flag, on=bool(round_ % 2))
            plane.admin.put(plane.settings(flags[0]) + "/kill")
            plane.admin.delete(plane.settings(flags[0]) + "/kill")
            assert _followed_until_current(plane) == plane.sdk.get("/v1/sdk/ruleset").json()["revision"]


def test_stream_that_accepts_no_events_is_406(plane: Any) -> None:
    """It offers text/event-stream alone."""
    assert 406 == plane.sdk.get("/v1/sdk/stream", headers={"accept": "application/json"}).status_code


def _followed_until_current(plane: Any) -> int:
    """The revision a new replica reaches by following the stream up to what the server has now."""
    target = plane.sdk.get("/v1/sdk/ruleset").json()["revision"]
    replica = EMPTY
    with plane.stream() as events:
        for _, message, _ in events:
            replica, _ = receive(replica, message)
            if replica.ruleset is not None and replica.ruleset.revision >= target:
                return replica.ruleset.revision
    raise AssertionError("the stream ended before the replica was current")
