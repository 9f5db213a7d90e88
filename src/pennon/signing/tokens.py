"""Compact JWS (RFC 7515 §7.1) signed with Ed25519 (RFC 8032 §5.1): written, and read without trust.

    BASE64URL(header) "." BASE64URL(claims) "." BASE64URL(signature)
    header: {"alg": "Ed25519", "typ": …, "kid": …}, nothing that is critical (RFC 7515 §4.1.11)

`alg` names curve and all (RFC 9864 §2.2). `EdDSA` (RFC 8037 §3.1), which leaves the curve to the key and which RFC 9864
§4.1 deprecates, is refused like any other name: exactly one is believed.

One token has one text: other texts of the same bytes are refused (padding, spare bits, characters that lenient
decoders skip), so that a refused or revoked token does not come back in another spelling.
"""

import base64
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pennon.errors import Fault, SettingInvalid
from pennon.flags.keys import is_public_key
from pennon.signing.keys import private_key_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from jwt import PyJWS

ALGORITHM: Final = "Ed25519"
OVERRIDE_TYPE: Final = "pennon-override+jwt"
KILL_TYPE: Final = "pennon-kill+jwt"
CONTEXT_TYPE: Final = "pennon-context+jwt"

# Far above any token of ours (some 400 bytes), below what a server takes as one header line.
TOKEN_LIMIT_BYTES: Final = 2_048

# A signature is 64 bytes: 86 characters, of which the last one's low four bits are zero.
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]")


class SigningFault(StrEnum):
    """Why a token is not believed."""

    UNAVAILABLE = "unavailable"
    """The library is not installed: nothing can be verified."""
    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    """Not a compact JWS in its one spelling, or its claims are not a JSON object."""
    WRONG_ALGORITHM = "wrong_algorithm"
    WRONG_TYPE = "wrong_type"
    """`typ` is missing or another kind of token's."""
    UNKNOWN_KEY = "unknown_key"
    """No key of that `kid` is believed."""
    BAD_SIGNATURE = "bad_signature"


class _Issued(msgspec.Struct, frozen=True):
    iss: str


class _Header(msgspec.Struct, frozen=True):
    alg: str
    typ: str = ""
    kid: str = ""
    crit: Any = msgspec.UNSET
    b64: Any = msgspec.UNSET


def sign(claims: Mapping[str, Any], private_pem: bytes, *, key_id: str, typ: str) -> str:
    """The token. typ: OVERRIDE_TYPE, KILL_TYPE or CONTEXT_TYPE. key_id: under which the public key is known.

    Raises: SettingInvalid for a text that is no private key, for claims that make a token over TOKEN_LIMIT_BYTES, or
    where the library is missing.
    """
    return sign_by(private_key_of(private_pem), claims, key_id=key_id, typ=typ)


def sign_by(key: "Ed25519PrivateKey", claims: Mapping[str, Any], *, key_id: str, typ: str) -> str:
    """The same, by a key that was read before. Raises: SettingInvalid for claims that are too long."""
    payload = json.dumps(dict(claims), separators=(",", ":")).encode()
    token = _jws().encode(payload, key, algorithm=ALGORITHM, headers={"kid": key_id, "typ": typ})
    if len(token) > TOKEN_LIMIT_BYTES:
        message = f"token: {len(token)} bytes, must be at most {TOKEN_LIMIT_BYTES}: its claims are too long"
        raise SettingInvalid([Fault("", message)])
    return token


def key_id_in(token: str, typ: str) -> str | SigningFault:
    """Which key it says it was signed with: looks at the form only. token: of TOKEN_LIMIT_BYTES characters at most."""
    if _COMPACT.fullmatch(token) is None:
        return SigningFault.MALFORMED
    try:
        header = _decode_header(_decoded(token.partition(".")[0]))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return SigningFault.MALFORMED
    if header.alg != ALGORITHM:
        return SigningFault.WRONG_ALGORITHM
    if header.typ != typ:
        return SigningFault.WRONG_TYPE
    if header.crit is not msgspec.UNSET or header.b64 is not msgspec.UNSET:
        return SigningFault.MALFORMED
    return header.kid


def issuer_in(token: str) -> str | SigningFault:
    """Who says to have signed it: so that this one's keys are asked, and nobody else's. Unverified.

    token: whose form `key_id_in` found good.
    """
    try:
        return _decode_issued(_decoded(token.split(".")[1])).iss
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return SigningFault.MALFORMED


def claims_in(token: str, public: str) -> Mapping[str, Any] | SigningFault:
    """The claims that this key has signed. token: whose form `key_id_in` found good."""
    if not is_public_key(public):
        return SigningFault.UNKNOWN_KEY
    try:
        import jwt
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return SigningFault.UNAVAILABLE
    try:
        key = Ed25519PublicKey.from_public_bytes(_decoded(public))
        payload = _jws().decode(token, key, algorithms=[ALGORITHM])
    except (jwt.InvalidTokenError, ValueError):
        return SigningFault.BAD_SIGNATURE
    try:
        return _decode_claims(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return SigningFault.MALFORMED


@cache
def _jws() -> "PyJWS":
    """PyJWT with the one algorithm that it is to know, so that no header can talk it into another.

    PyJWT has not this name for it (2.15). Its class for keys of RFC 8037 takes Ed448 as well; ours are Ed25519 by type.
    """
    from jwt import PyJWS
    from jwt.algorithms import OKPAlgorithm

    # Without its own list: a PyJWT that learns the name would refuse to be told it again.
    jws = PyJWS(algorithms=[])
    jws.register_algorithm(ALGORITHM, OKPAlgorithm())
    return jws


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


_decode_header = msgspec.json.Decoder(_Header).decode
_decode_issued = msgspec.json.Decoder(_Issued).decode
_decode_claims = msgspec.json.Decoder(dict[str, Any]).decode
