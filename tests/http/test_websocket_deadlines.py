"""A WebSocket is a connection: the deadline of its request ends with the handshake."""

import asyncio
from typing import Any

import pytest

import pennon
import pennon.http
from pennon import deadlines
from pennon.context import Deadline
from pennon.headers import Contract, DeadlinePolicy, public

CONTRACT = Contract("chat", version="1", owner="team-chat", deadline=DeadlinePolicy(accept=[], cap_s=30))


@pytest.mark.req(107, 122)
@pytest.mark.parametrize(("kind", "is_limited"), [("http", True), ("websocket", False)])
def test_what_a_websocket_does_later_is_not_cut_off(kind: str, is_limited: bool) -> None:
    """It stays open for hours, and every call for one of its messages would be too late after the first 30 seconds."""
    found: list[Deadline | float | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        context = pennon.current()
        assert context is not None
        found.extend((context.deadline, deadlines.remaining_s()))

    door: Any = pennon.http.asgi(app, CONTRACT, boundary=public())
    asyncio.run(door({"type": kind, "path": "/", "headers": []}, None, None))
    assert [is_limited, is_limited] == [each is not None for each in found]
