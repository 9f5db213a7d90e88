"""Request ids and correlation ids: opaque, bounded, never interchangeable.

A new request id is `req_` and 32 lower-case hex digits of 16 random bytes. Not a ULID: that has the time in front, and
this room has no clock; one made of randomness alone would look sortable and not be. Hex costs 0.1 µs, base 32 in Python
more than 2, and it is the shape that proxies write (nginx's `$request_id`). Ids of other shapes are kept as they are.
"""

import re
from typing import Final

from pennon.headers.grammar import OWS

REQUEST_ID_PREFIX: Final = "req_"
_ID: Final = re.compile(rb"[A-Za-z0-9._:\-]{1,128}")


def parse_id(value: bytes) -> str | None:
    """A request or correlation id as text; None if it is not 1 to 128 of A-Z a-z 0-9 . _ : -."""
    trimmed = value.strip(OWS)
    return trimmed.decode() if _ID.fullmatch(trimmed) else None


def new_request_id(entropy: bytes) -> str:
    """A request id nobody has used. entropy: 16 random bytes."""
    return REQUEST_ID_PREFIX + entropy.hex()
