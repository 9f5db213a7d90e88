"""SDK tokens that were good when they were last looked up: readers come back while the database is down.

Whose token is revoked loses its stream, soon after; whoever revoked it need not be this process.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Final

import structlog

from pennon.control import Store, TokenRow
from pennon.control.tokens import secret_hash
from pennon.web import Lane

# How long a revoked token keeps its stream, at most. One look reads all tokens: a few thousand rows.
_LOOK_S: Final = 5.0

# Some 500 bytes each.
_LIMIT_COUNT: Final = 10_000


class Tokens:
    """See the module. What is remembered is a hash of each. All calls come from the event loop's thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lane = Lane(threads=1)
        self._rows: OrderedDict[str, TokenRow] = OrderedDict()
        self._log = structlog.get_logger("pennon.server")

    def found(self, secret: str, row: TokenRow) -> None:
        """It was good just now."""
        self._rows[secret_hash(secret)] = row
        self._rows.move_to_end(secret_hash(secret))
        if len(self._rows) > _LIMIT_COUNT:
            self._rows.popitem(last=False)

    def refused(self, secret: str) -> None:
        """It is not good any more."""
        self._rows.pop(secret_hash(secret), None)

    def held(self, secret: str) -> TokenRow | None:
        """What it was good for when it was last looked up; None if it was not."""
        return self._rows.get(secret_hash(secret))

    async def follow(self, used: Callable[[], Collection[str]], end: Callable[[Collection[str]], None]) -> None:
        """End what is open with tokens that are revoked, until cancelled. used: their ids. end: is given those."""
        while True:
            await asyncio.sleep(_LOOK_S)
            ids = {*used(), *(row.id for row in self._rows.values())}
            try:
                good = await self._lane.run(self._good) if ids else ids
            except Exception as error:  # noqa: BLE001 - whatever the database raises, nothing is known of revocations
                self._log.debug("tokens.not_seen", error=repr(error))
                continue
            if gone := ids - good:
                self._rows = OrderedDict((key, row) for key, row in self._rows.items() if row.id not in gone)
                end(gone)

    def _good(self) -> set[str]:
        return {row.id for row in self._store.tokens() if row.revoked_ns is None}
