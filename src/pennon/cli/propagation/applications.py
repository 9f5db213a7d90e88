"""A user's own application and clients: whether our doors stand where they must, outermost and around everything."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from threading import Thread
from typing import Any, Final
from wsgiref.util import setup_testing_defaults

from pennon.cli.propagation.findings import Finding, Level
from pennon.http.asgi_door import AsgiDoor
from pennon.http.wsgi_door import WsgiDoor

# No application has it; whatever answers there, its response passes every layer.
PATH: Final = "/pennon-doctor-probe"

# What nobody serves is answered at once; ten times what a cold start of one takes.
ANSWER_S: Final = 10.0

# Deeper than any real stack; it ends a circle.
_DEPTH_LIMIT_COUNT: Final = 32
_INSIDE: Final = ("app", "wsgi_app", "wsgi", "__self__")
_SENT: Final = (
    (b"host", b"localhost"),
    (b"x-request-id", b"probe-of-a-stranger"),
    (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
)
_ID: Final = "x-request-id"

# Status and headers.
Answered = tuple[int, list[tuple[str, str]]]


class _Silent(Exception):
    """It has not answered."""


def application(name: str, app: Any, *, limit_s: float = ANSWER_S) -> Iterator[Finding]:
    """Whether a door stands outermost, and whether a response, also of a path that nobody serves, bears the ids.

    limit_s: for its answer; one that has none by then is left running, in a thread that ends with the process.
    """
    around = _around_door(app)
    if around is None:
        yield Finding(Level.BREAK, name, "has no door: wrap it, pennon.http.asgi(app, …) or pennon.http.wsgi(app, …)")
        return
    if around:
        said = f"stands inside of {', '.join(around)}: what these read of headers, anybody may have written"
        yield Finding(Level.ADVICE, f"the door of {name}", said)
    else:
        yield Finding(Level.FINE, f"the door of {name}", "stands outermost")
    try:
        status, headers = _within(limit_s, partial(_asked, app))
    except _Silent:
        yield Finding(Level.BREAK, f"GET {PATH}", f"was not answered within {limit_s:g} s")
        return
    except Exception as error:  # noqa: BLE001  # the application is not ours
        yield Finding(Level.BREAK, f"GET {PATH}", f"raised {type(error).__name__}: {error}")
        return
    ids = [value for key, value in headers if key.lower() == _ID]
    if len(ids) == 1:
        yield Finding(Level.FINE, f"GET {PATH}", f"{status}, and the response names its request")
    else:
        yield Finding(Level.BREAK, f"GET {PATH}", f"{status}, and the response has {len(ids)} {_ID}, must have 1")


def client(name: str, wrapped: Any) -> Iterator[Finding]:
    """Whether everything that a client sends by is wrapped. It is looked at, and not asked to send."""
    parts = _parts_of(wrapped)
    if parts is None:
        yield Finding(
            Level.BREAK, name, f"is a {_name_of(wrapped)}, which has no door: httpx, requests, urllib3 or aiohttp"
        )
        return
    bare = [part for part, is_wrapped in parts.items() if not is_wrapped]
    if not bare:
        yield Finding(Level.FINE, name, "all that it sends by is wrapped")
    for part in bare:
        yield Finding(Level.BREAK, name, f"{part} is not wrapped: wrap the client after it was mounted")


def _around_door(app: Any) -> list[str] | None:
    """What stands around the outermost door, from outside; None if there is no door."""
    around: list[str] = []
    for _ in range(_DEPTH_LIMIT_COUNT):
        if isinstance(app, AsgiDoor | WsgiDoor):
            return around
        # Flask does nothing before it calls its `wsgi_app`, which is where its users put the door.
        if not hasattr(app, "wsgi_app"):
            around.append(_name_of(app))
        added = [each.cls for each in getattr(app, "user_middleware", ())]
        names = [getattr(each, "__name__", "") for each in added]
        for name, each in zip(names, added, strict=True):
            if getattr(each, "__module__", "").startswith("pennon.http"):
                return around
            around.append(name)
        app = next((inner for name in _INSIDE if (inner := getattr(app, name, None)) is not None), None)
        if app is None:
            return None
    return None


def _within(limit_s: float, ask: Callable[[], Answered]) -> Answered:
    """What is answered in time. Raises: _Silent; what the asking raised."""
    asking: Future[Answered] = Future()

    def run() -> None:
        try:
            asking.set_result(ask())
        except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
            asking.set_exception(error)

    # Of its own: one of a pool would be waited for at the end of the process.
    Thread(target=run, daemon=True).start()
    try:
        return asking.result(limit_s)
    except TimeoutError:
        if asking.done():
            raise
        raise _Silent from None


def _asked(app: Any) -> Answered:
    return _asked_by_asgi(app) if _is_asgi(app) else _asked_by_wsgi(app)


def _is_asgi(app: Any) -> bool:
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(getattr(app, "__call__", None))  # noqa: B004


def _asked_by_asgi(app: Any) -> Answered:
    answer: dict[str, Any] = {"status": 0, "headers": []}

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.update(message)

    peers = {"client": ("192.0.2.1", 4711), "server": ("localhost", 80)}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
    }
    scope |= {"path": PATH, "raw_path": PATH.encode(), "root_path": "", "query_string": b"", "headers": list(_SENT)}
    asyncio.run(app(scope | peers, receive, send))
    return answer["status"], [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer["headers"]]


def _asked_by_wsgi(app: Any) -> Answered:
    answer: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        answer[:] = [int(status[:3]), headers]
        return lambda _: None

    environ: dict[str, Any] = {"PATH_INFO": PATH, "REMOTE_ADDR": "192.0.2.1", "QUERY_STRING": ""}
    for key, value in _SENT:
        environ["HTTP_" + key.decode().upper().replace("-", "_")] = value.decode()
    setup_testing_defaults(environ)
    body = app(environ, start_response)
    list(body)
    if hasattr(body, "close"):
        body.close()
    return answer[0], answer[1]


def _parts_of(wrapped: Any) -> dict[str, bool] | None:
    """What a client sends by, and whether it is wrapped; None for a client that has no door."""
    libraries = {each.__module__.partition(".")[0] for each in type(wrapped).__mro__}
    if "urllib3" in libraries:
        return {"its way out": _is_door(wrapped)}
    if "requests" in libraries:
        return {f"the adapter of {prefix}": _is_door(adapter) for prefix, adapter in wrapped.adapters.items()}
    if "httpx" in libraries:
        # The doors go the same way: httpx has no public one.
        mounts = {pattern.pattern: each for pattern, each in wrapped._mounts.items() if each is not None}  # noqa: SLF001
        return {"its transport": _is_door(wrapped._transport)} | {  # noqa: SLF001
            f"the transport of {pattern}": _is_door(each) for pattern, each in mounts.items()
        }
    if "aiohttp" in libraries:
        middlewares = wrapped._middlewares  # noqa: SLF001
        return {"its innermost middleware": bool(middlewares) and _is_door(middlewares[-1])}
    return None


def _is_door(part: Any) -> bool:
    return type(part).__module__.startswith("pennon.http.")


def _name_of(written: Any) -> str:
    return str(getattr(written, "__name__", None) or type(written).__name__)
