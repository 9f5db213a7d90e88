"""What reached the services that a service calls: per downstream the requests and records, as they arrived.

The doors are real; what stands in for the world is what lies behind them: a transport of httpx's, servers on loopback
for requests and aiohttp, a producer that sends nothing.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
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


class Reached(msgspec.Struct, frozen=True):
    """One request or record, as it arrived.

    lines: all its headers in order, names lower-case, bytes as Latin-1. place: host, with a port that was said, or
    topic. path: "" for a record.
    """

    place: str
    lines: tuple[tuple[str, str], ...]
    method: str = ""
    path: str = ""

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

    answering: the headers with which `transport` answers.
    """

    def __init__(self, contract: Contract | None = None) -> None:
        self._contract = contract
        self._reached: dict[str, Arrivals] = {}
        self._lock = Lock()
        self.answering: tuple[tuple[str, str], ...] = ()
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

        def answer(request: httpx.Request) -> httpx.Response:
            lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
            url = request.url
            self.reach(url.host, url.port, lines, request.method, url.path)
            return httpx.Response(200, headers=list(self.answering))

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
        self, host: str, port: int | None, lines: list[tuple[str, str]], method: str = "", path: str = ""
    ) -> None:
        """Note a request that arrived at a host."""
        found = None if self._contract is None else self._contract.downstream_for_host(host, port)
        place = host if port is None else f"{host}:{port}"
        self.note(UNDECLARED if found is None else found.name, place, lines, method, path)

    def reach_topic(self, topic: str, lines: list[tuple[str, str]]) -> None:
        """Note a record that was written to a topic."""
        found = None if self._contract is None else self._contract.downstream_for_topic(topic)
        self.note(UNDECLARED if found is None else found.name, topic, lines)

    def note(self, name: str, place: str, lines: list[tuple[str, str]], method: str = "", path: str = "") -> None:
        """Note what arrived at a downstream of this name."""
        folded = tuple((key.lower(), value) for key, value in lines)
        with self._lock:
            self._reached.setdefault(name, Arrivals()).append(Reached(place, folded, method, path))


class SpiedProducer:
    """Takes the place of a confluent-kafka or an aiokafka producer inside our door, and sends nothing."""

    def __init__(self, spy: DownstreamSpy) -> None:
        self._spy = spy

    def produce(self, topic: str, *_: Any, headers: Any = None, **__: Any) -> None:
        """As confluent-kafka's."""
        self._spy.reach_topic(topic, [(name, _text(value)) for name, value in headers or ()])

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
        del value, key, partition, timestamp_ms
        self.produce(topic, headers=headers)

    send_and_wait = send

    def flush(self, *_: Any) -> int:
        """Nothing waits."""
        return 0

    def __len__(self) -> int:
        return 0


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else bytes(value).decode("latin-1")


def _server(spy: DownstreamSpy, name: str) -> ThreadingHTTPServer:
    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            spy.note(name, self.headers.get("host", ""), list(self.headers.raw_items()), self.command, self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815  # http.server's names

        def log_message(self, *_: Any) -> None:
            """Not to standard error."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Answering)
