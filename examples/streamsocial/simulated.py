"""simulated: stands for the many services behind a real network. `python -m streamsocial.simulated 5` is the fifth.

They hang together like a heap: number n hands on to 2n and 2n + 1. Even ones are called over HTTP, odd ones read a
topic; the first reads what people write. So one correlation id runs through all of them, changing between HTTP and
Kafka on the way.
"""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import confluent_kafka
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import pennon
import pennon.http
import pennon.kafka
from pennon.headers import Contract
from streamsocial.calling import CONSUMER_TIMEOUT_S, ask, client
from streamsocial.contract import contract, simulated_name, simulated_topic, url_of
from streamsocial.deciding import connect
from streamsocial.identifying import ours, readers_of, signer
from streamsocial.producing import Producing, to_broker
from streamsocial.running import NotNow, consume, serve, service
from streamsocial.spans import mark_user


class Simulated:
    """Asks the flag that its journey was decided by, and hands on."""

    def __init__(self, contract: Contract, number: int, flags: pennon.Client, producing: Producing) -> None:
        last = int(os.environ["SIMULATED_COUNT"])
        called, told = 2 * number, 2 * number + 1
        self._called = f"{url_of(contract, simulated_name(called))}/" if called <= last else None
        self._told = simulated_topic(told) if told <= last else None
        self._contract = contract
        self._flags = flags
        self._producing = producing
        self._client = pennon.http.httpx(httpx.Client(timeout=CONSUMER_TIMEOUT_S), contract)
        self._async_client = client(simulated_name(number), contract)
        topic = simulated_topic(number)
        self._readers = None if topic is None else readers_of(topic)

    def take(self, record: confluent_kafka.Message) -> None:
        """One record, for a service that reads a topic."""
        written = json.loads(record.value() or b"{}")
        if written["kind"] != "post" or self._readers is None:
            return
        with pennon.kafka.process(record, self._contract, boundary=self._readers):
            self._work(written)
            if self._called is not None:
                try:
                    self._client.post(self._called, json=written).raise_for_status()
                except httpx.HTTPError as error:
                    raise NotNow from error

    async def answer(self, request: Request) -> JSONResponse:
        """One request, for a service that is called."""
        written = await request.json()
        self._work(written)
        if self._called is not None:
            await ask(self._async_client, "POST", self._called, json=written)
        return JSONResponse({})

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Hold the client while the service runs."""
        async with self._async_client:
            yield

    def _work(self, written: dict[str, Any]) -> None:
        mark_user(written["author"])
        self._flags.decision("feed-ranking", unit=written["author"])
        if self._told is not None:
            self._producing.put(self._told, written["author"], json.dumps(written))


def main() -> None:
    """Serve or consume until told to end."""
    number = int(sys.argv[1])
    topic = simulated_topic(number)
    name = simulated_name(number)
    declared = contract()
    with (
        service(name, declared) as ending,
        Producing(declared, to_broker(), signer(name)) as producing,
        connect() as flags,
    ):
        flags.wait_ready(5.0)
        simulated = Simulated(declared, number, flags, producing)
        if topic is None:
            routes = [Route("/", simulated.answer, methods=["POST"])]
            app = Starlette(routes=routes, lifespan=simulated.lifespan)
            serve(pennon.http.asgi(app, declared, boundary=ours()), ending)
        else:
            consume([topic], simulated.take, ending, settle=producing.settle)


if __name__ == "__main__":
    main()
