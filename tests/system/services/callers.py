"""gateway calls posts calls ranking, each a process: `python callers.py gateway|posts|ranking`.

Only ranking knows the user's plan. Each asks after it has called, and answers with what all said: the answer it acted
on, and the one that its replica alone would have given. INGRESS=1: the gateway decides when the request comes in.
"""

import contextvars
import json
import os
import sys

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import pennon
import pennon.http
from pennon.headers import Contract, Downstream, Identity, mesh, networks, public

FLAG = "checkout"
SERVICE = sys.argv[1]
CALLED = {"gateway": "posts", "posts": "ranking"}.get(SERVICE)
PLAN = {"plan": "pro"} if SERVICE == "ranking" else {}
downstreams = [Downstream(CALLED, host=os.environ[CALLED.upper()], decides=True)] if CALLED else []
CONTRACT = Contract(SERVICE, version="1", owner="tests", downstreams=downstreams)
flags = pennon.connect()


async def serve(request: Request) -> JSONResponse:
    told = []
    if CALLED:
        async with pennon.http.httpx(httpx.AsyncClient(timeout=60), CONTRACT) as client:
            told = (await client.get(f"http://{os.environ[CALLED.upper()]}/")).json()
    acted = flags.decision(FLAG, unit="user-1", attributes=PLAN)
    local = contextvars.Context().run(flags.peek, FLAG, unit="user-1", attributes=PLAN)
    answer = {"service": SERVICE, "variant": acted.variant, "reason": acted.reason, "local": local.variant}
    return JSONResponse([*told, answer])


if __name__ == "__main__":
    flags.wait_ready(60)
    if SERVICE == "gateway":
        boundary = public(identity=lambda _: Identity(units={"user": "user-1"}))
    else:
        boundary = mesh(verify=networks("127.0.0.0/8"))
    decide = flags.decide_at_ingress(FLAG) if os.environ.get("INGRESS") else None
    app = pennon.http.asgi(Starlette(routes=[Route("/", serve)]), CONTRACT, boundary=boundary, decide=decide)
    print(json.dumps({"service": SERVICE, "ready": True}), flush=True)
    uvicorn.run(app, port=int(os.environ[SERVICE.upper()].rpartition(":")[2]), log_level="warning")
    flags.close()
