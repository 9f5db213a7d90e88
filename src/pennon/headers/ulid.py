"""ULIDs: 48 bits of milliseconds and 80 random bits, as 26 characters that sort by time.

Rules (github.com/ulid/spec, "Components", "Encoding", "Overflow Errors When Parsing Base32 Strings"):
- Crockford's base 32: no I, L, O, U. Written in upper case, read in either. The look-alikes that Crockford would read
  as digits (i, l, o) are not read: two texts would then be one id.
- 26 characters hold 130 bits: what begins above "7" does not fit into 128 and is no ULID.
- Two of one millisecond do not sort by when they were made: that would need memory, and here is none.
"""

import re
from typing import Final

import msgspec

ENTROPY_BYTES: Final = 10

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SHAPE: Final = re.compile(rb"[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}")
# Ten bits at a time: half the steps of one character at a time.
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_SHIFTS: Final = tuple(range(120, -1, -10))
# int() reads base 32 with the digits 0-9A-V; this says in them what Crockford's say.
_TO_PYTHON: Final = bytes.maketrans(
    (_ALPHABET + _ALPHABET.lower()).encode(), b"0123456789ABCDEFGHIJKLMNOPQRSTUV" * 2
)  # fmt: skip

_ENTROPY_BITS: Final = 8 * ENTROPY_BYTES
_TIME_LIMIT_MS: Final = 1 << 48
_MS_NS: Final = 1_000_000


class Ulid(msgspec.Struct, frozen=True, gc=False):
    """A ULID, taken apart. made_ms: since 1970, 0 <= made_ms < 2**48 (in the year 10889). entropy: 10 bytes."""

    made_ms: int
    entropy: bytes


def new_ulid(now_ns: int, entropy: bytes) -> str:
    """A ULID of this time and these random bytes.

    now_ns: wall clock, since 1970. entropy: 10 bytes.
    Raises: ValueError if either is out of its range.
    """
    made_ms = now_ns // _MS_NS
    if not 0 <= made_ms < _TIME_LIMIT_MS or len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"ulid: {now_ns} ns and {len(entropy)} bytes; 2**48 ms since 1970 and {ENTROPY_BYTES} bytes")
    bits = made_ms << _ENTROPY_BITS | int.from_bytes(entropy)
    return "".join([_PAIRS[bits >> shift & 0x3FF] for shift in _SHIFTS])


def parse_ulid(value: bytes) -> Ulid | None:
    """What a ULID says; None for everything else, surrounding white space included."""
    if _SHAPE.fullmatch(value) is None:
        return None
    bits = int(value.translate(_TO_PYTHON), 32)
    return Ulid(bits >> _ENTROPY_BITS, (bits & (1 << _ENTROPY_BITS) - 1).to_bytes(ENTROPY_BYTES))
