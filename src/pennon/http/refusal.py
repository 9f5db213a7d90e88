"""How a request is turned away for what its headers say: problem details (RFC 9457).

It is one of four: over the contract's limits (431, or 400), with a header that nobody has declared (400), without one
that is required (400), or too late (504). The field is named, its value never is.
"""

from http import HTTPStatus
from typing import Final

import msgspec

from pennon.context import RequestContext
from pennon.errors import DeadlineExceeded
from pennon.headers import Refusal
from pennon.headers.report import Limit
from pennon.http.rewriting import ids_of
from pennon.http.types import RawHeaders, Receive, Scope, Send

CODE: Final = "headers_refused"
MISSING_CODE: Final = "header_required"
_CODES: Final = {Limit.LATE: DeadlineExceeded.code, Limit.MISSING: MISSING_CODE}

# RFC 6455 §7.4.1: a message that violates the endpoint's policy.
_POLICY_VIOLATION: Final = 1008


def refusing(refusal: Refusal, context: RequestContext) -> tuple[RawHeaders, bytes]:
    """Headers and body of the answer."""
    body = msgspec.json.encode(_problem(refusal))
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *ids_of(context),
    ]
    return headers, body


async def refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal, context: RequestContext) -> None:
    """Answer so by ASGI; the application is not called."""
    if scope["type"] == "http":
        await _respond(send, "http.response", refusal, context)
        return
    await receive()  # websocket.connect, before which nothing may be sent
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _respond(send, "websocket.http.response", refusal, context)
    else:
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})


async def _respond(send: Send, kind: str, refusal: Refusal, context: RequestContext) -> None:
    headers, body = refusing(refusal, context)
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})


def _problem(refusal: Refusal) -> dict[str, object]:
    code = _CODES.get(refusal.broken, CODE)
    return {
        "type": f"urn:pennon:problem:{code}",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "code": code,
        "field": refusal.field,
        "detail": f"{refusal.field}: {_what_is_wrong(refusal)}",
    }


def _what_is_wrong(refusal: Refusal) -> str:
    match refusal.broken:
        case Limit.MISSING:
            return "required; it is missing, or its value does not count here"
        case Limit.LATE:
            return f"less than {refusal.limit} left"
        case Limit.UNKNOWN:
            return "not declared here"
    return f"over the limit of {refusal.limit}"
