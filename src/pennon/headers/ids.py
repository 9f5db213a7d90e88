"""Request ids and correlation ids: opaque, bounded, never interchangeable.

A new correlation id is `corr_` and a ULID: whoever begins a conversation has a clock, and looks ids up by time.

A new request id is `req_` and 32 lower-case hex digits of 16 random bytes. Not a ULID: that has the time in front, and
this room has no clock; one made of randomness alone would look sortable and not be. Hex costs 0.1 µs, base 32 in Python
more than 2, and it is the shape that proxies write (nginx's `$request_id`). Ids of other shapes are kept as they are.
"""

import re
from typing import Final

from pennon.context import CorrelationId, RequestContext, RequestId
from pennon.headers.grammar import OWS
from pennon.headers.ulid import new_ulid

REQUEST_ID_PREFIX: Final = "req_"
CORRELATION_ID_PREFIX: Final = "corr_"
ID_LIMIT_CHARS: Final = 128
ID_SYNTAX: Final = rf"[A-Za-z0-9._:\-]{{1,{ID_LIMIT_CHARS}}}"
_ID: Final = re.compile(ID_SYNTAX.encode())
_ID_TEXT: Final = re.compile(ID_SYNTAX)

IDEMPOTENCY_KEY: Final = "idempotency-key"

# RFC 9562 §4, and as nginx writes it: without dashes.
_UUID: Final = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.IGNORECASE)
# Where Envoy packs its trace reason into a UUID: the version's digit, 4 until then (its "Tracing" page).
_REASON_PLACE: Final = 12
_REASONS: Final = "49ab"


def parse_id(value: bytes) -> str | None:
    """A request or correlation id as text; None if it is not 1 to 128 of A-Z a-z 0-9 . _ : -."""
    trimmed = value.strip(OWS)
    return trimmed.decode() if _ID.fullmatch(trimmed) else None


def is_id(text: str) -> bool:
    """Whether the text can be a request or correlation id."""
    return _ID_TEXT.fullmatch(text) is not None


def new_request_id(entropy: bytes) -> RequestId:
    """A request id nobody has used. entropy: 16 random bytes."""
    return RequestId(REQUEST_ID_PREFIX + entropy.hex())


def new_correlation_id(now_ns: int, entropy: bytes) -> CorrelationId:
    """An id for a business conversation that begins now: opaque, so that it gives nothing away, and sorted by time.

    now_ns: wall clock, since 1970. entropy: 10 random bytes.
    Raises: as `new_ulid`.
    """
    return CorrelationId(CORRELATION_ID_PREFIX + new_ulid(now_ns, entropy))


def is_same_request_id(left: str, right: str, *, ignores_trace_reason: bool = False) -> bool:
    """Whether two hops speak of one request: UUIDs are compared without dashes and case, other ids as they are.

    ignores_trace_reason: an Envoy between them has written why it traces into the UUID (`pack_trace_reason`).
    """
    return left == right or _compared(left, ignores_trace_reason) == _compared(right, ignores_trace_reason)


def shares_an_id(context: RequestContext) -> bool:
    """Whether a caller gave one value to two of the ids: they have different scopes, and one of them is then wrong."""
    trace_id: str = context.trace.trace_id
    request_id: str = context.caller_request_id or context.request_id
    correlation_id: str | None = context.correlation_id
    if request_id == correlation_id or trace_id in (request_id, correlation_id):
        return True
    for name, value in context.fields:
        if name == IDEMPOTENCY_KEY and value.strip('"') in (trace_id, request_id, correlation_id):
            return True
    return False


def _compared(given: str, ignores_trace_reason: bool) -> str:
    if _UUID.fullmatch(given) is None:
        return given
    digits = given.replace("-", "").lower()
    if ignores_trace_reason and digits[_REASON_PLACE] in _REASONS:
        return f"{digits[:_REASON_PLACE]}4{digits[_REASON_PLACE + 1 :]}"
    return digits
