"""What this server knows without its database: enough of each environment to judge a break-glass kill.

Read while the database answers, kept when it does not. Only what has changed is read again.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import structlog

from pennon.control import Store
from pennon.control.break_glass import Known
from pennon.web import Lane

# Edits of this process wake it; this finds those of others. What they changed later than this before the database went
# down is not known.
_POLL_S: Final = 5.0


class Memory:
    """See the module. All calls come from the event loop's thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # A thread of its own: one that hangs in the database must not hold up anything else.
        self._lane = Lane(threads=1)
        self._wakened = asyncio.Event()
        self._log = structlog.get_logger("pennon.server")
        self.known: Mapping[int, Known] = MappingProxyType({})
        self.keys: Mapping[str, str] = MappingProxyType({})
        """Signers' ids and public keys, of all environments and uses: an id follows from its key."""
        self.is_store_down = False

    def wake(self) -> None:
        """There may be something new."""
        self._wakened.set()

    async def follow(self) -> None:
        """Keep up until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_POLL_S):
                    await self._wakened.wait()
            except TimeoutError:
                pass
            self._wakened.clear()
            await self.refresh()

    async def refresh(self) -> None:
        """Read what has changed; all stays as it is if the database does not answer."""
        held = self.known
        try:
            known = await self._lane.run(lambda: self._read(held))
        except Exception as error:  # noqa: BLE001 - whatever the database raises, what is known stays known
            if not self.is_store_down:
                self._log.warning("memory.store_down", error=repr(error))
            self.is_store_down = True
            return
        self.is_store_down = False
        self.known = MappingProxyType(known)
        signers = (signer for one in known.values() for signer in one.signers.values())
        self.keys = MappingProxyType({signer.id: signer.key for signer in signers})

    def _read(self, held: Mapping[int, Known]) -> dict[int, Known]:
        return {
            environment_id: held[environment_id]
            if environment_id in held and held[environment_id].position == position
            else self._store.known(environment_id)
            for environment_id, position in self._store.positions().items()
        }
