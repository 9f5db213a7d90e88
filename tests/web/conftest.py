"""A real uvicorn in a thread, ended by its fixture."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from pennon.web.protocol import Protocol, Server


@pytest.fixture(scope="module")
def serving() -> Iterator[Callable[[Any], str]]:
    """Serve an ASGI app; the answer is its base URL."""
    ends: list[Callable[[], None]] = []

    def serve(app: Any) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        started = threading.Event()
        config = uvicorn.Config(
            app, http=Protocol, ws="none", lifespan="auto", log_config=None, timeout_graceful_shutdown=3
        )
        server = Server(config, on_started=started.set, on_drain=lambda: None)
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
        thread.start()

        def end() -> None:
            server.should_exit = True
            thread.join(60)
            listener.close()

        ends.append(end)
        assert started.wait(60), "the server did not start"
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for end in ends:
        end()
    asyncio.set_event_loop(None)
