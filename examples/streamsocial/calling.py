"""Calls between services, tried again when the other side has just gone."""

import asyncio
from typing import Any

import httpx

import pennon.http
from pennon.headers import Contract

# A service that was killed is back within 3 s; its socket takes calls all the while.
TIMEOUT_S = 6.0
# A consumer has its record and can ask again later; it must not be busy waiting when it is to end.
CONSUMER_TIMEOUT_S = 2.0
PAUSES_S = (0.05, 0.3)
# httpx looks at every idle connection before every request.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=10)


def client(
    service: str,
    contract: Contract,
    url: str = "",
    *,
    region: str | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """A service's client for calls to another; under the contract they carry what was decided, for whom, until when.

    region: where requests come in, which is the gateway's to say; from there it travels. transport: None: the network.
    """
    said = {"x-caller-service": service, "x-region": region}
    headers = {name: value for name, value in said.items() if value is not None}
    plain = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, limits=LIMITS, headers=headers, transport=transport)
    return pennon.http.httpx(plain, contract)


async def ask(client: httpx.AsyncClient, method: str, url: str, **options: Any) -> httpx.Response:
    """The answer. What is asked must be harmless twice: the other side may have answered before it went.

    Raises: httpx.TransportError if it is still away at the third try.
    """
    for pause_s in PAUSES_S:
        try:
            return await client.request(method, url, **options)
        except httpx.TransportError:
            await asyncio.sleep(pause_s)
    return await client.request(method, url, **options)
