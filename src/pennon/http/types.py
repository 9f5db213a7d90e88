"""ASGI's and WSGI's shapes, as much of them as the doors touch.

https://asgi.readthedocs.io/en/latest/specs/, https://peps.python.org/pep-3333/
"""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

from pennon.context import Identity

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

RawHeaders = Sequence[tuple[bytes, bytes]]


class Signer(Protocol):
    """Who signs identity for a downstream; `pennon.signing.ContextSigner` is one."""

    def signed(self, identity: Identity, audience: str | None) -> str | None:
        """The signed context; None where there is no audience, or it must not be signed."""
        ...
