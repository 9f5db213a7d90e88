"""One FastAPI service whose requests ask from many places, and call hosts that are and are not declared.

INSTRUMENT=1 installs OpenTelemetry's own fastapi and httpx instrumentations beside pennon's doors.
"""

import asyncio
import contextvars
import json
import os
import threading
from typing import Annotated, Any

import httpx
import uvicorn
from fastapi import Depends, FastAPI

import pennon
import pennon.http
from pennon.headers import Contract, Downstream, Identity, Inbound, public

FLAG = "checkout"
DECLARED, UNDECLARED = os.environ["DECLARED"], os.environ["UNDECLARED"]
CONTRACT = Contract("inside", version="1", owner="tests", downstreams=(Downstream("sink", host=DECLARED),))

flags = pennon.connect()
app = FastAPI()
plain = httpx.Client(follow_redirects=True)
calls = pennon.http.httpx(httpx.Client(follow_redirects=True), CONTRACT)
async_calls = pennon.http.httpx(httpx.AsyncClient(follow_redirects=True), CONTRACT)


def identity(inbound: Inbound) -> Identity:
    """The session's user; in these tests the token is the user."""
    return Identity(units={"user": (inbound.header("authorization") or "").removeprefix("Bearer ")})


def ask() -> dict[str, Any]:
    """What this place of the request acts on."""
    acted = flags.decision(FLAG)
    return {"variant": acted.variant, "reason": acted.reason}


def local() -> dict[str, Any]:
    """What the replica alone says now."""
    answer = contextvars.Context().run(flags.peek, FLAG, unit="anybody")
    return {"variant": answer.variant, "revision": answer.revision}


def await_change(revision: int) -> None:
    """Until an author has changed the flag."""
    tick = threading.Event()
    while local()["revision"] <= revision:
        tick.wait(0.01)


def first_ask() -> dict[str, Any]:
    """A sync dependency: it asks first, says so, and waits until the flag is another."""
    asked, revision = ask(), local()["revision"]
    print(json.dumps({"service": "inside", "asked": True}), flush=True)
    await_change(revision)
    return asked


@app.get("/sync")
def sync_endpoint(first: Annotated[dict[str, Any], Depends(first_ask)]) -> dict[str, Any]:
    """Runs in a thread of Starlette's pool."""
    second = ask()
    calls.get(f"http://{DECLARED}/sync")
    return {"asked": [first, second], "local": local()}


@app.get("/gather")
async def gather_endpoint() -> dict[str, Any]:
    """Children of one task, before and after the change."""

    async def child() -> dict[str, Any]:
        return await asyncio.to_thread(ask)

    async def direct() -> dict[str, Any]:
        return ask()

    before = await asyncio.gather(child(), direct(), child())
    revision = local()["revision"]
    print(json.dumps({"service": "inside", "asked": True}), flush=True)
    await asyncio.to_thread(await_change, revision)
    after = await asyncio.gather(direct(), child(), direct())
    await async_calls.get(f"http://{DECLARED}/gather")
    return {"asked": [*before, *after], "local": local()}


@app.get("/calls")
async def calls_endpoint() -> dict[str, Any]:
    """The declared host, an undeclared one, a redirect from the one to the other: sync, async and by plain httpx."""
    asked = ask()
    for name, host in (("declared", DECLARED), ("undeclared", UNDECLARED)):
        await async_calls.get(f"http://{host}/{name}-async")
        await asyncio.to_thread(calls.get, f"http://{host}/{name}-sync")
    await async_calls.get(f"http://{DECLARED}/redirect/async")
    await asyncio.to_thread(calls.get, f"http://{DECLARED}/redirect/sync")
    await asyncio.to_thread(plain.get, f"http://{UNDECLARED}/plain")
    return asked


def instrument() -> None:
    """Install the stock instrumentations, with a recording SDK."""
    from opentelemetry import trace
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
    FastAPIInstrumentor.instrument_app(app)
    HTTPXClientInstrumentor().instrument()
    HTTPXClientInstrumentor().instrument_client(plain)
    for client in (calls, async_calls):
        HTTPXClientInstrumentor().instrument_client(client)


if __name__ == "__main__":
    if os.environ.get("INSTRUMENT"):
        instrument()
    flags.wait_ready(60)
    print(json.dumps({"service": "inside", "ready": True}), flush=True)
    door = pennon.http.asgi(app, CONTRACT, boundary=public(identity=identity))
    uvicorn.run(door, port=int(os.environ["PORT"]), log_level="warning")
    flags.close()
