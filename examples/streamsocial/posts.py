"""posts: keeps what people write, and announces it on Kafka. Only our own services call it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import confluent_kafka
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import pennon
import pennon.http
import pennon.kafka
from pennon.headers import mesh, networks
from streamsocial.contract import POSTS_TOPIC, contract
from streamsocial.telling import tell

DELIVERY_TIMEOUT_S = 5.0

CONTRACT = contract()
flags = pennon.connect()
producer = pennon.kafka.producer(
    confluent_kafka.Producer({"bootstrap.servers": os.environ["KAFKA"], "linger.ms": 1, "acks": "all"}), CONTRACT
)


async def keep(request: Request) -> JSONResponse:
    """Take a post; 201 says that Kafka has it."""
    post = await request.json()
    author = post["author"]
    # Not decided again: the gateway's decision for this author came with the request.
    tell("posts", author, flags.decision("feed-ranking", unit=author))
    if not await announce(author, json.dumps(post)):
        return JSONResponse({"title": "Kafka does not answer"}, status_code=503)
    return JSONResponse({"author": author}, status_code=201)


async def announce(author: str, post: str) -> bool:
    """Produce the record and wait until the broker has confirmed it; False if it did not in time."""
    delivered: list[bool] = []
    producer.produce(POSTS_TOPIC, key=author, value=post, on_delivery=lambda error, _: delivered.append(error is None))
    await asyncio.to_thread(producer.flush, DELIVERY_TIMEOUT_S)
    return delivered == [True]


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Deliver what is left at the end."""
    yield
    await asyncio.to_thread(producer.flush, DELIVERY_TIMEOUT_S)
    flags.close()


app = pennon.http.asgi(
    Starlette(routes=[Route("/posts", keep, methods=["POST"])], lifespan=lifespan),
    CONTRACT,
    boundary=mesh(verify=networks("127.0.0.0/8")),
)
