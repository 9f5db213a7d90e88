"""The request context of the running task or thread: the process's one ContextVar.

A door enters a context around its handler; the context refers to the ledger, which all children share. Tasks,
`asyncio.to_thread` and Starlette's thread pool copy the variable; plain executors and forked processes start without.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Final

from pennon.context import RequestContext

# Public for the one hot path that cannot afford another call (client.Client); all others ask current().
CURRENT: Final[ContextVar[RequestContext | None]] = ContextVar("pennon.request", default=None)


def current() -> RequestContext | None:
    """The request being served here, or None outside one and after its door has closed."""
    context = CURRENT.get()
    return None if context is None or context.ledger.is_sealed else context


class entered:  # noqa: N801  # used as a function; a generator's block would cost three times as much
    """Serve this request in the block; its ledger is sealed at the end, the earlier context comes back."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: RequestContext) -> None:
        self._context = context

    def __enter__(self) -> RequestContext:
        self._token = CURRENT.set(self._context)
        return self._context

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Sealed first: a generator that was dropped half-way may be closed in another context, where the reset raises.
        self._context.ledger.seal()
        CURRENT.reset(self._token)


@contextmanager
def detached() -> Iterator[None]:
    """Serve no request in the block; the earlier context comes back. `pennon.detached` leaves its baggage as well."""
    token = CURRENT.set(None)
    try:
        yield
    finally:
        CURRENT.reset(token)


# A pool's process lives on and works for everybody; no door would ever close there.
os.register_at_fork(after_in_child=lambda: CURRENT.set(None))
