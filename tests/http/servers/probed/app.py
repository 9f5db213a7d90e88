"""The application that every server under test runs, once by ASGI and once by WSGI: it answers what it knows."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pennon.http
from pennon import ambient
from pennon.context import RequestContext
from pennon.headers import (
    BaggagePolicy,
    Category,
    Classification,
    Contract,
    Field,
    Log,
    Propagate,
    Trust,
    mesh,
    networks,
)

TENANT: Final = Field(
    "x-tenant-id",
    category=Category.SECURITY,
    owner="identity",
    syntax="[a-z]+",
    max_length=16,
    trust=Trust.MESH,
    caller_may_set=False,
    gateway_overwrites=False,
    downstream_may_forward=True,
    propagate=Propagate.NEVER,
    log=Log.HASH,
    classification=Classification.INTERNAL_ID,
    description="who pays",
)
CONTRACT: Final = Contract(
    "probed", version="1", owner="tests", fields=(TENANT,), baggage=BaggagePolicy(allow=("region",))
)
BOUNDARY: Final = mesh(verify=networks("127.0.0.0/8"))

_served: list[RequestContext] = []


def _here() -> RequestContext:
    context = ambient.current()
    if context is None:
        raise RuntimeError("no request context here")
    return context


def _known() -> bytes:
    """What this request's headers said, as far as it is believed."""
    context = _here()
    tenant = context.identity.tenant
    known = {
        "parent": context.trace.parent_span_id,
        "is_theirs": context.request_id == "theirs",
        "correlation_id": context.correlation_id,
        "baggage": [[member.key, member.value, member.properties] for member in context.baggage],
        "fields": dict(context.fields) | ({} if tenant is None else {"x-tenant-id": tenant}),
        "arrived": [list(place) for place in context.ledger.arrived],
    }
    return json.dumps(known).encode()


async def _asgi(_scope: Any, _receive: Any, send: Any) -> None:
    body = _known()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _wsgi(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    path = environ["PATH_INFO"]
    if path == "/sealed":
        # Whether all earlier requests of this process are over.
        body = json.dumps([context.ledger.is_sealed for context in _served]).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        yield body
        return
    _served.append(_here())
    if path == "/fails":
        start_response("200 OK", [])
        yield b"half"
        raise RuntimeError("broken")
    if path == "/written":
        start_response("200 OK", [])(_known())
        return
    body = _known()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    # Byte by byte: each step asks again.
    for number in range(len(body)):
        _here()
        yield body[number : number + 1]


asgi_app = pennon.http.asgi(_asgi, CONTRACT, boundary=BOUNDARY)
wsgi_app = pennon.http.wsgi(_wsgi, CONTRACT, boundary=BOUNDARY)
