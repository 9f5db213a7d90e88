"""Ed25519 keys: the private half as PEM, the public half as a ruleset holds it (`flags.keys`)."""

import base64
from typing import TYPE_CHECKING

from pennon.errors import Fault, SettingInvalid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


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
