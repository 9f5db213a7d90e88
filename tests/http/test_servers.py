"""Both ingress doors behind the servers that people run, asked over raw sockets."""

import asyncio
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import hypercorn.asyncio
import hypercorn.config
import pytest
import websockets.sync.client

import pennon.http
from pennon import ambient
from pennon.carry import encode_entries
from pennon.context import Entry, Origin, RequestContext
from pennon.headers import Budgets, Contract, mesh, networks

pytestmark = pytest.mark.slow

PROBED = Path(__file__).parent / "probed"
MEMBER = encode_entries([Entry(1, 2, 3, 29_000_000, 7, 1, Origin.SPLIT, 41)]).value.encode()
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def by_wsgiref(probed: Any) -> Iterator[str]:
    """The standard library's, which lets names with underscores through."""
    server = make_server("127.0.0.1", 0, probed.wsgi_app, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@contextmanager
def by_gunicorn(*options: str) -> Iterator[str]:
    """One worker process on a socket that is already listening."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bind = ("--bind", f"fd://{listener.fileno()}")
        command = [sys.executable, "-m", "gunicorn", "app:wsgi_app", "--chdir", str(PROBED), *bind, *options]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GUNICORN")}
        process = subprocess.Popen(
            command, pass_fds=[listener.fileno()], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


@contextmanager
def by_hypercorn(probed: Any) -> Iterator[str]:
    """Its asyncio worker, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = hypercorn.config.Config()
        config.bind = [f"fd://{os.dup(listener.fileno())}"]
        config.errorlog = None
        loop = asyncio.new_event_loop()
        over = asyncio.Event()
        serving = hypercorn.asyncio.serve(probed.asgi_app, config, shutdown_trigger=over.wait)
        thread = threading.Thread(target=loop.run_until_complete, args=(serving,))
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join(20)
            loop.close()


@pytest.fixture(scope="module")
def probed() -> Any:
    """The application, in this process."""
    spec = importlib.util.spec_from_file_location("pennon_probed", PROBED / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def servers(probed: Any, serve_on: Callable[..., str]) -> Iterator[dict[str, str]]:
    """Their addresses by name."""
    with ExitStack() as stack:
        yield {
            "uvicorn": serve_on(probed.asgi_app, http="httptools"),
            "uvicorn, h11": serve_on(probed.asgi_app, http="h11", h11_max_incomplete_event_size=4_000_000),
            "hypercorn": stack.enter_context(by_hypercorn(probed)),
            "gunicorn": stack.enter_context(by_gunicorn()),
            "gunicorn, threads": stack.enter_context(by_gunicorn("--worker-class", "gthread", "--threads", "2")),
            "wsgiref": stack.enter_context(by_wsgiref(probed)),
        }


def ask(host: str, lines: bytes, path: str = "/") -> tuple[int, dict[str, Any] | None]:
    """The status of the answer to a request with these header lines, and what the application knew, if it was asked."""
    head, body = answer_of(host, lines, path)
    status = int(head.split(b" ", 2)[1])
    return status, json.loads(body) if status == 200 else None


def answer_of(host: str, lines: bytes, path: str = "/") -> tuple[bytes, bytes]:
    """Head and body of the answer; empty if the server just hung up."""
    address, _, port = host.partition(":")
    with socket.create_connection((address, int(port)), timeout=20) as connection:
        received = b""
        try:
            connection.sendall(
                b"GET " + path.encode() + b" HTTP/1.1\r\nhost: here\r\nconnection: close\r\n" + lines + b"\r\n"
            )
            while chunk := connection.recv(65_536):
                received += chunk
        except ConnectionError:
            pass  # it has answered and closed before it had read all, or refused without a word
    head, _, body = received.partition(b"\r\n\r\n")
    return head or b"HTTP/1.1 400 ", body


PLAIN = (
    b"traceparent: " + PARENT + b"\r\nx-request-id: theirs\r\nX-Correlation-Id: journey-1\r\nX-Tenant-Id: acme\r\n"
    b"baggage: region=e+u;p=1,pennon=" + MEMBER + b"\r\n"
)
PROBES = {
    "plain": PLAIN,
    "nothing": b"",
    "equal request ids": PLAIN + b"x-request-id: theirs\r\n",
    "two request ids": PLAIN + b"x-request-id: another\r\n",
    "equal tenants": PLAIN + b"X-Tenant-ID: acme\r\n",
    "two tenants": PLAIN + b"X-Tenant-ID: evil\r\n",
    "two traceparents": PLAIN + b"traceparent: " + PARENT + b"\r\n",
    "baggage in lines": PLAIN + b"Baggage: own=1\r\nbaggage: other=2\r\n",
    "tenant's twin": b"X_Tenant_Id: evil\r\n",
    "tenant and its twin": b"X-Tenant-Id: acme\r\nX_Tenant_Id: evil\r\n",
    "broken traceparent": b"traceparent: 00-" + b"z" * 51 + b"\r\n",
    "bytes that are no UTF-8": b"baggage: k=\xff\xfe\r\nx-request-id: \xff\r\ntraceparent: \xfe\r\n",
    "8,000 commas": b"baggage: " + b"," * 8_000 + b"\r\n",
    "9,000 bytes of baggage": b"baggage: k=" + b"a" * 9_000 + b"\r\n",
    "200 members": b"baggage: " + b",".join(b"k%d=v" % n for n in range(200)) + b"\r\n",
    "5,000 headers": b"".join(b"x-%d: v\r\n" % n for n in range(5_000)),
    "1 MB": b"x-big: " + b"a" * 1_000_000 + b"\r\n",
    "NUL": b"x-request-id: a\x00b\r\n",
    "folded": b"x-request-id: a\r\n b\r\n",
}


@pytest.mark.parametrize("probe", PROBES)
def test_every_server_refuses_a_request_or_gives_it_the_same_context(probe: str, servers: dict[str, str]) -> None:
    """Neither parser nor protocol decides what is believed."""
    answers = {name: ask(host, PROBES[probe]) for name, host in servers.items()}

    assert all(status == 200 or 400 <= status < 500 for status, _ in answers.values()), answers
    known = {name: context for name, (_, context) in answers.items() if context is not None}
    fields = {name: context.pop("fields") for name, context in known.items()}
    # It lets names with underscores through, so there the field is given up altogether.
    assert {} == fields.pop("wsgiref", {})
    assert 1 >= len({json.dumps(each, sort_keys=True) for each in fields.values()}), fields
    assert 1 >= len({json.dumps(each, sort_keys=True) for each in known.values()}), known
    assert "evil" not in str(fields)
    if probe == "plain":
        assert set(servers) == set(known)
        assert {"x-tenant-id": "acme"} == fields["gunicorn"]
        assert [[1, 7]] == known["gunicorn"]["arrived"]
    if probe in ("9,000 bytes of baggage", "5,000 headers", "1 MB"):
        assert {} == known


@pytest.mark.parametrize("server", ["gunicorn", "gunicorn, threads", "wsgiref"])
def test_wsgi_server_ends_each_request(server: str, servers: dict[str, str]) -> None:
    """A body in steps, one that is written, one that fails half-way: each is answered, and its ledger is sealed."""
    host = servers[server]
    head, body = answer_of(host, PLAIN)
    assert b"theirs" in [line.partition(b": ")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"x-req")]
    assert b'"is_theirs": true' in body
    assert b'"is_theirs": true' in answer_of(host, PLAIN, "/written")[1]
    answer_of(host, PLAIN, "/fails")

    _, sealed = answer_of(host, b"", "/sealed")

    found = json.loads(sealed)
    assert len(found) >= 3
    assert all(found)


@pytest.mark.parametrize("implementation", ["websockets-sansio", "wsproto"])
def test_context_of_a_websocket_lives_as_long_as_its_call(
    implementation: str, serve: Callable[..., str], decide: Callable[[str], str]
) -> None:
    """From the handshake, which names the ids, through all messages, until the application has returned."""
    contexts: list[RequestContext | None] = []
    is_over = threading.Event()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                contexts.append(ambient.current())
                if message["type"] == "websocket.connect":
                    await send({"type": "websocket.accept", "headers": [(b"x-request-id", b"its own")]})
                else:
                    await send({"type": "websocket.send", "text": decide(message["text"])})
            contexts.append(ambient.current())
        finally:
            is_over.set()

    contract = Contract("test", version="1", owner="tests")
    host = serve(pennon.http.asgi(app, contract, boundary=mesh(verify=networks("127.0.0.0/8"))), ws=implementation)
    headers = {"x-request-id": "theirs", "baggage": f"pennon={MEMBER.decode()}"}
    with websockets.sync.client.connect(f"ws://{host}/", additional_headers=headers, proxy=None) as connection:
        assert connection.response is not None
        assert ["theirs"] == connection.response.headers.get_all("x-request-id")
        answers = []
        for variant in ("blue", "green"):
            connection.send(variant)
            answers.append(connection.recv(timeout=10))
        first = contexts[0]
        assert first is not None
        assert not first.ledger.is_sealed
    assert is_over.wait(10)

    assert ["blue", "blue"] == answers
    assert [first] * 4 == contexts
    assert [(1, 7)] == list(first.ledger.arrived)


def test_websocket_over_the_limits_is_refused_in_its_handshake(serve: Callable[..., str]) -> None:
    """With our status, by a server that can say it; the application is not called."""

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise AssertionError("called")

    contract = Contract("test", version="1", owner="tests", budgets=Budgets(total_count=20))
    host = serve(pennon.http.asgi(app, contract, boundary=mesh()), ws="websockets-sansio")
    headers = {f"x-{number}": "v" for number in range(30)}
    with (
        pytest.raises(websockets.exceptions.InvalidStatus) as raised,
        websockets.sync.client.connect(f"ws://{host}/", additional_headers=headers, proxy=None),
    ):
        pass

    assert 431 == raised.value.response.status_code
