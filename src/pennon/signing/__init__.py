"""Signed tokens: Ed25519 JWS (RFC 7515, RFC 8037) through PyJWT, and a cache of what was verified.

What the claims of a token mean is not known here: overrides are `carry`'s, break-glass kills `sync`'s.
"""
