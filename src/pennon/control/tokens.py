"""Tokens: how a secret looks, and what is kept of it.

`pn_adm_` or `pn_sdk_`, then 32 random bytes as unpadded base64url. The prefix tells people and secret scanners what
they have found. A secret with 256 random bits needs no slow hash and no salt: SHA-256 cannot be guessed back.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Final

from pennon.control.ports import Role

ENTROPY_BYTES: Final = 32

_PREFIXES: Final[Mapping[Role, str]] = {Role.ADMIN: "pn_adm_", Role.SDK: "pn_sdk_"}
_FORMAT: Final = re.compile(r"pn_(adm|sdk)_[A-Za-z0-9_-]{43}")


def secret_of(role: Role, entropy: bytes) -> str:
    """The secret. entropy: ENTROPY_BYTES random bytes. Raises: ValueError for fewer or more."""
    if len(entropy) != ENTROPY_BYTES:
        msg = f"{len(entropy)} bytes of entropy, must be {ENTROPY_BYTES}"
        raise ValueError(msg)
    return _PREFIXES[role] + base64.urlsafe_b64encode(entropy).decode().rstrip("=")


def is_secret(text: str) -> bool:
    """Whether it looks like one of ours; everything else need not be looked up."""
    return _FORMAT.fullmatch(text) is not None


def secret_hash(secret: str) -> str:
    """What is kept of it: SHA-256, lower-case hex."""
    return hashlib.sha256(secret.encode()).hexdigest()
