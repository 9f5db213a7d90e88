"""A stand-in for every downstream: a proxy on loopback that answers in the place of whoever is asked.

A client that is told to go through it never looks a name up and connects nowhere else, so that the probe sees exactly
what would have left for that host, and nothing leaves this machine.
"""

import socketserver
import threading
from typing import Final, Self

Received = tuple[tuple[bytes, bytes], ...]

# A path that begins so is redirected to the host that follows.
REDIRECT: Final = "/to/"

_LINE_LIMIT_BYTES: Final = 65_536


class StandIn(socketserver.ThreadingTCPServer):
    """Serves in a `with`. It keeps the headers of each request by its URL, and answers 204, or with a redirect."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: dict[str, Received] = {}
        self.url = "http://{}:{}".format(*self.server_address[:2])
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(socketserver.StreamRequestHandler):
    server: StandIn

    def handle(self) -> None:
        request, *lines = iter(self._line, b"")
        url = request.split(b" ")[1].decode("latin-1")
        pairs = (line.partition(b":") for line in lines)
        self.server.received[url] = tuple((name.lower(), value.strip()) for name, _, value in pairs)
        head = b"HTTP/1.1 204 No Content"
        _, found, target = url.partition(REDIRECT)
        if found:
            head = f"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{target}".encode("latin-1")
        self.wfile.write(head + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    def _line(self) -> bytes:
        return self.rfile.readline(_LINE_LIMIT_BYTES).rstrip(b"\r\n")
