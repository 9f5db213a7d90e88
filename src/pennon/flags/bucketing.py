"""From a unit to its bucket. Frozen: a change here moves every user of every fleet to another arm.

bucket = murmur3_32(bytes, seed 0, unsigned) * 100,000 >> 32, where bytes are the text `salt + ":" + unit key`:
its UTF-8 for `m3-utf8`, a canonical CBOR text string of it (RFC 8949 §3.1 major type 3, §4.2.1 shortest head) for
`m3-cbor`. Lone surrogates are encoded as three bytes, like any other code point below U+10000.
"""

from enum import StrEnum
from typing import Final

from mmh3 import mmh3_32_uintdigest, mmh3_x64_128_digest

from pennon.flags.records import BUCKETS

_TEXT: Final = 0x60


class Algo(StrEnum):
    """How a unit key becomes the bytes that are hashed; stored with each split."""

    CBOR = "m3-cbor"
    UTF8 = "m3-utf8"


def _text_head(length_bytes: int) -> bytes:
    if length_bytes < 24:
        return bytes((_TEXT + length_bytes,))
    for code, width in ((24, 1), (25, 2), (26, 4)):
        if length_bytes < 1 << (8 * width):
            return bytes((_TEXT + code,)) + length_bytes.to_bytes(width)
    return bytes((_TEXT + 27,)) + length_bytes.to_bytes(8)


# Heads of the lengths that occur, so that hashing a unit builds none.
TEXT_HEADS: Final = tuple(_text_head(length) for length in range(256))


def utf8_of(text: str) -> bytes:
    """Its UTF-8; lone surrogates as three bytes each, where Python alone would raise."""
    return text.encode("utf-8", "surrogatepass")


def cbor_text(text: str) -> bytes:
    """The canonical CBOR text string of it."""
    body = utf8_of(text)
    return _text_head(len(body)) + body


def bucket_of(algo: Algo | str, salt: str, unit_key: str) -> int:
    """The unit's bucket, 0…99,999. Raises: ValueError for an algo that is not one of `Algo`."""
    text = f"{salt}:{unit_key}"
    data = cbor_text(text) if Algo(algo) is Algo.CBOR else utf8_of(text)
    return mmh3_32_uintdigest(data, 0) * BUCKETS >> 32


def member_hash(salt: str, key: str) -> str:
    """How a segment lists a unit: h1 of murmur3_x64_128 of `salt + ":" + key`, as 16 lower-case hex digits."""
    return mmh3_x64_128_digest(utf8_of(f"{salt}:{key}"), 0)[7::-1].hex()
