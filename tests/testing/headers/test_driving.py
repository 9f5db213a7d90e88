"""A request in this process comes to an end, whatever the application waits for."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import StreamingResponse

from pennon.testing.headers import driving


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "PATIENCE_S", 0.05)


async def endless(scope: Any, receive: Any, send: Any) -> None:
    """A stream like that of events."""

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"piece"

    await StreamingResponse(pieces(), headers={"x-request-id": "r1"})(scope, receive, send)


async def waiting(_scope: Any, receive: Any, send: Any) -> None:
    """Answers when the client has left, as one that is polled may."""
    while (await receive())["type"] != "http.disconnect":
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})


def test_stream_without_an_end_is_answered_by_what_came_of_it() -> None:
    """The client leaves after a while, as real ones do."""
    answer = driving.drive(endless, (), address="10.0.0.1")
    assert (200, ["r1"], None) == (answer.status, answer.lines("x-request-id"), answer.raised)
    assert answer.body.startswith(b"piecepiece")


def test_service_that_waits_for_the_client_to_leave_fails_as_one_that_did_not_answer() -> None:
    """Nothing that it sends then comes anywhere."""
    answer = driving.drive(waiting, (), address="10.0.0.1")
    assert (500, "OSError") == (answer.status, answer.raised)
