"""A scriptable server on loopback, and clients with little patience that follow it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest

import pennon
from pennon.carry import fingerprint_of
from pennon.client import Client, Timing
from pennon.context import (
    Entry,
    Environment,
    Identity,
    Ledger,
    Origin,
    RequestContext,
    RequestId,
    SpanId,
    Trace,
    TraceId,
)
from pennon.counters import Count, samples
from pennon.flags import (
    BUCKETS,
    EqualsClause,
    FlagRecord,
    FlagType,
    RuleRecord,
    RulesetRecord,
    ServeRecord,
    SplitRecord,
    VariantRecord,
    encode_ruleset,
    ranges_of,
)
from pennon.sync import Message, Ping, encode_message

TOKEN = "pn_sdk_test"
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Reply:
    """An answer that is not the usual one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Seen:
    """A request that the server got."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Stream:
    """One open stream, spoken to by the test."""

    def __init__(self, headers: Mapping[str, str], write: Callable[[bytes], object]) -> None:
        self.headers = headers
        self.opened_s = monotonic()
        self._write = write
        self.ended = Event()

    def send(self, *messages: Message) -> None:
        """Send messages, all in one write."""
        self.send_raw(b"".join(map(encode_message, messages)))

    def send_raw(self, data: bytes) -> None:
        """Send any bytes."""
        self._write(data)

    def cut(self) -> None:
        """End it."""
        self.ended.set()


class Server:
    """A control plane that says what a test tells it to say. Unscripted it serves `ruleset` and opens streams."""

    def __init__(self) -> None:
        self.ruleset: RulesetRecord | None = None
        self.seen: list[Seen] = []
        self.exposures: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        # What each stream begins with, as soon as it is open.
        self.greeting: tuple[Message, ...] = ()
        self._streams: Queue[Stream] = Queue()
        self._open: list[Stream] = []
        self._scripts: dict[str, list[Reply]] = {}
        self._for_ever: dict[str, Reply] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._get(self)

            def do_POST(self) -> None:
                server._post(self)

            def log_message(self, *_: object) -> None:
                """Not into the test's output."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def script(self, path: str, *replies: Reply) -> None:
        """Answer the next requests for this path so; afterwards as usual."""
        self._scripts.setdefault(path, []).extend(replies)

    def script_for_ever(self, path: str, reply: Reply) -> None:
        """Answer all requests for this path so, until `forget_script`."""
        self._for_ever[path] = reply

    def forget_script(self, path: str) -> None:
        """Answer as usual again."""
        del self._for_ever[path]

    def accept(self) -> Stream:
        """The next stream that a client opens."""
        return self._streams.get(timeout=PATIENCE_S)

    def has_no_stream(self) -> bool:
        """Whether no client has opened one that was not accepted."""
        try:
            self._streams.get_nowait()
        except Empty:
            return True
        return False

    def seen_at(self, path: str) -> list[Seen]:
        """The requests for this path."""
        return [seen for seen in list(self.seen) if seen.path == path]

    def close(self) -> None:
        for stream in self._open:
            stream.cut()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        if self._is_scripted(handler, b""):
            return
        if handler.path == "/v1/sdk/stream":
            self._stream(handler)
        elif handler.path == "/v1/sdk/ruleset" and self.ruleset is not None:
            etag = f'"{self.ruleset.epoch}.{self.ruleset.revision}"'
            is_known = handler.headers.get("if-none-match") == etag
            headers = {"content-type": "application/json", "etag": etag}
            reply = Reply(304, headers) if is_known else Reply(200, headers, encode_ruleset(self.ruleset))
            _answer(handler, reply)
        else:
            _answer(handler, Reply(404))

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        if self._is_scripted(handler, body):
            return
        sent = json.loads(body)
        if handler.path == "/v1/sdk/reports":
            self.reports.append(sent)
        else:
            self.exposures.extend(sent["exposures"])
        _answer(handler, Reply(200, {"content-type": "application/json"}, b"{}"))

    def _is_scripted(self, handler: BaseHTTPRequestHandler, body: bytes) -> bool:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.seen.append(Seen(handler.path, headers, body))
        script = self._scripts.get(handler.path)
        reply = script.pop(0) if script else self._for_ever.get(handler.path)
        if reply is not None:
            _answer(handler, reply)
        return reply is not None

    def _stream(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.end_headers()
        headers = {name.lower(): value for name, value in handler.headers.items()}
        stream = Stream(headers, handler.wfile.write)
        self._open.append(stream)
        # Somebody who has hung up already is greeted on the next one.
        with suppress(OSError):
            stream.send(*self.greeting)
        self._streams.put(stream)
        stream.ended.wait()


def _answer(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(reply.body)))
    handler.end_headers()
    if reply.status != 304:
        handler.wfile.write(reply.body)


@pytest.fixture
def server() -> Iterator[Server]:
    """A scriptable server."""
    server = Server()
    yield server
    server.close()


Connect = Callable[..., Client]


@pytest.fixture
def timing() -> Callable[..., Timing]:
    """Short pauses and long limits, but for those that a test names."""
    pauses = {"base_s": 0.01, "cap_s": 0.05, "poll_s": 0.02, "resync_s": 0.02, "flush_s": 0.02}
    limits = {"silence_s": PATIENCE_S, "connect_s": PATIENCE_S, "close_s": PATIENCE_S}

    def make(**bent: float) -> Timing:
        return Timing(**{**pauses, **limits, **bent})  # type: ignore[arg-type]

    return make


@pytest.fixture
def connect(server: Server, timing: Callable[..., Timing]) -> Iterator[Connect]:
    """Makes clients of the server, quick to try again; closes them in the end.

    What ends by the clock does so after a time that no machine stands still for, unless a test bends it.
    """
    clients: list[Client] = []

    def make(url: str = server.url, **bent: float) -> Client:
        clients.append(pennon.connect(url, token=TOKEN, timing=timing(**bent)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


class Make:
    """Builds records and requests."""

    ENVIRONMENT = Environment(7, "production", "salt")
    BOOLEAN = (VariantRecord("on", 1, value=True), VariantRecord("off", 2, value=False))

    Reply = Reply
    Ping = Ping

    def flag(self, key: str = "checkout", *, serve: str = "on", **fields: Any) -> FlagRecord:
        """A boolean flag that everybody gets one variant of."""
        given = {"id": 10, "revision": 1, "fallthrough": ServeRecord(serve), **fields}
        return FlagRecord(key=key, type=FlagType.BOOLEAN, variants=self.BOOLEAN, off="off", **given)

    def valued(self, key: str, flag_type: FlagType, *values: Any, **fields: Any) -> FlagRecord:
        """A flag of this type that serves the first of these values; variants "v0", "v1" and so on."""
        variants = tuple(VariantRecord(f"v{at}", at, value) for at, value in enumerate(values))
        given = {"id": 20, "revision": 1, "fallthrough": ServeRecord("v0"), **fields}
        return FlagRecord(key=key, type=flag_type, variants=variants, off=variants[-1].key, **given)

    def split(self, key: str = "checkout", *, coverage: int = BUCKETS, phase: int = 1, **fields: Any) -> FlagRecord:
        """A boolean flag split in halves."""
        ranges = ranges_of((("on", 50_000), ("off", 50_000)), coverage)
        serve = ServeRecord(split=SplitRecord("m3-cbor", "salt", phase, ranges, "off"))
        return self.flag(key, fallthrough=serve, **{"carry": True, **fields})

    def rule(self, attribute: str, value: Any, serve: str, rule_id: str = "r1") -> RuleRecord:
        """A rule that holds where the attribute is this value."""
        return RuleRecord(rule_id, (EqualsClause(attribute, value),), ServeRecord(serve))

    def ruleset(self, *flags: FlagRecord, revision: int = 1, epoch: int = 1, **fields: Any) -> RulesetRecord:
        """A ruleset of these flags."""
        return RulesetRecord(self.ENVIRONMENT, epoch, revision, flags={flag.key: flag for flag in flags}, **fields)

    def request(
        self, units: Mapping[str, str] | None = None, attributes: Mapping[str, Any] | None = None, **fields: Any
    ) -> RequestContext:
        """A request of these units."""
        trace = Trace(TraceId("0af7651916cd43dd8448eb211c80319c"), SpanId("b7ad6b7169203331"), None, 1, "")
        identity = Identity(units=units or {}, attributes=attributes or {})
        return RequestContext(trace, RequestId("request"), Ledger(), identity=identity, **fields)

    def arrived(
        self, context: RequestContext, *, flag_id: int = 10, kind: str = "user", unit: str = "u", **fields: Any
    ) -> Entry:
        """Let a decision have arrived with a request; by default "on" for user u, made by the split at revision 1."""
        fingerprint = fingerprint_of(self.ENVIRONMENT.salt, kind, unit)
        usual = {"epoch": 1, "variant_id": 1, "origin": Origin.SPLIT, "revision": 1, "decided_min": 29_000_000}
        entry = Entry(**{"environment": 7, "fingerprint": fingerprint, "flag_id": flag_id, **usual, **fields})
        arrived = context.ledger.arrived
        arrived[7, flag_id] = (*arrived.get((7, flag_id), ()), entry)
        return entry


@pytest.fixture
def counted() -> Callable[[Count], dict[str, int]]:
    """What a counter has counted since the test began, by cause."""

    def readings(name: Count) -> dict[str, int]:
        return {each.cause: each.total for each in samples() if each.name is name}

    before = {name: readings(name) for name in Count}

    def since(name: Count) -> dict[str, int]:
        totals = {cause: total - before[name].get(cause, 0) for cause, total in readings(name).items()}
        return {cause: total for cause, total in totals.items() if total}

    return since


@pytest.fixture
def make() -> Make:
    """Builds records and requests."""
    return Make()
