"""Lanes, and the access log around everything."""

import asyncio
import threading
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from pennon.web import AccessLog, Lane


def test_lane_over_its_bound_sheds_with_retry_after() -> None:
    """One runs, one waits, the third is told to come back; both others finish."""

    async def scenario() -> tuple[int, str, list[str]]:
        lane, gate = Lane(threads=1, waiting_limit_count=1), threading.Event()

        def call() -> str:
            gate.wait(60)
            return "done"

        running = [asyncio.create_task(lane.run(call)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(HTTPException) as refused:
            await lane.run(call)
        gate.set()
        return refused.value.status_code, (refused.value.headers or {})["retry-after"], await asyncio.gather(*running)

    assert (429, "1", ["done", "done"]) == asyncio.run(scenario())


def test_lane_whose_calls_fail_is_free_again() -> None:
    """A failure gives its place back."""

    async def scenario() -> str:
        lane = Lane(threads=1, waiting_limit_count=0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await lane.run(lambda: 1 // 0)
        return await lane.run(lambda: "free")

    assert "free" == asyncio.run(scenario())


def test_lane_full_leaves_another_lane_free() -> None:
    """Authors in a hurry never stand in the way of a kill."""

    async def scenario() -> str:
        authoring, kills, gate = Lane(threads=1), Lane(threads=1), threading.Event()
        crowd = [asyncio.create_task(authoring.run(lambda: gate.wait(60))) for _ in range(50)]
        await asyncio.sleep(0)
        killed = await kills.run(lambda: "killed")
        gate.set()
        await asyncio.gather(*crowd)
        return killed

    assert "killed" == asyncio.run(scenario())


def test_access_log_answers_and_logs_what_the_app_raises_once() -> None:
    """An exception becomes a 500 problem and one event with it; nothing reaches the server."""
    sent: list[Any] = []
    seen: list[tuple[str, int]] = []

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("broken")

    def observe(*, method: str, route: str, status: int, duration_s: float) -> None:
        seen.append((route, status))

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/v1/secret-name", "headers": []}
    with capture_logs() as logs:
        asyncio.run(AccessLog(broken, observe=observe, monotonic_ns=lambda: 0)(scope, receive, send))
    assert 500 == sent[0]["status"]
    assert [("(unmatched)", 500)] == seen
    assert ["http.failed", "http.request"] == [event["event"] for event in logs]
    assert "secret-name" not in str(logs)
