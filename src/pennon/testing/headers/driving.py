"""A request to an ASGI or WSGI application in this process: no socket, no server, no event loop of yours.

Lines go in as a server would hand them over; by WSGI that is gunicorn, which folds names, joins lines of one name with
commas and lets no name with an underscore through.
"""

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import Any, Final
from wsgiref.util import setup_testing_defaults

import msgspec

Lines = Sequence[tuple[str, str]]
App = Callable[..., Any]

# As long as a client waits before it leaves: for an answer that waits for that, or a stream without an end.
PATIENCE_S: Final = 10.0

_FAILED_STATUS: Final = 500
_PORT: Final = 4711
# Of a server that keeps the twins of names away (`pennon.http.environ`).
_SOFTWARE: Final = "gunicorn/23.0.0"
_BARE: Final = ("CONTENT_TYPE", "CONTENT_LENGTH")


class Answer(msgspec.Struct, frozen=True):
    """How a request was answered.

    status: 500 also where the application raised; `raised` then names the exception's type, never what it says.
    headers: names lower-case.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    raised: str | None = None

    def lines(self, name: str) -> list[str]:
        """The values of a header, line by line."""
        return [value for key, value in self.headers if key == name]


def is_asgi(app: App) -> bool:
    """Whether calling it gives something to await (ASGI 3)."""
    while isinstance(app, partial):
        app = app.func
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__)


class After(msgspec.Struct, frozen=True):
    """What follows a response. is_over: called when its last part has been sent.

    limit_s: so many seconds at most the tasks that the request has left behind are let run to their end.
    """

    is_over: Callable[[], None]
    limit_s: float


def drive(
    app: App, headers: Lines, *, address: str, path: str = "/", method: str = "GET", after: After | None = None
) -> Answer:
    """Ask the application, without a body. headers: latin-1 text, in order. address: the peer's.

    What the application raises becomes a 500, as a server would make it.
    """
    asked = _Asked(headers, address, path, method, _NOTHING_FOLLOWS if after is None else after)
    try:
        return (_by_asgi if is_asgi(app) else _by_wsgi)(app, asked)
    except Exception as error:  # noqa: BLE001  # whatever it is, a server answers 500
        return Answer(_FAILED_STATUS, raised=type(error).__name__)


class _Asked(msgspec.Struct, frozen=True):
    """A request, as it is sent."""

    headers: Lines
    address: str
    path: str
    method: str
    after: After


_NOTHING_FOLLOWS: Final = After(lambda: None, 0)


def _by_asgi(app: App, asked: _Asked) -> Answer:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": asked.method,
        "scheme": "http",
        "path": asked.path,
        "raw_path": asked.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in asked.headers],
        "client": (asked.address, _PORT),
        "server": ("service.test", 80),
    }
    client = _Client(asked.after)
    _finish(client.ask(app, scope))
    start = next(message for message in client.came if message["type"] == "http.response.start")
    return Answer(
        start["status"],
        tuple([(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start.get("headers", ())]),
        b"".join(message.get("body", b"") for message in client.came if message["type"] == "http.response.body"),
    )


class _Client:
    """Who asks an ASGI application, and leaves when it has its answer, or waits too long. came: what it was sent."""

    def __init__(self, after: After) -> None:
        self.came: list[Any] = []
        self._after = after
        self._waiting = [{"type": "http.request", "body": b"", "more_body": False}]
        self._is_over = asyncio.Event()
        self._has_left = False

    async def ask(self, app: App, scope: dict[str, Any]) -> None:
        """Ask, and let what the request leaves behind run. Raises: what the application does."""
        leaving = asyncio.get_running_loop().call_later(PATIENCE_S, self._leave)
        try:
            await app(scope, self._receive, self._send)
        except Exception:
            # Of a stream without an end, what came of it is the answer.
            if not (self._has_left and self.came):
                raise
        leaving.cancel()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left and self._after.limit_s:
            await asyncio.wait(left, timeout=self._after.limit_s)

    async def _receive(self) -> Any:
        if self._waiting:
            return self._waiting.pop()
        # Who listens for it beside its work would else take every client for one that has left.
        await self._is_over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        # So that the time goes on for a service that never waits.
        await asyncio.sleep(0)
        if self._has_left:
            raise OSError("the client has left")
        self.came.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._after.is_over()
            self._is_over.set()

    def _leave(self) -> None:
        self._has_left = True
        self._is_over.set()


def _finish(serving: Coroutine[Any, Any, object]) -> None:
    """Run it to its end, also from within a test that is itself a coroutine."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _run(serving)
        return
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_run, serving).result()


def _run(serving: Coroutine[Any, Any, object]) -> None:
    # With a factory it leaves the thread the loop that somebody may have set; what the request has left behind, tasks
    # and threads, ends with it.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(serving)


def _by_wsgi(app: App, asked: _Asked) -> Answer:
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], object]:
        started.append((status, headers))
        return written.append

    blocks = app(_environ_of(asked), start_response)
    try:
        written += blocks
        asked.after.is_over()
    finally:
        if hasattr(blocks, "close"):
            blocks.close()
    status, answered = started[-1]
    return Answer(int(status[:3]), tuple([(name.lower(), value) for name, value in answered]), b"".join(written))


def _environ_of(asked: _Asked) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "SERVER_SOFTWARE": _SOFTWARE,
        "REMOTE_ADDR": asked.address,
        "REQUEST_METHOD": asked.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": asked.path,
        "QUERY_STRING": "",
        "wsgi.input": BytesIO(),
    }
    for name, value in asked.headers:
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        key = key if key in _BARE else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ and key not in _BARE else value
    setup_testing_defaults(environ)
    return environ
