"""What the routes share: the store, the lanes into it, the streams, what is in memory, and the metrics of one app."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from starlette.requests import Request

from pennon.clock import Clock
from pennon.control import ChangeRow, Store
from pennon.server.emergencies import Emergencies
from pennon.server.feeds import Feeds
from pennon.server.judging import Judge
from pennon.server.memory import Memory
from pennon.server.metrics import Metrics
from pennon.server.snapshots import Snapshots
from pennon.server.tokens import Tokens
from pennon.web import Lane

# Threads. SQLite has one writer, so more authors at once only wait; readers do not wait for it.
_AUTHORING_THREADS: Final = 4
_KILL_THREADS: Final = 2
_SDK_THREADS: Final = 4
_FEED_THREADS: Final = 2

# At 20 ms a commit the last of them waits 1.3 s, within what a person or a client waits for.
AUTHORING_WAITING_LIMIT_COUNT: Final = 64


class Services(msgspec.Struct, frozen=True):
    """Made once per app by `of`."""

    store: Store
    authoring: Lane
    kills: Lane
    sdk: Lane
    snapshots: Snapshots
    feeds: Feeds
    memory: Memory
    tokens: Tokens
    emergencies: Emergencies
    judge: Judge
    metrics: Metrics

    @classmethod
    def of(
        cls,
        store: Store,
        *,
        clock: Clock,
        emergencies_folder: Path | None = None,
        authoring_waiting_limit_count: int = AUTHORING_WAITING_LIMIT_COUNT,
    ) -> "Services":
        """Everything over this store; nothing runs yet."""
        sdk = Lane(threads=_SDK_THREADS)
        snapshots = Snapshots(store, sdk)
        emergencies = Emergencies(store, clock=clock, folder=emergencies_folder)
        feeds = Feeds(store, lane=Lane(threads=_FEED_THREADS), snapshots=snapshots, emergencies=emergencies.events)
        memory = Memory(store)
        return cls(
            store=store,
            authoring=Lane(threads=_AUTHORING_THREADS, waiting_limit_count=authoring_waiting_limit_count),
            kills=Lane(threads=_KILL_THREADS),
            sdk=sdk,
            snapshots=snapshots,
            feeds=feeds,
            memory=memory,
            tokens=Tokens(store),
            emergencies=emergencies,
            judge=Judge(memory, clock),
            metrics=Metrics(reader_count=lambda: feeds.reader_count),
        )

    def committed(self, changes: Iterable[ChangeRow]) -> None:
        """These changes have been committed: whoever waits for such is told."""
        self.feeds.wake(changes)
        self.memory.wake()


def services_of(request: Request) -> Services:
    """The services of the app that this request came to."""
    services: Services = request.app.state.services
    return services
