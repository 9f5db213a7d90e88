"""Secrets, random per run, planted in every header of requests to a real service, looked for wherever it left a word.

The service (services/planted.py) stands at a public boundary, behind an ASGI and a WSGI door. It logs all headers,
fails with headers in its exceptions, calls three hosts and writes to two topics. What may pass where is stated in
MAY_PASS; a second run, in which the service says one header raw everywhere, shows for each channel that the search
would find it.
"""

import base64
import binascii
import json
import re
import secrets
import socket
import string
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import unquote_to_bytes

import confluent_kafka
import httpx
import pytest

from pennon.journeys import Memory, create_app

pytestmark = [pytest.mark.system, pytest.mark.kafka, pytest.mark.slow]

LENGTH = 24
TIMEOUT_S = 60.0

ENCODINGS: Final[dict[str, Callable[[str], str]]] = {
    "plain": str,
    "percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "base64": lambda text: base64.b64encode(f"{text}?~".encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(f"{text}?~".encode()).decode().rstrip("="),
    "upper": str.upper,
    "lower": str.lower,
    "swapped": str.swapcase,
}

# Header -> the value around a secret. Those of standards have their shape, so that they are read and not just dropped.
PLANTED: Final = {
    "authorization": "Bearer {}",
    "proxy-authorization": "Basic {}",
    "cookie": "theme=dark; sid={}",
    "x-api-key": "{}",
    "api-key": "{}",
    "x-auth-token": "{}",
    "x-session-id": "{}",
    "x-csrf-token": "{}",
    "x-amz-security-token": "{}",
    "x-vault-token": "{}",
    "x-debug": "{}",
    "dpop": "{}",
    "signature": "sig1=:{}:",
    "signature-input": 'sig1=("@path");nonce="{}"',
    "pennon-override": "{}",
    "pennon-context": "{}",
    "pennon-decided": "{}",
    "pennon-else": "{}",
    "x-tenant-id": "{}",
    "x-actor-id": "{}",
    "x-actor-type": "{}",
    "x-on-behalf-of": "{}",
    "x-caller-service": "{}",
    "x-user-email": "{}",
    "forwarded": 'for="_{}";host="{}"',
    "x-forwarded-for": "{}",
    "x-forwarded-client-cert": "{}",
    "x-real-ip": "{}",
    "tracestate": "vendor={}",
    "x-request-id": "{}",
    "x-correlation-id": "{}",
    "idempotency-key": '"{}"',
    "user-agent": "{}",
    "referer": "{}",
    "origin": "{}",
    "from": "{}",
    "x-unknown": "{}",
    "another-unknown": "{}",
    "link": "<{}>",
    "x-region": "{}",
    "accept": "text/{}",
}
BAGGAGE: Final = {"tenant.tier": "{}", "user.id": "{};secret={}", "promo": "{}", "pennon": "{}", "pennon-else": "{}"}

LOGS: Final = ("logging.log", "structlog.log", "stderr")
FILES: Final = ("logging.log", "structlog.log", "spans.json", "metrics.json")
SPANS: Final = ("spans.json", "journeys' answers", "journeys' memory")
# The message of an exception stands in logs, and on the span on which it ended.
SAID: Final = (*LOGS, "spans.json")
OURS: Final = ("declared host", "declared topic")
CHANNELS: Final = (
    *LOGS, "stdout", "metrics.json", *SPANS, *OURS, "external host", "undeclared host", "undeclared topic", "answers",
)  # fmt: skip

# What is planted where -> the channels in which it may be found, and why the contract lets it.
MAY_PASS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "x-correlation-id": (
        (*LOGS, *SPANS, *OURS, "external host", "answers"),
        "anybody's word, opaque by declaration, logged in clear; goes to every declared downstream",
    ),
    "x-request-id": (LOGS, "a stranger's own name for its request is caller_request_id: for logs alone"),
    "baggage tenant.tier": (OURS, "the contract allows this member, and no external downstream gets baggage"),
    "identity": (OURS, "tenant and actor are verified, and go in clear where the contract says so, else as a hash"),
    "accept": (SAID, "public by its declaration in std, and said in clear"),
    "x-region": (SAID, "internal by its declaration in std, and said in clear"),
    "x-caller-service": (SAID, "likewise"),
}


def new_secret() -> str:
    """Letters of both cases and digits; nothing else is like it."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(LENGTH))


def readings(found: bytes) -> Iterator[bytes]:
    """The bytes, and what they read as percent-decoded, unescaped, and with each chunk of base64 decoded; twice."""
    level = [found]
    for _ in range(3):
        yield from (each.lower() for each in level)
        level = [decoded for each in level for decoded in _decoded(each)]


def _decoded(found: bytes) -> Iterator[bytes]:
    if b"%" in found:
        yield unquote_to_bytes(found)
    if b"\\" in found:
        yield found.replace(b"\\", b"")
    chunks = re.findall(rb"[A-Za-z0-9+/_\-]{24,}", found)
    decoded = [part for chunk in chunks for offset in range(4) if (part := _from_base64(chunk[offset:]))]
    if decoded:
        yield b"\n".join(decoded)


def _from_base64(chunk: bytes) -> bytes:
    plain = chunk.translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(plain[: len(plain) // 4 * 4])
    except binascii.Error:
        return b""


@dataclass
class Run:
    """What was planted, by secret, and what was found in each channel."""

    planted: dict[str, str] = field(default_factory=dict)
    leaked: dict[str, str] = field(default_factory=dict)
    channels: dict[str, bytes] = field(default_factory=dict)

    def plant(self, name: str, template: str, encode: Callable[[str], str]) -> str:
        """The value of a header, each of its secrets new."""
        while "{}" in template:
            secret = new_secret()
            self.planted[secret] = name
            template = template.replace("{}", encode(secret), 1)
        return template

    def names_found(self, channel: str, among: dict[str, str]) -> set[str]:
        """Where the secrets were planted that are found in a channel."""
        read = list(readings(self.channels[channel]))
        return {name for secret, name in among.items() if any(secret.lower().encode() in each for each in read)}


class Spy:
    """A host that keeps every request as it came."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                heard.append(f"{self.requestline}\n{self.headers}")
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def ask(port: int, path: str, headers: list[tuple[str, str]]) -> bytes:
    """Over a raw socket; the whole answer."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    request = f"GET {path} HTTP/1.1\r\nHost: planted\r\nConnection: close\r\n{lines}\r\n".encode("latin-1")
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return answer


def headers_of(run: Run, encode: Callable[[str], str]) -> list[tuple[str, str]]:
    """Every header, with new secrets in this encoding."""
    headers = [(name, run.plant(name, template, encode)) for name, template in PLANTED.items()]
    members = [f"{key}={run.plant(f'baggage {key}', template, encode)}" for key, template in BAGGAGE.items()]
    parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return [*headers, ("traceparent", parent), ("baggage", ",".join(members))]


def records_of(bootstrap: str, topic: str) -> bytes:
    """All that stands in a topic."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": topic,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    found = b""
    try:
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, confluent_kafka.OFFSET_BEGINNING)])
        while (record := consumer.poll(TIMEOUT_S)) is not None:
            if (error := record.error()) is not None:
                assert confluent_kafka.KafkaError._PARTITION_EOF == error.code(), error
                break
            found += repr((record.headers(), record.key(), record.value())).encode()
    finally:
        consumer.close()
    return found


def answers_of(journeys: str) -> bytes:
    """Everything that the journeys app says."""
    with httpx.Client(base_url=journeys, timeout=TIMEOUT_S) as http:
        listed = http.get("/api/journeys", params={"limit": 200})
        ids = [each["trace_id"] for each in listed.json()["items"]]
        assert ids, "no span came in"
        return b"".join((listed.content, *(http.get(f"/api/journeys/{each}").content for each in ids)))


@contextmanager
def a_run(tools: Any, processes: Any, kafka: Any, serving: Any, *, leaky: bool) -> Iterator[Run]:
    """One life of the service: every request in every encoding, through both doors, and all that it left behind."""
    run = Run()
    folder: Path = processes.folder
    memory = Memory()
    with ExitStack() as stack:
        journeys = stack.enter_context(serving(create_app(memory=memory, control=None, page_token="t")))
        spies = {name: stack.enter_context(Spy()) for name in ("declared", "external", "undeclared")}
        topics = {name: kafka.fresh_topic(f"planted-{name}") for name in ("declared", "undeclared")}
        settings = {
            "folder": str(folder),
            "journeys": journeys,
            "hosts": {name: spy.address for name, spy in spies.items()},
            "topics": topics,
            "kafka": kafka.bootstrap,
            "leaky": leaky,
            "port": tools.free_port(),
            "wsgi_port": tools.free_port(),
            "tenant": run.plant("identity", "{}", str),
            "actor": run.plant("identity", "{}", str),
        }
        command = [sys.executable, str(tools.services / "planted.py")]
        service = processes.start("planted", command, PLANTED=json.dumps(settings))
        ports = (settings["port"], settings["wsgi_port"])
        tools.wait_until(lambda: all(map(_listens, ports)), saying=service.log)
        answers = b"".join(_ask_everything(run, *ports, leaky=leaky))
        assert 0 == service.end(), service.log()
        run.channels = {
            **{name: (folder / name).read_bytes() for name in FILES},
            "stdout": service.said().encode(),
            "stderr": (folder / "planted.log").read_bytes(),
            "journeys' answers": answers_of(journeys),
            "journeys' memory": repr(
                [hop for each in memory._journeys.values() for hop in each.hops.values()]
            ).encode(),
            **{f"{name} host": "\n".join(spy.heard).encode() for name, spy in spies.items()},
            **{f"{name} topic": records_of(kafka.bootstrap, topic) for name, topic in topics.items()},
            "answers": answers,
        }
    yield run


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ask_everything(run: Run, port: int, wsgi_port: int, *, leaky: bool) -> Iterator[bytes]:
    for encoding, encode in ENCODINGS.items():
        if leaky:
            run.leaked[secret := new_secret()] = encoding
            yield ask(port, "/leak", [("x-api-key", encode(secret))])
            continue
        for at, path in ((port, "/"), (wsgi_port, "/"), (port, "/fail")):
            answer = ask(at, path, headers_of(run, encode))
            assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200", b"HTTP/1.1 500")), answer
            yield answer
        yield from _refused(run, port, wsgi_port, encode)


def _refused(run: Run, port: int, wsgi_port: int, encode: Callable[[str], str]) -> Iterator[bytes]:
    """Requests that are turned away, by us or by the server: too many headers, too long ones, and broken ones."""
    many = [*[("x-many", "1")] * 120, ("x-many", run.plant("x-many", "{}", encode))]
    long = [("baggage", "a=" + "b" * 8_200 + run.plant("baggage a", "{}", encode))]
    large = [("x-large", "c" * 16_400 + run.plant("x-large", "{}", encode))]
    for at in (port, wsgi_port):
        for headers in (many, long, large):
            answer = ask(at, "/", headers)
            assert b" 431 " in answer.partition(b"\r\n")[0], answer
            yield answer
    broken = ask(port, "/", [("x-broken", run.plant("x-broken", "{}\0", encode))])
    assert b" 400 " in broken.partition(b"\r\n")[0], broken
    yield broken


@pytest.fixture(scope="module")
def run(tools: Any, kafka: Any, serving: Any, started: Any) -> Iterator[Run]:
    with started() as processes, a_run(tools, processes, kafka, serving, leaky=False) as done:
        yield done


@pytest.fixture(scope="module")
def leaky_run(tools: Any, kafka: Any, serving: Any, started: Any) -> Iterator[Run]:
    with started() as processes, a_run(tools, processes, kafka, serving, leaky=True) as done:
        yield done


@pytest.mark.req(12, 96, 97, 105, 119)
@pytest.mark.parametrize("channel", CHANNELS)
def test_no_secret_is_found_where_the_contract_does_not_let_it(channel: str, run: Run) -> None:
    """In no encoding, whichever header it was planted in; what may pass is in the table, with the reason."""
    assert run.channels[channel], "nothing was recorded"
    may_pass = {name for name, (channels, _) in MAY_PASS.items() if channel in channels}

    assert set() == run.names_found(channel, run.planted) - may_pass


@pytest.mark.req(119)
@pytest.mark.parametrize("channel", CHANNELS)
def test_search_finds_a_leak_in_every_encoding(channel: str, leaky_run: Run) -> None:
    """One header, said raw on this channel on purpose: a search that misses it proves nothing."""
    assert set(ENCODINGS) == leaky_run.names_found(channel, leaky_run.leaked)


@pytest.mark.parametrize("name", ["x-correlation-id", "baggage tenant.tier"])
def test_what_may_pass_does_pass(name: str, run: Run) -> None:
    """The channels were listening, and the service did its work."""
    assert all(name in run.names_found(channel, run.planted) for channel in OURS)


def test_table_names_what_is_planted() -> None:
    """An exception for nothing would hide a mistake."""
    planted = {*PLANTED, *(f"baggage {key}" for key in BAGGAGE), "identity"}

    assert MAY_PASS.keys() <= planted
    assert {channel for channels, _ in MAY_PASS.values() for channel in channels} <= set(CHANNELS)
