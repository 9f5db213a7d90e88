"""The request context of the running task or thread: the process's one ContextVar.

A door enters a context around its handler; the context refers to the ledger, which all children share. Tasks,
`asyncio.to_thread` and Starlette's thread pool copy the variable; plain executors start without it.
"""

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
        CURRENT.reset(self._token)
        self._context.ledger.seal()


@contextmanager
def detached() -> Iterator[None]:
    """Serve no request in the block; the earlier context comes back. `pennon.detached` leaves its baggage as well."""
    token = CURRENT.set(None)
    try:
        yield
    finally:
        CURRENT.reset(token)
