"""One environment's stream: follows the change log, feeds the hub, opens the stream for newcomers.

1. The change log is the only thing read. An edit wakes the feed after its commit; a poll finds what another process
   wrote, or a wake that was lost.
2. What has gone out is remembered for a while, so that a newcomer's snapshot may be older than the stream, and a reader
   that was gone for a moment resumes without a query.
3. Kills of a batch leave before its deltas, and at each reader before anything that waits.
4. Break-glass kills stand outside the log: they leave at once, and in front of a newcomer's first bytes.
5. Opening: a base (snapshot, or one delta over what was missed) at some position; then, in the same step as attaching,
   all that went out after that position. What reaches a replica twice it ignores.
6. While the database is down a base comes from memory: whoever resumes goes on from there, whoever is new gets the
   snapshot that is held, if all that came after it is remembered too.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

import msgspec
import structlog
from starlette.exceptions import HTTPException

from pennon.control import ChangeRow, Store
from pennon.errors import Unreachable
from pennon.server.events import delta_of, kills_of
from pennon.server.snapshots import Encoded, Snapshots
from pennon.sync import BreakGlass, Ping, encode_message
from pennon.web import Detach, Hub, Lane, Write

# A fallback: edits of this process wake the feed. Higher: a second process's edits arrive later. Lower: one more query
# per environment and second.
POLL_S: Final = 1.0

# What has gone out is remembered up to this; about as much as one reader's backlog may hold.
_MEMORY_LIMIT_BYTES: Final = 1024 * 1024

# Changes read at once while following, and at most at a resume: beyond it a snapshot is as small.
_BATCH_LIMIT_COUNT: Final = 100
_RESUME_LIMIT_COUNT: Final = 500

_PING: Final = encode_message(Ping())

Position = tuple[int, int]


class _Sent(msgspec.Struct, frozen=True):
    """One change that has gone out."""

    row: ChangeRow
    delta: bytes


class Feed:
    """See the module. emergencies: the events of break-glass kills that hold.

    All calls come from the event loop's thread.
    """

    def __init__(
        self,
        environment_id: int,
        *,
        store: Store,
        lane: Lane,
        snapshots: Snapshots,
        emergencies: Callable[[], bytes] = bytes,
    ) -> None:
        self.hub = Hub()
        self._environment_id = environment_id
        self._store = store
        self._lane = lane
        self._snapshots = snapshots
        self._emergencies = emergencies
        self._position: Position | None = None
        self._sent: deque[_Sent] = deque()
        self._sent_bytes = 0
        self._wakened = asyncio.Event()
        self._closers: dict[Callable[[], None], str] = {}
        self._log = structlog.get_logger("pennon.server")

    def wake(self) -> None:
        """There may be something new in the log."""
        self._wakened.set()

    def ping(self) -> None:
        """A sign of life to every reader."""
        self.hub.send(_PING)

    def shout(self, kill: BreakGlass) -> None:
        """A break-glass kill to every reader, before all that waits."""
        self.hub.send(encode_message(kill), is_urgent=True)

    @property
    def token_ids(self) -> Collection[str]:
        """Of the tokens with which streams are open."""
        return self._closers.values()

    def close(self, token_ids: Collection[str] | None = None) -> None:
        """End streams in good order, all or those of these tokens; what waits may still leave."""
        for close, token_id in tuple(self._closers.items()):
            if token_ids is None or token_id in token_ids:
                close()

    async def follow(self) -> None:
        """Feed the hub until cancelled; a store that fails is asked again at the next wake or poll."""
        while True:
            try:
                async with asyncio.timeout(POLL_S):
                    await self._wakened.wait()
            except TimeoutError:
                pass
            self._wakened.clear()
            try:
                await self._advance()
            except Unreachable as error:
                self._log.warning("feed.waiting", environment_id=self._environment_id, error=str(error))
            except Exception as error:  # noqa: BLE001 - a stream must outlive whatever the database does
                self._log.warning("feed.failed", environment_id=self._environment_id, exc_info=error)

    async def open(
        self, after: Position | None, write: Write, close: Callable[[], None], *, token_id: str = ""
    ) -> tuple[bytes, Detach]:
        """Attach a reader; its first bytes, and how to let it go.

        after: the last position it has seen; None for a newcomer. token_id: of the token that it came with.
        """
        try:
            base, at = await self._base(after)
        except Unreachable:
            base, at = self._base_without_store(after)
        if not self._follows_from(at):
            # The memory has moved on while the base was read. A snapshot of now cannot be older than what went out.
            encoded = await self._snapshots.current(self._environment_id)
            base, at = encoded.event, encoded.position
        if not self._follows_from(at):
            raise HTTPException(503, "the stream is ahead of the database", {"retry-after": "1"})
        detach = self.hub.attach(write)
        self._closers[close] = token_id

        def leave() -> None:
            detach()
            self._closers.pop(close, None)

        # With nothing to say a sign of life says that the resume was taken.
        return (self._emergencies() + base + self._missed_since(at)) or _PING, leave

    async def _advance(self) -> None:
        """Send what the log has after our position."""
        while self._position is not None:
            epoch, revision = self._position
            rows = await self._changes_since(epoch, revision, _BATCH_LIMIT_COUNT)
            if rows is None:
                await self._restart()
                return
            if rows:
                self._send(rows)
            if len(rows) < _BATCH_LIMIT_COUNT:
                return

    def _send(self, rows: tuple[ChangeRow, ...]) -> None:
        for kill in kills_of(rows):
            self.hub.send(encode_message(kill), is_urgent=True)
        for row in rows:
            delta = encode_message(delta_of([row]))
            self.hub.send(delta)
            self._sent.append(_Sent(row, delta))
            self._sent_bytes += len(delta)
        while self._sent_bytes > _MEMORY_LIMIT_BYTES:
            self._sent_bytes -= len(self._sent.popleft().delta)
        self._position = (rows[-1].epoch, rows[-1].revision)

    async def _restart(self) -> None:
        """The numbering has begun anew: every stream ends, and whoever comes back gets a snapshot."""
        encoded = await self._snapshots.current(self._environment_id)
        self._log.warning("feed.restarted", environment_id=self._environment_id, epoch=encoded.position[0])
        self._sent.clear()
        self._sent_bytes = 0
        self._position = encoded.position
        self.close()

    async def _base(self, after: Position | None) -> tuple[bytes, Position]:
        if after is not None:
            if self._position is not None and after <= self._position and self._follows_from(after):
                return b"", after
            rows = await self._changes_since(*after, _RESUME_LIMIT_COUNT)
            if rows is not None and len(rows) < _RESUME_LIMIT_COUNT:
                at = (rows[-1].epoch, rows[-1].revision) if rows else after
                self._begin_at(at)
                return _catch_up(rows), at
        encoded = self._snapshots.held(self._environment_id)
        if encoded is None or not self._is_fresh_enough(encoded):
            encoded = await self._snapshots.current(self._environment_id)
        self._begin_at(encoded.position)
        return encoded.event, encoded.position

    def _base_without_store(self, after: Position | None) -> tuple[bytes, Position]:
        """Raises: HTTPException 503 if nothing in memory leads on."""
        if after is not None and (self._position is None or self._follows_from(after)):
            # It may be of another numbering; whoever follows the log finds out, and ends the stream.
            self._begin_at(after)
            return b"", after
        held = self._snapshots.held(self._environment_id)
        if held is None or not (self._position is None or self._follows_from(held.position)):
            raise HTTPException(503, "the database does not answer", {"retry-after": "1"})
        self._begin_at(held.position)
        return held.event, held.position

    def _begin_at(self, position: Position) -> None:
        """The first reader's position is where following begins."""
        if self._position is None:
            self._position = position
            self.wake()

    def _follows_from(self, at: Position) -> bool:
        """Whether everything after `at` has been remembered, or is still to come."""
        if self._position is None or at[0] < self._position[0]:
            return False
        return at >= self._position or bool(self._sent and self._sent[0].row.revision <= at[1] + 1)

    def _is_fresh_enough(self, encoded: Encoded) -> bool:
        """Whether snapshot and what went out since are not much more than a new snapshot would be."""
        return self._follows_from(encoded.position) and 2 * len(self._missed_since(encoded.position)) < len(
            encoded.body
        )

    def _missed_since(self, at: Position) -> bytes:
        missed = [sent for sent in self._sent if (sent.row.epoch, sent.row.revision) > at]
        kills = b"".join(encode_message(kill) for kill in kills_of([sent.row for sent in missed]))
        return kills + b"".join(sent.delta for sent in missed)

    async def _changes_since(self, epoch: int, revision: int, limit: int) -> tuple[ChangeRow, ...] | None:
        def read() -> tuple[ChangeRow, ...] | None:
            return self._store.changes_since(self._environment_id, epoch=epoch, revision=revision, limit=limit)

        return await self._lane.run(read)


def _catch_up(rows: tuple[ChangeRow, ...]) -> bytes:
    kills = b"".join(encode_message(kill) for kill in kills_of(rows))
    return kills + encode_message(delta_of(rows)) if rows else b""
