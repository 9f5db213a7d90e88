"""How much of the traffic is refused because it comes too late is what the contract says."""

import asyncio
from typing import Any

import pytest

import pennon.http
from pennon.headers import Contract, DeadlineForm, DeadlinePolicy, mesh, networks

LATE = [(b"x-request-timeout-ms", b"1")]
BOUNDARY = mesh(verify=networks("10.0.0.0/8"))


async def _statuses(contract: Contract, headers: list[tuple[bytes, bytes]], count: int) -> list[int]:
    """What so many equal requests of a verified caller are answered with, one after the other."""
    statuses: list[int] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    door = pennon.http.asgi(app, contract, boundary=BOUNDARY)
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "client": ("10.0.0.1", 4711)}
    for _ in range(count):
        await door({**scope, "headers": list(headers)}, receive, send)
    return statuses


@pytest.mark.parametrize(("share", "refused"), [(0.0, 0), (0.25, 10), (1.0, 40)])
def test_share_of_late_requests_that_is_refused_is_the_contract_s(share: float, refused: int) -> None:
    """Of forty that all come too late; the others are served. One that is in time is served in any case."""
    policy = DeadlinePolicy(accept=list(DeadlineForm), cap_s=30.0, max_refused_share=share)
    contract = Contract("orders", version="1", owner="platform", deadline=policy)
    statuses = asyncio.run(_statuses(contract, LATE, 40))
    assert (refused, 40 - refused) == (statuses.count(504), statuses.count(204))
    assert [204] * 5 == asyncio.run(_statuses(contract, [], 5))
