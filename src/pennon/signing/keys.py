"""Ed25519 keys: the private half as PEM, the public half as it travels in a ruleset.

A public key is its 32 bytes in unpadded base64url, the `x` of its JWK (RFC 8037 §2).
"""

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Final

from pennon.errors import Fault, SettingInvalid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# 43 characters hold 258 bits: the last one's low two bits are zero, or two texts would be one key.
_PUBLIC: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")

# 64 bits: nobody has so many keys that two of them meet; a person can still type it.
_ID_DIGITS: Final = 16


def new_key() -> tuple[bytes, str]:
    """A new pair: the private key as PEM (PKCS #8, unencrypted), and the public one.

    Raises: SettingInvalid where the library is missing.
    """
    with_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), _public(key)


def public_of(private_pem: bytes) -> str:
    """The public key that belongs to a private one. Raises: SettingInvalid if it is none, or the library is missing."""
    return _public(private_key_of(private_pem))


def is_public_key(text: object) -> bool:
    """Whether it is written as public keys are."""
    return isinstance(text, str) and _PUBLIC.fullmatch(text) is not None


def key_id_of(public: str) -> str:
    """What names a public key, in tokens (`kid`) and in rulesets: the first 16 hex digits of its thumbprint (RFC 7638).

    It follows from the key, so whoever holds a private key knows what it is called.
    """
    jwk = '{"crv":"Ed25519","kty":"OKP","x":"' + public + '"}'
    return hashlib.sha256(jwk.encode()).hexdigest()[:_ID_DIGITS]


def private_key_of(private_pem: bytes) -> "Ed25519PrivateKey":
    """The key of a PEM text. Raises: SettingInvalid, without the text."""
    with_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingInvalid([Fault("", "key: not an Ed25519 private key in PEM without a passphrase")])
    return key


def with_library() -> None:
    """Nothing, if the library is there. Raises: SettingInvalid with the way out."""
    try:
        import cryptography
        import jwt
    except ImportError:
        message = "signing needs PyJWT and cryptography: pip install 'pennon[signing]'"
        raise SettingInvalid([Fault("", message)]) from None
    del cryptography, jwt


def _public(key: "Ed25519PrivateKey") -> str:
    return base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")
