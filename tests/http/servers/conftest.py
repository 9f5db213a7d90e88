"""The servers that people run, each on a port of its own, with one of the applications in `probed`."""

import asyncio
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import hypercorn.asyncio
import hypercorn.config
import pytest

PROBED = Path(__file__).parent / "probed"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _by_wsgiref(application: Any) -> Iterator[str]:
    """The standard library's, which lets names with underscores through."""
    server = make_server("127.0.0.1", 0, application.wsgi_app, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(60)
        server.server_close()


@contextmanager
def _by_gunicorn(name: str, *options: str) -> Iterator[str]:
    """One worker process on a socket that is already listening."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bind = ("--bind", f"fd://{listener.fileno()}")
        command = [sys.executable, "-m", "gunicorn", f"{name}:wsgi_app", "--chdir", str(PROBED), *bind, *options]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GUNICORN")}
        process = subprocess.Popen(
            command, pass_fds=[listener.fileno()], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@contextmanager
def _by_hypercorn(application: Any) -> Iterator[str]:
    """Its asyncio worker, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = hypercorn.config.Config()
        config.bind = [f"fd://{os.dup(listener.fileno())}"]
        config.errorlog = None
        loop = asyncio.new_event_loop()
        over = asyncio.Event()
        serving = hypercorn.asyncio.serve(application.asgi_app, config, shutdown_trigger=over.wait)
        thread = threading.Thread(target=loop.run_until_complete, args=(serving,))
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join(60)
            loop.close()


@cache
def _application(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"pennon_probed_{name}", PROBED / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def behind(serve_on: Callable[..., str]) -> Iterator[Callable[[str], dict[str, str]]]:
    """Serve the application of this name behind every server, until the module's last test: their addresses by name."""
    with ExitStack() as stack:

        def addresses(name: str) -> dict[str, str]:
            application = _application(name)
            started: dict[str, AbstractContextManager[str]] = {
                "hypercorn": _by_hypercorn(application),
                "gunicorn": _by_gunicorn(name),
                "gunicorn, threads": _by_gunicorn(name, "--worker-class", "gthread", "--threads", "2"),
                "wsgiref": _by_wsgiref(application),
            }
            return {
                "uvicorn, httptools": serve_on(application.asgi_app, http="httptools"),
                "uvicorn, h11": serve_on(application.asgi_app, http="h11", h11_max_incomplete_event_size=4_000_000),
                **{server: stack.enter_context(manager) for server, manager in started.items()},
            }

        yield addresses


@pytest.fixture(scope="session")
def send_raw() -> Callable[..., tuple[bytes, bytes]]:
    """Sends a GET with these header lines as they stand; head and body of the answer, empty if the server hung up."""
    return _send_raw


def _send_raw(host: str, lines: bytes, path: str = "/") -> tuple[bytes, bytes]:
    address, _, port = host.partition(":")
    with socket.create_connection((address, int(port)), timeout=60) as connection:
        request = b"GET " + path.encode() + b" HTTP/1.1\r\nhost: here\r\nconnection: close\r\n" + lines + b"\r\n"
        received = b""
        # It may answer and close before it has read all: what it has said is still there to be read.
        with suppress(ConnectionError):
            connection.sendall(request)
        with suppress(ConnectionError):
            while chunk := connection.recv(65_536):
                received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body
