"""Public keys of signers, as a ruleset holds them: Ed25519, 32 bytes in unpadded base64url (the `x` of RFC 8037 §2)."""

import hashlib
import re
from typing import Final

# 43 characters hold 258 bits: the last one's low two bits are zero, or two texts would be one key.
_PUBLIC: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")

# 64 bits: nobody has so many keys that two of them meet; a person can still type it.
_ID_DIGITS: Final = 16


def is_public_key(text: object) -> bool:
    """Whether it is written as public keys are."""
    return isinstance(text, str) and _PUBLIC.fullmatch(text) is not None


def key_id_of(public: str) -> str:
    """What names a public key, in tokens (`kid`) and in rulesets: the first 16 hex digits of its thumbprint (RFC 7638).

    It follows from the key: one id can never mean two keys, and whoever holds a private key knows what it is called.
    """
    jwk = '{"crv":"Ed25519","kty":"OKP","x":"' + public + '"}'
    return hashlib.sha256(jwk.encode()).hexdigest()[:_ID_DIGITS]
