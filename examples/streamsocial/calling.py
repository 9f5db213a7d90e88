"""Calls between services, tried again when the other side has just gone."""

import asyncio
from typing import Any

import httpx

# A service that was killed is back within 3 s; its socket takes calls all the while.
TIMEOUT_S = 6.0
# A consumer has its record and can ask again later; it must not be busy waiting when it is to end.
CONSUMER_TIMEOUT_S = 2.0
PAUSES_S = (0.05, 0.3)
# httpx looks at every idle connection before every request.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=10)


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
