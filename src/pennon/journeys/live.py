"""What the page is told while it looks: journeys, traffic, flags, signs of life. Nobody looking, nothing is done."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Self

import msgspec
import structlog
from starlette.exceptions import HTTPException

from pennon.clock import SYSTEM_CLOCK
from pennon.errors import PennonError
from pennon.journeys.control import ControlPlane
from pennon.journeys.divergence import divergence_of
from pennon.journeys.memory import Memory
from pennon.sync import encode_event
from pennon.web import Detach, Hub, Write

TICK_S: Final = 0.25
TRAFFIC_S: Final = 1.0
PING_S: Final = 5.0
# A flip shows within two of them, and each costs the control plane one query.
FLAGS_S: Final = 0.25
EXPOSURES_S: Final = 1.0
# SDKs report every few seconds.
DIVERGENCE_S: Final = 2.0
# After a control plane that did not answer.
_PAUSE_S: Final = 1.0

# Of one tick; a page cannot show more, and the rest is counted in the traffic.
JOURNEYS_LIMIT_COUNT: Final = 10
# Pages that are open at once.
READERS_LIMIT_COUNT: Final = 64


class Live:
    """Runs inside `async with`; afterwards every stream has been closed. All calls come from the event loop."""

    def __init__(self, memory: Memory, control: ControlPlane | None) -> None:
        self.hub = Hub()
        self._memory = memory
        self._control = control
        self._closers: set[Callable[[], None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._looked_at = asyncio.Event()
        # What was told last, for a page that comes later.
        self._flags, self._divergence = b"", b""
        self._is_closing = False
        self._log = structlog.get_logger("pennon.journeys")

    async def open(self, write: Write, close: Callable[[], None]) -> tuple[bytes, Detach]:
        """Attach a page: it begins with the traffic, and flags and divergence as they were last.

        Raises: HTTPException 503 while closing, 429 if too many look already.
        """
        if self._is_closing:
            raise HTTPException(503, "this app is shutting down", {"retry-after": "1"})
        if len(self.hub) >= READERS_LIMIT_COUNT:
            raise HTTPException(429, f"{READERS_LIMIT_COUNT} pages look already", {"retry-after": "5"})
        detach = self.hub.attach(write)
        self._closers.add(close)
        self._looked_at.set()

        def leave() -> None:
            detach()
            self._closers.discard(close)
            if not len(self.hub):
                self._looked_at.clear()

        return self._traffic() + self._flags + self._divergence, leave

    def close(self) -> None:
        """End every stream in good order and open no new one."""
        self._is_closing = True
        for close in tuple(self._closers):
            close()

    async def __aenter__(self) -> Self:
        self._start(self._tell_journeys())
        self._start(self._tell_traffic())
        self._start(self._ping())
        if self._control is not None:
            self._start(self._tell_flags(self._control))
            self._start(self._tell_divergence(self._control))
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

    async def _next(self, pause_s: float) -> None:
        """Wait, and then until somebody looks."""
        await asyncio.sleep(pause_s)
        await self._looked_at.wait()

    async def _tell_journeys(self) -> None:
        while True:
            await self._next(TICK_S)
            due = self._memory.take_due(SYSTEM_CLOCK.monotonic_ns(), limit=JOURNEYS_LIMIT_COUNT)
            # The newest is told of last, so that it ends up on top.
            for summary in reversed(due):
                self.hub.send(encode_event("journey", msgspec.json.encode(summary)))

    async def _tell_traffic(self) -> None:
        while True:
            await self._next(TRAFFIC_S)
            self.hub.send(self._traffic())

    async def _ping(self) -> None:
        while True:
            await self._next(PING_S)
            self.hub.send(encode_event("ping", b"{}"))

    def _traffic(self) -> bytes:
        traffic = self._memory.traffic(SYSTEM_CLOCK.monotonic_ns())
        return encode_event("traffic", msgspec.json.encode(traffic))

    async def _tell_flags(self, control: ControlPlane) -> None:
        followed = Followed(control)

        async def tell() -> None:
            changed = await followed.changed(SYSTEM_CLOCK.monotonic_ns())
            if changed is not None:
                self._flags = encode_event("flags", msgspec.json.encode({"items": changed}))
                self.hub.send(self._flags)

        await self._asking(tell, FLAGS_S)

    async def _tell_divergence(self, control: ControlPlane) -> None:
        async def tell() -> None:
            told = encode_event("divergence", msgspec.json.encode(await divergence_of(control)))
            if told != self._divergence:
                self._divergence = told
                self.hub.send(told)

        await self._asking(tell, DIVERGENCE_S)

    async def _asking(self, tell: Callable[[], Awaitable[None]], pause_s: float) -> None:
        """Tell of what the control plane says, again and again; where it does not answer, a little later."""
        while True:
            await self._next(pause_s)
            try:
                await tell()
            except Exception as error:  # noqa: BLE001 - following must outlive whatever a control plane answers
                known = isinstance(error, PennonError)
                self._log.warning("control.not_read", detail=str(error), exc_info=None if known else error)
                await self._next(_PAUSE_S)


class Followed:
    """The flags and their exposures, followed by asking: the environment's position often, the counts now and then."""

    def __init__(self, control: ControlPlane) -> None:
        self._control = control
        self._position: tuple[int, int] | None = None
        self._asked_ns: int | None = None
        self._listing: list[dict[str, Any]] | None = None

    async def changed(self, now_ns: int) -> list[dict[str, Any]] | None:
        """The flags as the page lists them; None if they are as before."""
        position = await self._control.position()
        is_stale = self._asked_ns is None or now_ns - self._asked_ns >= EXPOSURES_S * 1e9
        if position == self._position and not is_stale:
            return None
        listing = await self._control.listing()
        self._position, self._asked_ns = position, now_ns
        is_same, self._listing = listing == self._listing, listing
        return None if is_same else listing
