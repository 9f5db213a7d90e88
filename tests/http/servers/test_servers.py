"""Both ingress doors behind the servers that people run: how requests and WebSockets end, and how they are refused."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import websockets.sync.client

import pennon.http
from pennon import ambient
from pennon.carry import encode_entries
from pennon.context import Entry, Origin, RequestContext
from pennon.headers import Budgets, Contract, mesh, networks

pytestmark = pytest.mark.slow

MEMBER = encode_entries([Entry(1, 2, 3, 29_000_000, 7, 1, Origin.SPLIT, 41)]).value.encode()
PLAIN = b"x-request-id: theirs\r\n"

SendRaw = Callable[..., tuple[bytes, bytes]]


@pytest.fixture(scope="module")
def servers(behind: Callable[[str], dict[str, str]]) -> dict[str, str]:
    """Their addresses by name."""
    return behind("app")


@pytest.mark.parametrize("server", ["gunicorn", "gunicorn, threads", "wsgiref"])
def test_wsgi_server_ends_each_request(server: str, servers: dict[str, str], send_raw: SendRaw) -> None:
    """A body in steps, one that is written, one that fails half-way: each is answered, and its ledger is sealed."""
    host = servers[server]
    head, body = send_raw(host, PLAIN)
    assert b"theirs" in [line.partition(b": ")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"x-req")]
    assert b'"is_theirs": true' in body
    assert b'"is_theirs": true' in send_raw(host, PLAIN, "/written")[1]
    send_raw(host, PLAIN, "/fails")

    _, sealed = send_raw(host, b"", "/sealed")

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
            answers.append(connection.recv(timeout=60))
        first = contexts[0]
        assert first is not None
        assert not first.ledger.is_sealed
    assert is_over.wait(60)

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
