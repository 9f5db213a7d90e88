"""Signed tokens: Ed25519 JWS (RFC 7515, RFC 9864) through PyJWT, and a cache of what was verified.

What the claims of a token mean is not known here: overrides are `carry`'s, break-glass kills `sync`'s, signed contexts
`headers`'s. A `Verifier` does not know the time either: whether a token has expired or was revoked is asked by whoever
knows the claims, at each use. The library is an extra (`pennon[signing]`), loaded at the first signature; without it
every token is UNAVAILABLE.
"""

from pennon.flags.keys import key_id_of
from pennon.signing.context import ContextSigner, SignedContext, SignerFault
from pennon.signing.keys import new_key, public_of
from pennon.signing.tokens import CONTEXT_TYPE, KILL_TYPE, OVERRIDE_TYPE, TOKEN_LIMIT_BYTES, SigningFault, sign
from pennon.signing.verifier import Verifier

__all__ = [
    "CONTEXT_TYPE",
    "KILL_TYPE",
    "OVERRIDE_TYPE",
    "TOKEN_LIMIT_BYTES",
    "ContextSigner",
    "SignedContext",
    "SignerFault",
    "SigningFault",
    "Verifier",
    "key_id_of",
    "new_key",
    "public_of",
    "sign",
]
