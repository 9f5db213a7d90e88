"""uvicorn, with the two things that streams need: dropping a connection at once, and an orderly end.

uvicorn waits at its end for every open connection; a stream never closes by itself. So the app is told first. It also
ends by raising the signal again, which would make an orderly end look like a crash: here it is an exit with 0.
"""

import signal
import socket
import struct
from collections.abc import Callable
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pennon.web.stream import ABORT_EXTENSION


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 whose scope offers to drop the connection, with whatever still waits in it."""

    def on_message_begin(self) -> None:
        """Begin a request's scope."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT_EXTENSION: self._abort}  # type: ignore[dict-item]

    def _abort(self) -> None:
        # Linger 0: a reset at once, instead of a kernel that keeps offering its buffer to somebody who does not read.
        peer: socket.socket = self.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Server(uvicorn.Server):
    """on_started: called once the socket accepts. on_drain: called when the end begins, before anything is waited for.

    The first SIGTERM or SIGINT drains; a second one ends the process at once, by that signal.
    """

    def __init__(self, config: uvicorn.Config, *, on_started: Callable[[], None], on_drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._on_drain = on_drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell the app, then wait for what is in flight."""
        self._on_drain()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the shape of a signal handler
        """What a signal does."""
        if self.should_exit:
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
        self.should_exit = True
