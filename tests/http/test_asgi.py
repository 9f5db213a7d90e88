"""What the ASGI door alone does; what it has in common with WSGI's is in test_ingress.py."""

import asyncio
from typing import Any

import pytest

from pennon import ambient
from pennon.headers import Contract, DeadlinePolicy, mesh, networks, public
from pennon.http import asgi

CONTRACT = Contract("test", version="1", owner="tests")
TRUSTED = mesh(verify=networks("127.0.0.0/8"))
SENT = [(b"X-Request-Id", b"theirs"), (b"x-correlation-id", b"journey-1"), (b"pennon-decided", b"x")]


class App:
    """It keeps its scopes and whether each had a context."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.had_context: list[bool] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.had_context.append(ambient.current() is not None)
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})


def scope_of(headers: Any, **more: Any) -> dict[str, Any]:
    """A request from loopback."""
    return {"type": "http", "path": "/", "client": ("127.0.0.1", 4711), "headers": list(headers), **more}


def exchange(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """What the application sent."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def test_scope_of_the_server_is_not_edited() -> None:
    """A server may log or reuse it."""
    scope = scope_of(SENT)
    exchange(asgi(App(), CONTRACT, boundary=public()), scope)

    assert SENT == scope["headers"]


def test_lifespan_passes_through() -> None:
    """It is no request: the same scope, no context."""
    app = App()
    scope = {"type": "lifespan", "state": {}}
    exchange(asgi(app, CONTRACT, boundary=public()), scope)

    assert app.scopes[0] is scope
    assert [False] == app.had_context


def test_websocket_has_a_context_and_ids() -> None:
    """From its handshake on, as long as its call."""
    app = App()
    [accept] = exchange(asgi(app, CONTRACT, boundary=TRUSTED), scope_of(SENT, type="websocket", scheme="ws"))

    assert [(b"x-request-id", b"theirs"), (b"x-correlation-id", b"journey-1")] == accept["headers"]
    assert [True] == app.had_context


def test_websocket_over_the_limits_is_refused_before_its_handshake() -> None:
    """With the status where the server can say it, else by closing (RFC 6455, 1008)."""
    sent = [(b"x-%d" % n, b"v") for n in range(5_000)]
    door = asgi(App(), CONTRACT, boundary=public())

    [closed] = exchange(door, scope_of(sent, type="websocket"))
    start, _ = exchange(door, scope_of(sent, type="websocket", extensions={"websocket.http.response": {}}))

    assert {"type": "websocket.close", "code": 1008} == closed
    assert ("websocket.http.response.start", 431) == (start["type"], start["status"])


def test_door_keeps_the_application_at_hand() -> None:
    """So that tools that walk middlewares, ours too, find what is inside."""
    app = App()

    assert app is asgi(app, CONTRACT, boundary=public()).app


@pytest.mark.req(65)
@pytest.mark.parametrize(
    ("extensions", "expected"),
    [({}, {"type": "websocket.close", "code": 1008}), ({"websocket.http.response": {}}, {"status": 504})],
)
def test_late_websocket_is_refused(extensions: Any, expected: dict[str, Any]) -> None:
    """Before it is accepted; with 504 where the server can say it."""
    policy = DeadlinePolicy(accept=["x-request-timeout-ms"], cap_s=60, max_refused_share=1.0)
    contract = Contract("test", version="1", owner="tests", deadline=policy)
    app = App()
    scope = scope_of([(b"x-request-timeout-ms", b"1")], type="websocket", extensions=extensions)
    sent = exchange(asgi(app, contract, boundary=TRUSTED), scope)

    assert [] == app.scopes
    assert expected.items() <= sent[0].items()


def test_headers_may_be_an_iterator() -> None:
    """ASGI says iterable: the application sees them all the same, once the door has read them."""
    app = App()
    exchange(asgi(app, CONTRACT, boundary=TRUSTED), {**scope_of(()), "headers": iter([(b"accept", b"*/*"), *SENT])})
    [inside] = app.scopes

    assert [(b"accept", b"*/*"), (b"x-request-id", b"theirs"), (b"x-correlation-id", b"journey-1")] == inside["headers"]
