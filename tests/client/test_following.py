"""How a client follows its server: through cuts, silence, nonsense and refusals, answering all the while."""

import time
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

import pennon
from pennon.client import Change, Client, Notice, Status, Timing
from pennon.counters import Count, samples
from pennon.flags import PrerequisiteRecord
from pennon.sync import BreakGlass, Delta, Kill, Message, Put
from pennon.testing import ManualClock

Connect = Callable[..., Client]
Until = Callable[[Callable[[], object]], None]


def counted(name: Count, cause: str = "") -> int:
    """What a counter reads."""
    return sum(sample.total for sample in samples() if sample.name is name and sample.cause in {cause, ""})


def is_on(client: Client, flag: str = "checkout") -> bool:
    """What a flag of these tests answers; its default is what no ruleset here serves first."""
    return client.is_on(flag, unit="u", default=False)


@pytest.fixture
def followed(server: Any, connect: Connect, make: Any) -> tuple[Client, Any]:
    """A client that is READY with `checkout` on, and its stream."""
    client = connect()
    stream = server.accept()
    stream.send(make.ruleset(make.flag()))
    assert client.wait_ready(60)
    return client, stream


def test_client_is_ready_with_the_first_snapshot(server: Any, connect: Connect, make: Any, until: Until) -> None:
    """Before it the default, after it the ruleset."""
    client = connect()
    assert (Status.NOT_READY, False) == (client.status, is_on(client))
    server.accept().send(make.ruleset(make.flag()))
    assert client.wait_ready(60)
    until(lambda: client.status is Status.READY)
    assert (True, "following the stream") == (is_on(client), client.status_detail)


def test_client_sends_its_token_and_asks_for_a_stream(server: Any, connect: Connect) -> None:
    """What the server is asked with."""
    connect()
    headers = server.accept().headers
    expected = ("Bearer pn_sdk_test", "text/event-stream", None)
    assert expected == (headers["authorization"], headers["accept"], headers.get("last-event-id"))


def test_wait_ready_ends_without_a_server_in_time(connect: Connect) -> None:
    """False after the timeout, and the detail says why."""
    client = connect("http://127.0.0.1:9")
    assert not client.wait_ready(0.2)
    assert client.status_detail.startswith("cannot reach the server")


def test_delta_changes_the_next_answer(followed: tuple[Client, Any], make: Any, until: Until) -> None:
    """One swap, and the shortest path is not left behind."""
    client, stream = followed
    assert [True, True] == [is_on(client), is_on(client)]
    stream.send(Delta(7, 1, 1, 2, Put(flags={"checkout": make.flag(serve="off", revision=2)})))
    until(lambda: not is_on(client))


def test_kill_reaches_the_next_answer(followed: tuple[Client, Any], until: Until) -> None:
    """The overlay is obeyed before any delta says so."""
    client, stream = followed
    assert is_on(client)
    stream.send(Kill(7, 1, 10, 2))
    until(lambda: client.decision("checkout", unit="u").reason is pennon.Reason.KILLED)
    assert not is_on(client)


def test_cut_stream_makes_it_stale_and_it_resumes_where_it_stands(
    server: Any, followed: tuple[Client, Any], make: Any, until: Until
) -> None:
    """It answers on, connects again with Last-Event-ID, and is READY at the first sign of life."""
    client, stream = followed
    notices: list[Notice] = []
    client.listen(notices.append)
    stream.cut()
    again = server.accept()
    assert ("1.1", True) == (again.headers["last-event-id"], is_on(client))
    assert Status.STALE is client.status
    again.send(make.Ping())
    until(lambda: client.status is Status.READY)
    # It is so a moment before anybody is told.
    until(lambda: len(notices) == 2)
    assert [Change.STALE, Change.READY] == [notice.change for notice in notices]


def test_silence_makes_it_stale_and_it_connects_again(server: Any, connect: Connect, make: Any, until: Until) -> None:
    """A connection that is cut without a word is found out by the missing pings."""
    # Each stream begins with it, so that one which a slow machine has let go silent too soon is followed by the next.
    server.greeting = (make.ruleset(make.flag()),)
    client = connect(silence_s=0.1)
    notices: list[Notice] = []
    client.listen(notices.append)
    until(lambda: Change.STALE in [notice.change for notice in notices])
    stale = next(at for at, notice in enumerate(notices) if notice.change is Change.STALE)
    assert ("the server has gone silent", True) == (notices[stale].detail, is_on(client))
    until(lambda: Change.READY in [notice.change for notice in notices[stale:]])


def test_pings_keep_a_quiet_stream_alive(server: Any, connect: Connect, make: Any, until: Until) -> None:
    """Many times the silence that is allowed passes on one connection."""
    silence_s = 0.3
    server.greeting = (make.ruleset(make.flag()),)
    client = connect(silence_s=silence_s)
    # A machine that stands still for longer has not pinged in time: then nothing is shown, and the next stream is.
    while not has_pinged(server.accept(), make.Ping(), for_s=4 * silence_s, at_least_every_s=silence_s / 2):
        pass
    assert (Status.READY, True) == (client.status, server.has_no_stream())


def has_pinged(stream: Any, ping: Message, *, for_s: float, at_least_every_s: float) -> bool:
    """Ping a stream from its beginning; False, and it is cut, if there was a longer pause than that."""
    tick, last_s = Event(), stream.opened_s
    while last_s < stream.opened_s + for_s:
        tick.wait(0.005)
        now_s = time.monotonic()
        if now_s > last_s + at_least_every_s:
            stream.cut()
            return False
        stream.send(ping)
        last_s = now_s
    return True


@pytest.mark.parametrize(
    "nonsense",
    [
        b"event: snapshot\ndata: {\n\n",
        b"event: delta\nid: 1.2\ndata: {}\n\n",
        b'event: kill\ndata: {"flag": "checkout"}\n\n',
        b"event: snapshot\ndata: \xff\xfe\n\n",
    ],
)
def test_nonsense_is_survived_with_the_last_ruleset(
    server: Any, followed: tuple[Client, Any], make: Any, until: Until, nonsense: bytes
) -> None:
    """It stays with what it has, is STALE, and asks for a snapshot instead of resuming."""
    client, stream = followed
    before = counted(Count.STREAM_FAILURES, "nonsense")
    stream.send_raw(nonsense)
    again = server.accept()
    assert None is again.headers.get("last-event-id")
    assert (Status.STALE, True) == (client.status, is_on(client))
    assert before + 1 == counted(Count.STREAM_FAILURES, "nonsense")
    again.send(make.ruleset(make.flag(serve="off", revision=2), revision=2))
    until(lambda: client.status is Status.READY)
    assert not is_on(client)


def test_unknown_event_is_passed_over(followed: tuple[Client, Any], make: Any, until: Until) -> None:
    """A later server may say more."""
    client, stream = followed
    stream.send_raw(b'event: journey\ndata: {"a": 1}\n\n')
    stream.send(Kill(7, 1, 10, 2))
    until(lambda: not is_on(client))
    assert Status.READY is client.status


def test_messages_split_over_many_writes_are_read(followed: tuple[Client, Any], make: Any, until: Until) -> None:
    """A network cuts anywhere."""
    client, stream = followed
    for byte in b'event: kill\ndata: {"environment":7,"epoch":1,"flag":10,"revision":2}\n\n':
        stream.send_raw(bytes([byte]))
    until(lambda: not is_on(client))


def test_gap_fetches_a_snapshot_beside_the_stream(
    server: Any, followed: tuple[Client, Any], make: Any, until: Until
) -> None:
    """The stream goes on; what was missed comes whole."""
    client, stream = followed
    server.ruleset = make.ruleset(make.flag(serve="off", revision=9), revision=9)
    stream.send(Delta(7, 1, 5, 6))
    until(lambda: not is_on(client))
    assert (Status.READY, True) == (client.status, server.has_no_stream())


def test_resync_that_fails_is_tried_again(server: Any, followed: tuple[Client, Any], make: Any, until: Until) -> None:
    """A gap is not forgotten because one request went wrong."""
    client, stream = followed
    server.ruleset = make.ruleset(make.flag(serve="off", revision=9), revision=9)
    server.script("/v1/sdk/ruleset", make.Reply(503), make.Reply(200, {"content-type": "application/json"}, b"{"))
    stream.send(Delta(7, 1, 5, 6))
    until(lambda: not is_on(client))
    assert 3 == len(server.seen_at("/v1/sdk/ruleset"))


def test_refused_token_is_said_and_tried_again(server: Any, connect: Connect, make: Any, until: Until) -> None:
    """401 is an ERROR once, whatever often it is answered; a token that becomes good makes the client READY."""
    server.script("/v1/sdk/stream", *[make.Reply(401)] * 5)
    client = connect()
    notices: list[Notice] = []
    client.listen(notices.append)
    stream = server.accept()
    assert "the server answered 401 Unauthorized" == client.status_detail
    assert [] == server.seen_at("/v1/sdk/ruleset")
    stream.send(make.ruleset(make.flag()))
    until(lambda: Change.READY in [notice.change for notice in notices])
    assert [Change.READY] == [notice.change for notice in notices if notice.change is not Change.ERROR]
    assert 1 >= len([notice for notice in notices if notice.change is Change.ERROR])


@pytest.mark.parametrize("reply", [("text/html", b"<p>Welcome</p>"), ("application/json", b"{}")])
def test_answer_that_is_no_stream_is_nonsense(
    server: Any, connect: Connect, make: Any, until: Until, reply: tuple[str, bytes]
) -> None:
    """A captive portal, a wrong port: said so, and tried again."""
    server.script("/v1/sdk/stream", make.Reply(200, {"content-type": reply[0]}, reply[1]))
    client = connect(base_s=60.0, cap_s=60.0)
    until(lambda: client.status_detail != "connecting")
    assert f"the server answered '{reply[0]}', not 'text/event-stream'" == client.status_detail


def test_retry_after_is_honoured(server: Any, connect: Connect, make: Any, until: Until) -> None:
    """A server that asks for an hour is left alone, although the backoff would be milliseconds."""
    server.script("/v1/sdk/stream", make.Reply(429, {"retry-after": "3600"}))
    client = connect()
    until(lambda: client.status_detail == "the server answered 429 Too Many Requests")
    assert not client.wait_ready(0.3)
    assert 1 == len(server.seen_at("/v1/sdk/stream"))


def test_retry_after_is_capped(server: Any, connect: Connect, make: Any) -> None:
    """A server that asks for a century is asked again all the same."""
    server.script("/v1/sdk/stream", make.Reply(503, {"retry-after": "999999999"}))
    client = connect(retry_after_cap_s=0.01)
    server.accept().send(make.ruleset(make.flag()))
    assert client.wait_ready(60)


def test_streams_that_fail_again_and_again_are_replaced_by_polls(
    server: Any, connect: Connect, make: Any, until: Until
) -> None:
    """Where no stream gets through the client is READY all the same, and sees changes."""
    server.ruleset = make.ruleset(make.flag())
    server.script_for_ever("/v1/sdk/stream", make.Reply(502))
    client = connect()
    until(lambda: client.status is Status.READY)
    assert (True, "polling") == (is_on(client), client.status_detail)
    server.ruleset = make.ruleset(make.flag(serve="off", revision=2), revision=2)
    until(lambda: not is_on(client))
    etags = {seen.headers.get("if-none-match") for seen in server.seen_at("/v1/sdk/ruleset")}
    assert {None, '"1.1"'} <= etags


def test_stream_is_taken_up_again_after_polling(server: Any, connect: Connect, make: Any, until: Until) -> None:
    """Polls are beside the attempts, not instead of them."""
    server.ruleset = make.ruleset(make.flag())
    server.script("/v1/sdk/stream", *[make.Reply(502)] * 6)
    client = connect()
    server.accept().send(make.Ping())
    until(lambda: client.status_detail == "following the stream")
    assert Status.READY is client.status


def test_server_that_comes_late_is_found(server: Any, connect: Connect, make: Any, until: Until) -> None:
    """Down at the start is no different from down later."""
    server.script("/v1/sdk/stream", *[make.Reply(503)] * 2)
    client = connect()
    assert not is_on(client)
    server.accept().send(make.ruleset(make.flag()))
    until(lambda: is_on(client))


def test_short_lived_streams_are_backed_off(server: Any, connect: Connect, make: Any, until: Until) -> None:
    """A server that takes connections and drops them does not count as a success."""
    client = connect(base_s=0.001, cap_s=3600.0)
    server.ruleset = make.ruleset(make.flag())
    for _ in range(6):
        stream = server.accept()
        stream.send(make.ruleset(make.flag()))
        stream.cut()
    until(lambda: client._link is not None and client._link._follower._failed_count >= 6)


def test_changed_flags_are_told(followed: tuple[Client, Any], make: Any, until: Until) -> None:
    """A delta's own flags, a kill's, for a snapshot those that differ."""
    client, stream = followed
    notices: list[Notice] = []
    client.listen(notices.append)
    stream.send(Delta(7, 1, 1, 2, Put(flags={"new": make.flag("new", id=11, revision=2)})))
    stream.send(make.ruleset(make.flag(), make.flag("new", id=11, serve="off", revision=3), revision=3))
    stream.send(Kill(7, 1, 10, 4))
    until(lambda: len(notices) == 3)
    assert [("new",), ("new",), ("checkout",)] == [notice.flags for notice in notices]


def test_flags_that_need_a_changed_one_are_told_with_it(followed: tuple[Client, Any], make: Any, until: Until) -> None:
    """At any remove, for a delta, a snapshot and a kill; their answers may have changed as well."""
    client, stream = followed
    top = make.flag("top", id=12, prerequisites=(PrerequisiteRecord("middle", ("on",)),))
    middle = make.flag("middle", id=11, prerequisites=(PrerequisiteRecord("checkout", ("on",)),))
    stream.send(make.ruleset(make.flag(), middle, top, make.flag("other", id=13), revision=2))
    until(lambda: is_on(client, "top"))
    notices: list[Notice] = []
    client.listen(notices.append)
    stream.send(Delta(7, 1, 2, 3, Put(flags={"checkout": make.flag(revision=3)})))
    changed = make.flag("middle", id=11, revision=4)
    stream.send(make.ruleset(make.flag(revision=3), changed, top, make.flag("other", id=13), revision=4))
    stream.send(Kill(7, 1, 11, 5))
    until(lambda: len(notices) == 3)
    expected = [("checkout", "middle", "top"), ("middle", "top"), ("middle", "top")]
    assert expected == [notice.flags for notice in notices]


def test_break_glass_kill_ends_when_its_time_is_over(
    server: Any, make: Any, timing: Callable[..., Timing], until: Until
) -> None:
    """Nobody says so: the client looks at its clock."""
    clock = ManualClock()
    until_s = clock.now_ns() // 1_000_000_000 + 60
    with pennon.connect(server.url, token="t", timing=timing(), clock=clock) as client:
        stream = server.accept()
        stream.send(make.ruleset(make.flag()))
        assert client.wait_ready(60)
        notices: list[Notice] = []
        client.listen(notices.append)
        stream.send(BreakGlass(7, 10, "incident-1", until_s))
        until(lambda: not is_on(client))
        clock.advance(59)
        stream.send(Delta(7, 1, 1, 2, Put(flags={"new": make.flag("new", id=11, revision=2)})))
        until(lambda: is_on(client, "new"))
        assert not is_on(client)
        clock.advance(1)
        until(lambda: is_on(client))
        until(lambda: len(notices) == 3)
    assert [("checkout",), ("new",), None] == [notice.flags for notice in notices]


def test_break_glass_kill_ends_on_time_however_seldom_anything_is_sent(
    server: Any, make: Any, timing: Callable[..., Timing], until: Until
) -> None:
    """Also without a stream: the client waits until its end, not until the next flush."""
    clock = ManualClock()
    seldom = timing(flush_s=3600.0, resync_s=3600.0)
    with pennon.connect(server.url, token="t", timing=seldom, clock=clock) as client:
        stream = server.accept()
        stream.send(make.ruleset(make.flag()))
        assert client.wait_ready(60)
        until_s = clock.now_ns() // 1_000_000_000 + 2
        stream.send(BreakGlass(7, 10, "incident-1", until_s), BreakGlass(7, 10, "incident-2", until_s - 1))
        until(lambda: not is_on(client))
        stream.cut()
        # By its clock the first to end does so in a second, so it looks again within each second of ours.
        clock.advance(1)
        until(lambda: ["incident-1"] == [kill.id for kill in client._state.replica.emergencies.values()])
        assert not is_on(client)
        clock.advance(1)
        until(lambda: is_on(client))


def test_listener_that_raises_does_not_stop_the_client(followed: tuple[Client, Any], until: Until) -> None:
    """It is the user's code, and the follower's thread."""
    client, stream = followed

    def fail(_: Notice) -> None:
        raise RuntimeError("the user's fault")

    client.listen(fail)
    stream.send(Kill(7, 1, 10, 2))
    until(lambda: not is_on(client))
    assert Status.READY is client.status


def test_listener_that_was_forgotten_hears_nothing(followed: tuple[Client, Any], until: Until) -> None:
    """`listen` gives back how to end it."""
    client, stream = followed
    heard: list[Notice] = []
    forget = client.listen(heard.append)
    forget()
    stream.send(Kill(7, 1, 10, 2))
    until(lambda: not is_on(client))
    assert [] == heard
