"""One reader of an event stream as an ASGI response: a bounded backlog between the hub and the socket.

1. The hub writes into the backlog and never waits; one task per reader empties it into the socket.
2. What is urgent stands before all that has not been handed to the socket yet.
3. A reader whose backlog outgrows its bound is cut off at once: it reconnects and resumes, or takes a snapshot. Waiting
   for it would cost memory per slow reader, and a client that lags by that much is better served by a snapshot.
4. A stream ends from four sides: the reader leaves, it is too slow, the app closes it, the server cancels the task.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pennon.web.hub import Detach, Write

# 1 MiB: some thousand deltas of one flag, i.e. minutes of frantic editing; the snapshot itself does not count.
# Higher: 1,000 stuck readers hold gigabytes. Lower: a reader that downloads its snapshot slowly is cut off.
BACKLOG_LIMIT_BYTES: Final = 1024 * 1024

# Under this name a server's HTTP protocol offers "drop this connection now" among an ASGI scope's extensions. Without
# it a reader that is cut off keeps its socket until it has read what the transport still holds.
ABORT_EXTENSION: Final = "pennon.abort"

_HEADERS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    # nginx and its kin would else hold events back until their buffer is full.
    (b"x-accel-buffering", b"no"),
)


class Backlog:
    """What one reader has not been sent yet. `write` is what the hub gets."""

    def __init__(self, *, limit_bytes: int, on_overflow: Callable[[], None]) -> None:
        self._limit_bytes = limit_bytes
        self._on_overflow = on_overflow
        self._urgent: deque[bytes] = deque()
        self._queued: deque[bytes] = deque()
        self._size_bytes = 0
        self._is_closed = False
        self._changed = asyncio.Event()

    def write(self, data: bytes, *, is_urgent: bool = False) -> bool:
        """Take whole events; False once closed or outgrown (see `hub.Write`)."""
        if self._is_closed:
            return False
        self._size_bytes += len(data)
        if self._size_bytes > self._limit_bytes:
            self.close()
            self._on_overflow()
            return False
        (self._urgent if is_urgent else self._queued).append(data)
        self._changed.set()
        return True

    def close(self) -> None:
        """Nothing more comes in; what is there may still leave."""
        self._is_closed = True
        self._changed.set()

    async def take(self) -> bytes:
        """All that waits, urgent first; waits for something; b"" once closed and empty."""
        while not self._size_bytes and not self._is_closed:
            self._changed.clear()
            await self._changed.wait()
        data = b"".join((*self._urgent, *self._queued))
        self._urgent.clear()
        self._queued.clear()
        self._size_bytes = 0
        return data


# Called once, before the response begins, with the reader's `write` and `close` (for the app's own end). It attaches
# the reader and answers how to detach it and the first bytes: a snapshot, or what was missed. Between computing those
# bytes and attaching it must not await, or an event falls between. What it raises is the response.
Open = Callable[[Write, Callable[[], None]], Awaitable[tuple[bytes, Detach]]]


class EventStream(Response):
    """A response that stays open.

    limit_bytes: of events that wait for this reader; the opening does not count.
    on_evicted: called when the reader is cut off for being too slow.
    """

    def __init__(
        self,
        open: Open,  # noqa: A002 - it is what the caller does
        *,
        limit_bytes: int = BACKLOG_LIMIT_BYTES,
        on_evicted: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._open = open
        self._limit_bytes = limit_bytes
        self._on_evicted = on_evicted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the opening, then what the hub writes, until one of the four ends."""
        is_cut_off = asyncio.Event()

        def cut_off() -> None:
            self._on_evicted()
            is_cut_off.set()
            scope.get("extensions", {}).get(ABORT_EXTENSION, lambda: None)()

        backlog = Backlog(limit_bytes=self._limit_bytes, on_overflow=cut_off)
        first, detach = await self._open(backlog.write, backlog.close)
        pump = asyncio.create_task(_pump(first, backlog, send))
        others = (asyncio.create_task(_gone(receive)), asyncio.create_task(is_cut_off.wait()))
        try:
            await asyncio.wait((pump, *others), return_when=asyncio.FIRST_COMPLETED)
        finally:
            detach()
            backlog.close()
            for task in (pump, *others):
                task.cancel()
            await asyncio.gather(pump, *others, return_exceptions=True)
        if not pump.cancelled():
            pump.result()


async def _pump(first: bytes, backlog: Backlog, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
    data = first or await backlog.take()
    while data:
        await send({"type": "http.response.body", "body": data, "more_body": True})
        data = await backlog.take()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
