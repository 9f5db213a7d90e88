"""The hub and one reader's backlog, without sockets."""

import asyncio

from pennon.web.hub import Hub
from pennon.web.stream import Backlog


class Reader:
    """Keeps what it is written, up to a number of writes."""

    def __init__(self, *, takes: int = 1_000) -> None:
        self.got: list[bytes] = []
        self.takes = takes

    def write(self, data: bytes, *, is_urgent: bool = False) -> bool:
        """Take it, or refuse."""
        if len(self.got) >= self.takes:
            return False
        self.got.append(data)
        return True


def test_send_reaches_every_reader_with_the_same_object() -> None:
    """An event is encoded once: all readers get the very same bytes."""
    hub, readers = Hub(), [Reader() for _ in range(3)]
    for reader in readers:
        hub.attach(reader.write)
    event = b"event: ping\n\n"
    hub.send(event)
    assert [True] * 3 == [reader.got[0] is event for reader in readers]


def test_send_lets_a_reader_that_refuses_go_and_keeps_the_others() -> None:
    """One slow reader costs nobody else an event."""
    hub, slow, quick = Hub(), Reader(takes=1), Reader()
    hub.attach(slow.write)
    hub.attach(quick.write)
    lost = [hub.send(str(number).encode()) for number in range(3)]
    assert [0, 1, 0] == lost
    assert [b"0", b"1", b"2"] == quick.got
    assert 1 == len(hub)


def test_detach_twice_takes_nobody_else_out() -> None:
    """A stream may end from two sides at once."""
    hub, first, second = Hub(), Reader(), Reader()
    detach = hub.attach(first.write)
    detach()
    hub.attach(second.write)
    detach()
    hub.send(b"x")
    assert ([], [b"x"]) == (first.got, second.got)


def test_backlog_gives_what_is_urgent_before_what_waits() -> None:
    """A kill overtakes the deltas that have not left."""

    async def scenario() -> bytes:
        backlog = Backlog(limit_bytes=100, on_overflow=lambda: None)
        for data in (b"d1 ", b"d2 "):
            backlog.write(data)
        backlog.write(b"kill1 ", is_urgent=True)
        backlog.write(b"kill2 ", is_urgent=True)
        return await backlog.take()

    assert b"kill1 kill2 d1 d2 " == asyncio.run(scenario())


def test_backlog_over_its_bound_refuses_once_and_for_all() -> None:
    """The bound is on bytes, is exact, and the overflow is told once."""

    async def scenario() -> tuple[list[bool], int]:
        overflows: list[int] = []
        backlog = Backlog(limit_bytes=10, on_overflow=lambda: overflows.append(1))
        taken = [backlog.write(b"12345"), backlog.write(b"12345"), backlog.write(b"1"), backlog.write(b"")]
        return taken, len(overflows)

    assert ([True, True, False, False], 1) == asyncio.run(scenario())


def test_backlog_that_is_emptied_takes_any_number_of_bytes() -> None:
    """The bound is on what waits, not on what has ever passed."""

    async def scenario() -> bool:
        backlog = Backlog(limit_bytes=10, on_overflow=lambda: None)
        took = True
        for _ in range(20):
            took = took and backlog.write(b"1234567890")
            await backlog.take()
        return took

    assert asyncio.run(scenario())


def test_backlog_closed_gives_the_rest_then_its_end() -> None:
    """What waits at the app's own end still leaves."""

    async def scenario() -> list[bytes]:
        backlog = Backlog(limit_bytes=10, on_overflow=lambda: None)
        backlog.write(b"last")
        backlog.close()
        return [await backlog.take(), await backlog.take()]

    assert [b"last", b""] == asyncio.run(scenario())
