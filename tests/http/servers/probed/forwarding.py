"""A service that does what W3C's harness tells it: a POST to each url of its body, by ASGI and by WSGI.

Its calls leave through doors, and OpenTelemetry's SDK makes a span for each; it exports nothing.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import pennon.http
from pennon.headers import Contract, Downstream, mesh, networks

# The harness, on whichever port.
CONTRACT = Contract("forwarding", version="1", owner="tests", downstreams=[Downstream("harness", host="127.0.0.1")])
BOUNDARY = mesh(verify=networks("127.0.0.0/8"))

if __name__ == "forwarding":  # loaded by gunicorn, in a process of its own
    trace.set_tracer_provider(TracerProvider())

_sync = pennon.http.httpx(httpx.Client(trust_env=False), CONTRACT)


async def _asgi(_scope: Any, receive: Any, send: Any) -> None:
    body, is_more = b"", True
    while is_more:
        message = await receive()
        body, is_more = body + message.get("body", b""), message.get("more_body", False)
    async with pennon.http.httpx(httpx.AsyncClient(trust_env=False), CONTRACT) as client:
        for call in json.loads(body):
            await client.post(call["url"], json=call["arguments"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def _wsgi(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    for call in json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))):
        _sync.post(call["url"], json=call["arguments"])
    start_response("200 OK", [("Content-Length", "0")])
    yield b""


asgi_app = pennon.http.asgi(_asgi, CONTRACT, boundary=BOUNDARY)
wsgi_app = pennon.http.wsgi(_wsgi, CONTRACT, boundary=BOUNDARY)
