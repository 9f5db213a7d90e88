"""All feeds of this process: one per environment that anybody has asked for."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any, Final, Self

from starlette.exceptions import HTTPException

from pennon.control import ChangeRow, Store
from pennon.server.feed import Feed
from pennon.server.snapshots import Snapshots
from pennon.sync import BreakGlass
from pennon.web import Lane

# Clients call a stream dead after 10 s of silence and are promised a sign of life every 5 s; one second of slack.
PING_S: Final = 4.0


class Feeds:
    """Runs inside `async with`; afterwards every stream has been closed.

    emergencies: the events of an environment's break-glass kills that hold.
    """

    def __init__(
        self,
        store: Store,
        *,
        lane: Lane,
        snapshots: Snapshots,
        emergencies: Callable[[int], bytes] = lambda _: b"",
        ping_s: float = PING_S,
    ) -> None:
        self._store = store
        self._lane = lane
        self._snapshots = snapshots
        self._emergencies = emergencies
        self._ping_s = ping_s
        self._feeds: dict[int, Feed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_closing = False

    @property
    def reader_count(self) -> int:
        """Streams that are open now."""
        return sum(len(feed.hub) for feed in self._feeds.values())

    def feed(self, environment_id: int) -> Feed:
        """The environment's feed. Raises: HTTPException 503 while closing."""
        if self.is_closing:
            raise HTTPException(503, "this server is shutting down", {"retry-after": "1"})
        feed = self._feeds.get(environment_id)
        if feed is None:
            feed = Feed(
                environment_id,
                store=self._store,
                lane=self._lane,
                snapshots=self._snapshots,
                emergencies=lambda: self._emergencies(environment_id),
            )
            self._feeds[environment_id] = feed
            self._start(feed.follow())
        return feed

    def wake(self, changes: Iterable[ChangeRow]) -> None:
        """These changes have been committed."""
        for change in changes:
            feed = self._feeds.get(change.environment_id)
            if feed is not None:
                feed.wake()

    def shout(self, kill: BreakGlass) -> None:
        """A break-glass kill to every stream of its environment."""
        feed = self._feeds.get(kill.environment)
        if feed is not None:
            feed.shout(kill)

    def token_ids(self) -> set[str]:
        """Of the tokens with which streams are open."""
        return {token_id for feed in self._feeds.values() for token_id in feed.token_ids}

    def end(self, token_ids: Collection[str]) -> None:
        """End the streams of these tokens."""
        for feed in self._feeds.values():
            feed.close(token_ids)

    def close(self) -> None:
        """End every stream in good order and open no new one."""
        self.is_closing = True
        for feed in self._feeds.values():
            feed.close()

    async def __aenter__(self) -> Self:
        self._start(self._ping())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._ping_s)
            for feed in tuple(self._feeds.values()):
                feed.ping()
