"""Request bodies: bounded before they are read, decoded once."""

from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from pennon.web.problem import Malformed

# 1 MiB: a segment of 20,000 members, or 1,000 exposures four times over. Higher: 64 requests in flight could hold
# hundreds of megabytes as Python objects.
BODY_LIMIT_BYTES: Final = 1024 * 1024


async def read_json(request: Request, *, limit_bytes: int = BODY_LIMIT_BYTES) -> Any:
    """The body, decoded; None if there is none.

    Raises: HTTPException 413 as soon as it is known to be too long; Malformed if it is not JSON.
    """
    body = await read_body(request, limit_bytes=limit_bytes)
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {error}") from error


async def read_body(request: Request, *, limit_bytes: int = BODY_LIMIT_BYTES) -> bytes:
    """The body as it came.

    Raises: HTTPException 413 as soon as it is known to be too long; Malformed if it breaks off.
    """
    told = request.headers.get("content-length", "0")
    if told.isascii() and told.isdigit() and int(told[:20]) > limit_bytes:
        raise _too_large(limit_bytes)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit_bytes:
                raise _too_large(limit_bytes)
    except ClientDisconnect:
        # Nobody reads the answer; but neither is it a failure of this server's.
        raise Malformed("the sender left before the end of the body") from None
    return bytes(body)


def _too_large(limit_bytes: int) -> HTTPException:
    # The rest of the body is still on its way; the connection cannot be used for another request.
    return HTTPException(413, f"the body is over the limit of {limit_bytes} bytes", {"connection": "close"})
