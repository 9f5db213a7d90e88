"""Fingerprints of units: 24 bits that tell whose decision an entry is, without saying who that is."""

from functools import lru_cache
from typing import Final

from mmh3 import hash as murmur3_32

from pennon.flags import cbor_text

# CBOR (RFC 8949 §3.1): an array of three.
_ARRAY_OF_3: Final = b"\x83"


# A request asks about one unit or a few, again at every hop: 2,048 hold what a busy process is working on. It is a
# memory of a pure function, nothing reads it back.
@lru_cache(maxsize=2_048)
def fingerprint_of(salt: str, kind: str, key: str) -> int:
    """The top 24 bits of murmur3_32 (seed 0) over canonical CBOR of [environment salt, unit kind, unit key].

    It detects a mismatch, it does not identify: two units share one in 1 of 2**24 cases.
    """
    return murmur3_32(_ARRAY_OF_3 + cbor_text(salt) + cbor_text(kind) + cbor_text(key), 0, signed=False) >> 8
