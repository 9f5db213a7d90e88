"""What may stand in a header: one rule per section of its standard, for all files of this room.

RFC 9110 §5.1: a field's name is a token; names are compared without case.
RFC 9110 §5.6.3: OWS is spaces and tabs; around a value it means nothing.
RFC 9110 §7.6.1: connection fields concern one connection and are never forwarded.
Everything is matched with `fullmatch`: `match` with "$" lets a trailing newline pass. Where two repetitions could share
characters they are possessive (`*+`): no value makes a match cost more than its length.
"""

import re
from collections.abc import Sequence
from typing import Final

OWS: Final = b" \t"

# RFC 9110 §5.6.2. Header names and baggage keys.
TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"  # noqa: S105  # a grammar's token
_TOKEN: Final = re.compile(TOKEN)
_TOKEN_OCTETS: Final = bytes(octet for octet in range(0x80) if _TOKEN.fullmatch(chr(octet)))
_VISIBLE: Final = re.compile(rb"[!-~]++")

# RFC 9110 §7.6.1, and the fields that frame a message: who forwards them breaks the next connection.
HOP_BY_HOP: Final = frozenset(
    """connection content-length host http2-settings keep-alive proxy-authenticate proxy-authorization
    proxy-connection te trailer transfer-encoding upgrade""".split()
)

CONNECTION: Final = "connection"
# What a Connection header usually says; it names no field.
PLAIN_CONNECTIONS: Final = frozenset({b"keep-alive", b"close", b"Keep-Alive", b"upgrade", b"Upgrade"})

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
BAGGAGE: Final = "baggage"
REQUEST_ID: Final = "x-request-id"
CORRELATION_ID: Final = "x-correlation-id"

# Headers that this room itself reads and writes, and pennon's own.
STANDARD: Final = (TRACEPARENT, TRACESTATE, BAGGAGE, REQUEST_ID, CORRELATION_ID)
OVERRIDE: Final = "pennon-override"
DECIDED: Final = "pennon-decided"
CONTEXT: Final = "pennon-context"
OWN: Final = (OVERRIDE, DECIDED, CONTEXT)
OWN_PREFIX: Final = "pennon"


def is_token(text: str) -> bool:
    """Whether the text can be a field name or a baggage key (RFC 9110 §5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def are_token_octets(octets: bytes) -> bool:
    """Whether nothing stands there but what may stand in a token; of many at once, as long as none is empty."""
    return not octets.translate(None, _TOKEN_OCTETS)


def is_own_key(key: str) -> bool:
    """Whether a baggage member is ours: its key begins with "pennon". Keys are compared with case."""
    return key.startswith(OWN_PREFIX)


def wire_bytes(values: Sequence[bytes]) -> int:
    """How long a list header is, all its lines combined (RFC 9110 §5.3)."""
    return sum(map(len, values)) + len(values) - 1


def agree(values: Sequence[bytes]) -> bool:
    """Whether all lines of a header that should stand once say the same."""
    return len(values) == 1 or len(set(values)) == 1


def is_visible(value: bytes) -> bool:
    """Whether the value is one or more of VCHAR (RFC 9110 §5.6.2): printable ASCII without the space."""
    return _VISIBLE.fullmatch(value) is not None


def visible(value: bytes) -> str | None:
    """The value as text if it is printable ASCII (%x20-7E), else None."""
    if not value.isascii():
        return None
    text = value.decode()
    return text if text.isprintable() else None
