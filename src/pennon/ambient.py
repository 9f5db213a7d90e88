"""The request context of the running task or thread: the process's one ContextVar.

A door enters a context around its handler; the context refers to the ledger, which all children share. Tasks,
`asyncio.to_thread` and Starlette's thread pool copy the variable; plain executors start without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from pennon.context import RequestContext

# Public for the one hot path that cannot afford another call (client.Client); all others ask current().
CURRENT: Final[ContextVar[RequestContext | None]] = ContextVar("pennon.request", default=None)


def current() -> RequestContext | None:
    """The request being served here, or None outside one and after its door has closed."""
    context = CURRENT.get()
    return None if context is None or context.ledger.is_sealed else context


@contextmanager
def entered(context: RequestContext) -> Iterator[RequestContext]:
    """Serve this request in the block; its ledger is sealed at the end, the earlier context comes back."""
    token = CURRENT.set(context)
    try:
        yield context
    finally:
        CURRENT.reset(token)
        context.ledger.seal()


@contextmanager
def detached() -> Iterator[None]:
    """Serve no request in the block; the earlier context comes back. `pennon.detached` leaves its baggage as well."""
    token = CURRENT.set(None)
    try:
        yield
    finally:
        CURRENT.reset(token)
