"""Break-glass kills that this server has taken.

1. One is told to every open stream at once, and to each newcomer before its snapshot, so that no moment lies between.
   It is told until its time is over, also when it is reconciled: a newcomer's snapshot may be older than that, and a
   replica that knows better ignores it.
2. It is reconciled as soon as the database answers: tried at once, and with growing pauses.
3. Until then it is kept in a file, so that a server which starts again has not forgotten it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Final

import msgspec
import structlog
from starlette.exceptions import HTTPException

from pennon.clock import Clock
from pennon.control import Author, ChangeRow, Store
from pennon.errors import AlreadyExists, NotFound
from pennon.settings import write_private
from pennon.sync import BreakGlass, delay_s, encode_message
from pennon.web import Lane

# "As soon as the database answers" means within this. Lower: servers that wait crowd a database that comes back.
_PAUSE_CAP_S: Final = 5.0

# A kill is 150 bytes, and every newcomer is told all of them.
_HELD_LIMIT_COUNT: Final = 1_000

_S_NS: Final = 1_000_000_000

_Place = tuple[int, str]


class Emergency(msgspec.Struct, frozen=True):
    """A kill, and who will stand in the log for it."""

    kill: BreakGlass
    by: Author

    @property
    def place(self) -> _Place:
        """What makes it one."""
        return self.kill.environment, self.kill.id


class Emergencies:
    """See the module. folder: of the files; None keeps none. All calls come from the event loop's thread."""

    def __init__(self, store: Store, *, clock: Clock, folder: Path | None) -> None:
        self._store = store
        self._clock = clock
        self._folder = folder
        # Threads of their own: files are written while the database hangs.
        self._files = Lane(threads=1)
        self._database = Lane(threads=1)
        self._held: dict[_Place, Emergency] = {}
        self._open: set[_Place] = set()
        self._wakened = asyncio.Event()
        self._random = SystemRandom()
        self._log = structlog.get_logger("pennon.server")

    def load(self) -> None:
        """Take up what an earlier process has left."""
        for path in sorted(self._folder.glob("*.json")) if self._folder is not None else ():
            try:
                emergency = msgspec.json.decode(path.read_bytes(), type=Emergency)
            except (OSError, msgspec.MsgspecError) as error:
                self._log.warning("break_glass.unreadable", path=str(path), error=repr(error))
                continue
            self._held[emergency.place] = emergency
            self._open.add(emergency.place)
        self._wakened.set()

    def events(self, environment_id: int) -> bytes:
        """What a newcomer of this environment is told before anything else."""
        return b"".join(encode_message(kill) for kill in self._kills(environment_id))

    def take(self, emergency: Emergency) -> bool:
        """Hold it from now on; whether it is new.

        Raises: AlreadyExists if its id is another kill's; HTTPException 503 if there are too many.
        """
        self._forget_expired()
        held = self._held.get(emergency.place)
        if held is not None and held.kill != emergency.kill:
            msg = f"break-glass kill '{emergency.kill.id}' was taken with other claims"
            raise AlreadyExists(msg)
        if held is None and len(self._held) >= _HELD_LIMIT_COUNT:
            raise HTTPException(503, f"this server holds {_HELD_LIMIT_COUNT} break-glass kills already")
        if held is None:
            self._held[emergency.place] = emergency
            self._open.add(emergency.place)
        return held is None

    def is_open(self, emergency: Emergency) -> bool:
        """Whether it waits for the database."""
        return emergency.place in self._open

    async def keep(self, emergency: Emergency) -> bool:
        """Write one that is open to its file, and begin to reconcile it; whether a restart would remember it."""
        # One thread: what removes the file comes after this.
        is_kept = await self._files.run(partial(self._written, emergency))
        self._wakened.set()
        return is_kept

    async def follow(self, tell: Callable[[Sequence[ChangeRow]], None]) -> None:
        """Reconcile until cancelled. tell: is given the changes after each commit."""
        failed_count = 0
        while True:
            await self._wakened.wait()
            self._wakened.clear()
            try:
                await self._reconcile(tell)
                failed_count = 0
            except Exception as error:  # noqa: BLE001 - whatever the database raises, it is asked again
                failed_count += 1
                self._log.warning("break_glass.waiting", open_count=len(self._open), error=repr(error))
                await asyncio.sleep(delay_s(failed_count, self._random.random(), cap_s=_PAUSE_CAP_S))
                self._wakened.set()

    async def _reconcile(self, tell: Callable[[Sequence[ChangeRow]], None]) -> None:
        self._forget_expired()
        for emergency in [self._held[place] for place in sorted(self._open)]:
            kill = emergency.kill
            try:
                tell(await self._database.run(partial(self._store.reconcile, kill, by=emergency.by)))
                done = "break_glass.reconciled"
            except NotFound:
                # Its environment has gone, with a restore: nobody is left to be told.
                self._held.pop(emergency.place, None)
                done = "break_glass.dismissed"
            self._log.info(done, environment_id=kill.environment, flag_id=kill.flag, id=kill.id)
            self._open.discard(emergency.place)
            await self._files.run(partial(self._unlink, emergency.place))

    def _written(self, emergency: Emergency) -> bool:
        path = self._path(emergency.place)
        if path is None:
            return False
        try:
            write_private(msgspec.json.encode(emergency), path)
        except OSError as error:
            # A full disk may well be why the database is down. The kill holds; only a restart forgets it.
            self._log.warning("break_glass.not_kept", path=str(path), error=repr(error))
            return False
        return True

    def _unlink(self, place: _Place) -> None:
        if (path := self._path(place)) is not None:
            # A file that stays is reconciled again after a restart, which changes nothing.
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _forget_expired(self) -> None:
        for place in [place for place, one in self._held.items() if one.kill.until_s <= self._now_s()]:
            del self._held[place]
            if place in self._open:
                self._open.discard(place)
                self._log.warning("break_glass.expired", environment_id=place[0], id=place[1])
                self._unlink(place)

    def _kills(self, environment_id: int) -> Iterator[BreakGlass]:
        for held in self._held.values():
            if held.kill.environment == environment_id and held.kill.until_s > self._now_s():
                yield held.kill

    def _path(self, place: _Place) -> Path | None:
        return None if self._folder is None else self._folder / f"{place[0]:010x}-{place[1]}.json"

    def _now_s(self) -> int:
        return self._clock.now_ns() // _S_NS
