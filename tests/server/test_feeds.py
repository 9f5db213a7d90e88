"""All feeds together: pings, a store that fails for a while, the end."""

import asyncio
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from pennon.control import Author
from pennon.server.feeds import PING_S, Feeds
from pennon.server.snapshots import Snapshots
from pennon.sync import Ping, encode_message
from pennon.web import Lane


class Reader:
    """Keeps what it gets and says when."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.arrived = asyncio.Event()
        self.is_closed = False

    def write(self, data: bytes, *, is_urgent: bool = False) -> bool:
        """Keep it."""
        self.got.append(data)
        self.arrived.set()
        return True

    def close(self) -> None:
        """The app's own end."""
        self.is_closed = True


def feeds_over(store: Any, *, ping_s: float = PING_S) -> Feeds:
    """Feeds with a lane of their own."""
    lane = Lane(threads=1)
    return Feeds(store, lane=lane, snapshots=Snapshots(store, lane), ping_s=ping_s)


def test_ping_comes_often_enough_for_the_promise() -> None:
    """Clients are promised a sign of life every 5 s."""
    assert PING_S < 5


def test_ping_reaches_every_reader(new_store: Any) -> None:
    """An idle stream is not a dead one."""
    environment = new_store.create_project("default", environments=["production"])[0].environment.id

    async def scenario() -> bytes:
        async with feeds_over(new_store, ping_s=0.001) as feeds:
            reader = Reader()
            await feeds.feed(environment).open(None, reader.write, reader.close)
            await asyncio.wait_for(reader.arrived.wait(), 60)
            return reader.got[0]

    assert encode_message(Ping()) == asyncio.run(scenario())


def test_stream_outlives_a_store_that_fails(new_store: Any) -> None:
    """A read that raises costs the stream nothing; the next wake brings what was missed."""
    environment = new_store.create_project("default", environments=["production"])[0].environment.id

    class Failing:
        """The store, whose change log fails once."""

        failures = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(new_store, name)

        def changes_since(self, *arguments: Any, **named: Any) -> Any:
            """Fail, then read."""
            if self.failures < 1:
                self.failures += 1
                raise OSError("disk")
            return new_store.changes_since(*arguments, **named)

    async def scenario() -> int:
        store = Failing()
        async with feeds_over(store) as feeds:
            reader, feed = Reader(), feeds.feed(environment)
            await feed.open(None, reader.write, reader.close)
            document = {"key": "f", "type": "boolean", "variants": [{"key": "on", "value": True}]}
            feeds.wake(new_store.create_flag("default", document, by=Author("test")).changes)
            await asyncio.wait_for(reader.arrived.wait(), 60)
            return store.failures

    assert 1 == asyncio.run(scenario())


def test_close_ends_every_stream_and_opens_no_new_one(new_store: Any) -> None:
    """Who comes during the shutdown is sent elsewhere."""
    environment = new_store.create_project("default", environments=["production"])[0].environment.id

    async def scenario() -> tuple[bool, int]:
        async with feeds_over(new_store) as feeds:
            reader = Reader()
            await feeds.feed(environment).open(None, reader.write, reader.close)
            feeds.close()
            with pytest.raises(HTTPException) as refused:
                feeds.feed(environment)
            return reader.is_closed, refused.value.status_code

    assert (True, 503) == asyncio.run(scenario())


def test_change_of_another_process_is_found_without_a_wake(new_store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wakes this process when another one has written; the poll does."""
    monkeypatch.setattr("pennon.server.feed.POLL_S", 0.001)
    environment = new_store.create_project("default", environments=["production"])[0].environment.id

    async def scenario() -> bytes:
        async with feeds_over(new_store) as feeds:
            reader = Reader()
            await feeds.feed(environment).open(None, reader.write, reader.close)
            document = {"key": "f", "type": "boolean", "variants": [{"key": "on", "value": True}]}
            new_store.create_flag("default", document, by=Author("test"))
            await asyncio.wait_for(reader.arrived.wait(), 60)
            return reader.got[0]

    assert asyncio.run(scenario()).startswith(b"event: delta\n")
