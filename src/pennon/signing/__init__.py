"""Signed tokens: Ed25519 JWS (RFC 7515, RFC 8037) through PyJWT, and a cache of what was verified.

What the claims of a token mean is not known here: overrides are `carry`'s, break-glass kills `sync`'s. Nor is the time:
whether a token has expired or was revoked is asked at each use, by whoever knows the claims. The library is an extra
(`pennon[signing]`), loaded at the first signature; without it every token is UNAVAILABLE.
"""

from pennon.flags.keys import key_id_of
from pennon.signing.keys import new_key, public_of
from pennon.signing.tokens import KILL_TYPE, OVERRIDE_TYPE, TOKEN_LIMIT_BYTES, SigningFault, sign
from pennon.signing.verifier import Verifier

__all__ = [
    "KILL_TYPE",
    "OVERRIDE_TYPE",
    "TOKEN_LIMIT_BYTES",
    "SigningFault",
    "Verifier",
    "key_id_of",
    "new_key",
    "public_of",
    "sign",
]
