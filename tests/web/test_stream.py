"""Event streams over a real server and real sockets."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pennon.web import Detach, EventStream, Hub, Write

_DEADLINE_S = 60.0


class Fixture:
    """An app with one hub, and what happened to its readers."""

    def __init__(self, serving: Callable[[Any], str]) -> None:
        self.hub = Hub()
        self.closers: list[Callable[[], None]] = []
        self.evicted, self.left = threading.Event(), threading.Event()
        app = Starlette(routes=[Route("/stream", self._stream), Route("/send", self._send, methods=["POST"])])
        self.url = serving(app)

    async def _stream(self, _: Request) -> Response:
        async def begin(write: Write, close: Callable[[], None]) -> tuple[bytes, Detach]:
            detach = self.hub.attach(write)
            self.closers.append(close)

            def leave() -> None:
                detach()
                self.left.set()

            return b"hello\n", leave

        return EventStream(begin, limit_bytes=64 * 1024, on_evicted=self.evicted.set)

    async def _send(self, request: Request) -> Response:
        if request.query_params.get("close"):
            for close in self.closers:
                close()
            return Response()
        self.hub.send(await request.body(), is_urgent=False)
        return Response(str(len(self.hub)))


@pytest.fixture
def streams(serving: Callable[[Any], str]) -> Fixture:
    """The app, served."""
    return Fixture(serving)


def test_stream_begins_with_its_opening_then_gets_what_the_hub_sends(streams: Fixture) -> None:
    """Opening, then events, in order."""
    with httpx.stream("GET", f"{streams.url}/stream", timeout=_DEADLINE_S) as response:
        lines = response.iter_lines()
        assert "hello" == next(lines)
        httpx.post(f"{streams.url}/send", content=b"one\n")
        assert "one" == next(lines)
        assert "text/event-stream" == response.headers["content-type"]


def test_stream_closed_by_the_app_ends_in_good_order(streams: Fixture) -> None:
    """The reader sees the end of the body, not a broken connection."""
    with httpx.stream("GET", f"{streams.url}/stream", timeout=_DEADLINE_S) as response:
        lines = response.iter_lines()
        next(lines)
        httpx.post(f"{streams.url}/send?close=1")
        assert [] == list(lines)


def test_stream_whose_reader_leaves_is_detached(streams: Fixture) -> None:
    """A reader that hangs up leaves nothing behind in the hub."""
    with httpx.stream("GET", f"{streams.url}/stream", timeout=_DEADLINE_S) as response:
        next(response.iter_lines())
    assert streams.left.wait(_DEADLINE_S)
    assert "0" == httpx.post(f"{streams.url}/send", content=b"x").text


def test_stream_of_a_reader_that_does_not_read_is_cut_off(streams: Fixture) -> None:
    """A stuck reader is evicted, its connection dropped at once, and the quick one beside it misses nothing."""
    host, port = streams.url.removeprefix("http://").split(":")
    with (
        socket.create_connection((host, int(port)), timeout=_DEADLINE_S) as stuck,
        httpx.stream("GET", f"{streams.url}/stream", timeout=_DEADLINE_S) as quick,
        httpx.Client() as author,
    ):
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.sendall(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
        assert stuck.recv(1)
        lines, sent = quick.iter_lines(), 0
        assert "hello" == next(lines)
        while not streams.evicted.is_set() and sent < 2_000:
            author.post(f"{streams.url}/send", content=b"%d %s\n" % (sent, b"x" * 32_000))
            assert str(sent) == next(lines).split()[0]
            sent += 1
        assert streams.evicted.is_set()
        assert streams.left.wait(_DEADLINE_S)
        with pytest.raises(ConnectionResetError):
            _read_to_the_end(stuck)


def _read_to_the_end(peer: socket.socket) -> None:
    while peer.recv(65_536):
        pass
