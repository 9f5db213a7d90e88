"""How a request is turned away whose headers are over the contract's limits: problem details (RFC 9457)."""

from http import HTTPStatus
from typing import Final

import msgspec

from pennon.headers import Refusal
from pennon.http.types import RawHeaders, Receive, Scope, Send

CODE: Final = "headers_refused"

# RFC 6455 §7.4.1: a message that violates the endpoint's policy.
_POLICY_VIOLATION: Final = 1008


def refusing(refusal: Refusal, request_id: str) -> tuple[RawHeaders, bytes]:
    """Headers and body of the answer: the name of the field, never its value."""
    body = msgspec.json.encode(_problem(refusal))
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-request-id", request_id.encode()),
    ]
    return headers, body


async def refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal, request_id: str) -> None:
    """Answer so by ASGI; the application is not called."""
    if scope["type"] == "http":
        await _respond(send, "http.response", refusal, request_id)
        return
    await receive()  # websocket.connect, before which nothing may be sent
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _respond(send, "websocket.http.response", refusal, request_id)
    else:
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})


async def _respond(send: Send, kind: str, refusal: Refusal, request_id: str) -> None:
    headers, body = refusing(refusal, request_id)
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})


def _problem(refusal: Refusal) -> dict[str, object]:
    return {
        "type": f"urn:pennon:problem:{CODE}",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "code": CODE,
        "field": refusal.field,
        "detail": f"{refusal.field}: over the limit of {refusal.limit}",
    }
