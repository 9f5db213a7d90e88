"""What reached the services that a service calls: per downstream the requests and records, as they arrived.

The doors are real; what stands in for the world is what lies behind them: a transport of httpx's, servers on loopback
for requests and aiohttp, a producer that sends nothing.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pennon.headers import Contract

if TYPE_CHECKING:
    import httpx

UNDECLARED: Final = "undeclared"
"""Under this name stands what went to hosts and topics that the contract does not declare."""

# RFC 6761 §6.4: a host that nobody has.
UNDECLARED_HOST: Final = "undeclared.invalid"
UNDECLARED_TOPIC: Final = "undeclared"

_POLL_S: Final = 0.01

Answering = Callable[["httpx.Request"], "httpx.Response | Awaitable[httpx.Response]"]
"""What stands in a downstream's place."""


class Reached(msgspec.Struct, frozen=True):
    """One request or record, as it arrived.

    lines: all its headers in order, names lower-case, bytes as Latin-1. place: host, with a port that was said, or
    topic. path: "" for a record. body: a request's, or a record's value.
    """

    place: str
    lines: tuple[tuple[str, str], ...]
    method: str = ""
    path: str = ""
    body: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        """By name, lower-case; several lines joined by ", " (RFC 9110 §5.2)."""
        joined: dict[str, str] = {}
        for name, value in self.lines:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return joined


class Arrivals(list[Reached]):
    """What reached one downstream, in order."""

    @property
    def last(self) -> Reached:
        """The latest. Raises: AssertionError if nothing came."""
        assert self, "nothing reached this downstream"  # noqa: S101  # it is a test's
        return self[-1]


class DownstreamSpy:
    """Stands behind the doors of a contract: `spy["payments"].last.headers`.

    `transport` goes into an httpx client, sync or async; `producer` under `pennon.kafka.producer`, and under `.aio`'s;
    `loopback()` gives real servers to whatever else connects. All answer 200 and nothing.

    answers: what `transport` answers in a downstream's place, by its name: given the request, an `httpx.Response`, or
        something to await that gives one. The service itself stands there with
        `httpx.ASGITransport(app).handle_async_request`.
    answering: the headers with which it answers else.
    listener: told of each that arrives; within this process, in the task or thread that calls.
    """

    def __init__(self, contract: Contract | None = None) -> None:
        self._contract = contract
        self._reached: dict[str, Arrivals] = {}
        self._lock = Lock()
        self.answers: dict[str, Answering] = {}
        self.answering: tuple[tuple[str, str], ...] = ()
        self.listener: Callable[[Reached], None] | None = None
        self.producer = SpiedProducer(self)

    def watch(self, contract: Contract) -> "DownstreamSpy":
        """Tell downstreams apart by this contract; the spy itself comes back."""
        self._contract = contract
        return self

    def __getitem__(self, downstream: str) -> Arrivals:
        """What reached it. Raises: KeyError if the contract has no downstream of this name."""
        known = () if self._contract is None else self._contract.downstreams
        if downstream != UNDECLARED and downstream not in {each.name for each in known}:
            raise KeyError(f"{downstream!r} is no downstream of the contract that is watched")
        return self._reached.setdefault(downstream, Arrivals())

    def clear(self) -> None:
        """Forget what came."""
        self._reached.clear()

    @property
    def transport(self) -> "httpx.MockTransport":
        """For `httpx.Client(transport=…)` or `AsyncClient`, to be wrapped by `pennon.http.httpx`."""
        import httpx

        def answer(request: httpx.Request) -> Any:
            lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
            url = request.url
            name = self.reach(url.host, url.port, lines, request.method, url.path, request.content)
            given = self.answers.get(name)
            return httpx.Response(200, headers=list(self.answering)) if given is None else given(request)

        return httpx.MockTransport(answer)

    @contextmanager
    def loopback(self) -> Iterator[Contract]:
        """Servers for all declared hosts; the same contract, with their addresses as hosts, and watched."""
        given = self._contract
        if given is None:
            raise ValueError("loopback: watch a contract first")
        servers = {each.name: _server(self, each.name) for each in given.downstreams if each.host is not None}
        moved = [
            dataclasses.replace(each, host=f"127.0.0.1:{servers[each.name].server_port}") if each.host else each
            for each in given.downstreams
        ]
        threads = [Thread(target=each.serve_forever, args=(_POLL_S,)) for each in servers.values()]
        for thread in threads:
            thread.start()
        try:
            self._contract = dataclasses.replace(given, downstreams=moved)
            yield self._contract
        finally:
            self._contract = given
            for server in servers.values():
                server.shutdown()
                server.server_close()
            for thread in threads:
                thread.join()

    def reach(
        self,
        host: str,
        port: int | None,
        lines: list[tuple[str, str]],
        method: str = "",
        path: str = "",
        body: bytes = b"",
    ) -> str:
        """Note a request that arrived at a host; the downstream's name."""
        found = None if self._contract is None else self._contract.downstream_for_host(host, port)
        name = UNDECLARED if found is None else found.name
        self.note(name, Reached(host if port is None else f"{host}:{port}", _folded(lines), method, path, body))
        return name

    def reach_topic(self, topic: str, lines: list[tuple[str, str]], value: bytes = b"") -> None:
        """Note a record that was written to a topic."""
        found = None if self._contract is None else self._contract.downstream_for_topic(topic)
        self.note(UNDECLARED if found is None else found.name, Reached(topic, _folded(lines), body=value))

    def note(self, name: str, reached: Reached) -> None:
        """Note what arrived at a downstream of this name."""
        with self._lock:
            self._reached.setdefault(name, Arrivals()).append(reached)
        if self.listener is not None:
            self.listener(reached)


class SpiedProducer:
    """Takes the place of a confluent-kafka or an aiokafka producer inside our door, and sends nothing.

    As with confluent-kafka's, `poll` and `flush` tell whoever asked in `produce` that the record was delivered.
    """

    def __init__(self, spy: DownstreamSpy) -> None:
        self._spy = spy
        self._delivered: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def produce(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        *_: Any,
        headers: Any = None,
        on_delivery: Any = None,
        callback: Any = None,
        **__: Any,
    ) -> None:
        """As confluent-kafka's."""
        named = list(headers.items() if isinstance(headers, Mapping) else headers or ())
        self._spy.reach_topic(topic, [(name, _text(each)) for name, each in named], _bytes(value))
        told = on_delivery or callback
        if told is not None:
            self._delivered.put(partial(told, None, _message(topic, _bytes(key), _bytes(value), named)))

    def poll(self, timeout: float = -1) -> int:
        """As confluent-kafka's: wait for the first, in seconds; how many were told. Below 0: as long as it takes."""
        try:
            tell = self._delivered.get(timeout=None if timeout < 0 else timeout)
        except Empty:
            return 0
        tell()
        return 1

    async def send(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: Any = None,
        timestamp_ms: Any = None,
        headers: Any = None,
    ) -> None:
        """As aiokafka's."""
        del key, partition, timestamp_ms
        self.produce(topic, value, headers=headers)

    send_and_wait = send

    def flush(self, *_: Any) -> int:
        """As confluent-kafka's: nothing is left."""
        while self.poll(0):
            pass
        return 0

    def __len__(self) -> int:
        return self._delivered.qsize()


def _message(topic: str, key: bytes, value: bytes, headers: list[tuple[str, Any]]) -> SimpleNamespace:
    """A record as it was delivered, with the methods of confluent-kafka's."""
    said = {"topic": topic, "key": key, "value": value, "headers": headers, "partition": 0, "offset": 0, "error": None}
    return SimpleNamespace(**{name: partial(_as_it_is, what) for name, what in said.items()})


def _as_it_is(what: object) -> object:
    return what


def _folded(lines: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in lines)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else bytes(value).decode("latin-1")


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return b"" if value is None else bytes(value)


def _server(spy: DownstreamSpy, name: str) -> ThreadingHTTPServer:
    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            lines = _folded(list(self.headers.raw_items()))
            spy.note(name, Reached(self.headers.get("host", ""), lines, self.command, self.path, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815  # http.server's names

        def log_message(self, *_: Any) -> None:
            """Not to standard error."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Answering)
