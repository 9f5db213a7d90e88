"""Services of one mesh, each a process: `python chain.py gateway|posts|feed|sink`. They report every hop on stdout.

A hop's report holds the answer the service acted on and, beside it, the one that its replica alone would have given.
They take commands on standard input: "status" reports what the replica says, "hold" and "release" stop and resume feed.
"""

import asyncio
import contextvars
import json
import os
import sys
import threading

import confluent_kafka
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import pennon
import pennon.http
import pennon.kafka
from pennon.headers import Contract, Downstream, Identity, Inbound, mesh, networks, public

FLAG = "checkout"
TOPIC = os.environ["TOPIC"]
CONTRACT = Contract(
    "chain",
    version="1",
    owner="tests",
    downstreams=(Downstream("posts", host=os.environ["POSTS_HOST"]), Downstream("feed", topic=TOPIC)),
)
flags = pennon.connect()
released, ended = threading.Event(), threading.Event()


def report(service: str, journey: str | None, user: str, **more: object) -> None:
    """Ask twice: as this service does, and as it would if nothing had travelled."""
    acted = flags.decision(FLAG, unit=user)
    local = contextvars.Context().run(flags.peek, FLAG, unit=user)
    line = {
        "service": service,
        "journey": journey,
        "user": user,
        "variant": acted.variant,
        "reason": acted.reason,
        "revision": acted.revision,
        "local_variant": local.variant,
        "local_revision": local.revision,
    }
    print(json.dumps(line | more), flush=True)


def correlation_id() -> str | None:
    """The journey's id, as the request context has it."""
    context = pennon.current()
    return context.correlation_id if context else None


def identity(inbound: Inbound) -> Identity:
    """The session's user; in these tests the token is the user."""
    user = (inbound.header("authorization") or "").removeprefix("Bearer ")
    return Identity(units={"user": user}) if user else Identity()


async def at_gateway(request: Request) -> JSONResponse:
    user = (await request.json())["author"]
    report("gateway", correlation_id(), user)
    body = await request.json()
    answer = await request.app.state.posts.post(f"http://{os.environ['POSTS_HOST']}/", json=body)
    return JSONResponse({}, status_code=answer.status_code)


async def at_posts(request: Request) -> JSONResponse:
    body = await request.json()
    report("posts", correlation_id(), body["author"])
    delivered: list[bool] = []
    request.app.state.producer.produce(
        TOPIC, value=json.dumps(body), on_delivery=lambda error, _: delivered.append(error is None)
    )
    await asyncio.to_thread(request.app.state.producer.flush, 60)
    return JSONResponse({}, status_code=201 if delivered == [True] else 503)


async def at_sink(request: Request) -> JSONResponse:
    report("sink", correlation_id(), (await request.json())["author"])
    return JSONResponse({}, status_code=201)


def serve(service: str) -> None:
    """Run one of the HTTP services on PORT."""
    handler = {"gateway": at_gateway, "posts": at_posts, "sink": at_sink}[service]
    app = Starlette(routes=[Route("/", handler, methods=["POST"])])
    if service == "gateway":
        app.state.posts = pennon.http.httpx(httpx.AsyncClient(timeout=60), CONTRACT)
        boundary = public(identity=identity)
    elif service == "sink":
        boundary = mesh(verify=networks("127.0.0.0/8"))
    else:
        producer = confluent_kafka.Producer({"bootstrap.servers": os.environ["KAFKA"], "linger.ms": 0})
        app.state.producer = pennon.kafka.producer(producer, CONTRACT)
        boundary = mesh(verify=networks("127.0.0.0/8"))
    uvicorn.run(pennon.http.asgi(app, CONTRACT, boundary=boundary), port=int(os.environ["PORT"]), log_level="warning")


def author_of(inbound: Inbound) -> Identity:
    """The author of a record, with the attributes that the record's own unit has."""
    post = json.loads(inbound.source.value())
    return Identity(units={"user": post["author"]}, attributes=post.get("attributes", {}))


def obey() -> None:
    """Follow the commands on standard input until it closes."""
    commands = {"hold": released.clear, "release": released.set, "status": status}
    for command in sys.stdin:
        commands[command.strip()]()
    ended.set()
    released.set()


def status() -> None:
    """What the replica alone says now."""
    local = flags.peek(FLAG, unit="nobody")
    print(json.dumps({"service": "status", "revision": local.revision, "reason": local.reason}), flush=True)


def consume() -> None:
    """Take records until standard input closes."""
    settings = {"bootstrap.servers": os.environ["KAFKA"], "group.id": TOPIC, "auto.offset.reset": "earliest"}
    consumer = confluent_kafka.Consumer(settings | {"fetch.wait.max.ms": 10})
    consumer.subscribe([TOPIC])
    while not ended.is_set():
        if not released.is_set():
            # Said here, where nothing can be taken any more: what is posted after it waits.
            print(json.dumps({"service": "held"}), flush=True)
            released.wait()
        record = consumer.poll(0.1)
        if record is not None and record.error() is None:
            take(record)
    consumer.close()


def take(record: confluent_kafka.Message) -> None:
    post = json.loads(record.value() or b"{}")
    with pennon.kafka.process(record, CONTRACT, boundary=mesh(identity=author_of)):
        report("feed", correlation_id(), post["author"])
        for follower in post.get("followers", ()):
            fan_out(follower)


def fan_out(follower: dict[str, object]) -> None:
    """Decide for somebody else than the request's unit: with their attributes, and without."""
    asked = flags.decision(FLAG, unit=str(follower["user"]), attributes=follower["attributes"])  # type: ignore[arg-type]
    bare = flags.peek("plan-gate", unit=str(follower["user"]))
    line = {"service": "fan-out", "user": follower["user"], "variant": asked.variant, "reason": asked.reason}
    print(json.dumps(line | {"bare": bare.variant, "bare_reason": bare.reason}), flush=True)


if __name__ == "__main__":
    flags.wait_ready(60)
    released.set()
    threading.Thread(target=obey, daemon=True).start()
    print(json.dumps({"service": sys.argv[1], "ready": True}), flush=True)
    consume() if sys.argv[1] == "feed" else serve(sys.argv[1])
    flags.close()
