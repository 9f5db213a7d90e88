"""Keys: what they look like, what they are called, what is no key."""

import subprocess
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from pennon.errors import SettingInvalid
from pennon.flags.keys import is_public_key
from pennon.signing import OVERRIDE_TYPE, SigningFault, Verifier, key_id_of, new_key, public_of, sign

# RFC 8037, appendix A.3: the key, and its thumbprint kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k.
RFC_8037 = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


def test_key_is_called_by_its_thumbprint() -> None:
    """The first 64 bits of RFC 7638's, as RFC 8037 computes it for this key."""
    assert "90facafea9b15566" == key_id_of(RFC_8037)


def test_new_keys_differ_and_look_like_keys() -> None:
    """43 characters of base64url, and a PEM from which the public half follows."""
    pairs = [new_key() for _ in range(3)]
    assert 3 == len({public for _, public in pairs})
    assert all(is_public_key(public) and public_of(pem) == public for pem, public in pairs)
    assert all(pem.startswith(b"-----BEGIN PRIVATE KEY-----\n") for pem, _ in pairs)


@pytest.mark.parametrize(
    "text", ["", RFC_8037[:-1], RFC_8037 + "A", RFC_8037 + "=", RFC_8037[:-1] + "p", "+" + RFC_8037[1:], None, 7]
)
def test_what_is_not_32_bytes_in_its_one_spelling_is_no_public_key(text: object) -> None:
    """Two texts never are one key."""
    assert not is_public_key(text)
    assert is_public_key(RFC_8037)


def _pem(key: Any, encryption: KeySerializationEncryption | None = None) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return pem


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"not a key",
        _pem(ec.generate_private_key(ec.SECP256R1())),
        _pem(ed448.Ed448PrivateKey.generate()),
        _pem(ed25519.Ed25519PrivateKey.generate(), BestAvailableEncryption(b"secret")),
    ],
    ids=["empty", "text", "p-256", "ed448", "encrypted"],
)
def test_other_keys_sign_nothing(pem: bytes) -> None:
    """And the message shows nothing of them."""
    with pytest.raises(SettingInvalid, match=r"^key: not an Ed25519 private key") as raised:
        sign({}, pem, key_id="k", typ=OVERRIDE_TYPE)
    assert "BEGIN" not in str(raised.value)


def test_without_the_library_every_token_is_unavailable(signer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service without the extra answers as if it had been shown no token; an operator is told what to install."""
    token = signer.token()
    monkeypatch.setitem(sys.modules, "jwt", None)
    assert SigningFault.UNAVAILABLE is Verifier(OVERRIDE_TYPE).claims(token, signer.keys)
    for ask in (new_key, lambda: public_of(signer.pem), lambda: sign({}, signer.pem, key_id="k", typ=OVERRIDE_TYPE)):
        with pytest.raises(SettingInvalid, match=r"pip install 'pennon\[signing\]'"):
            ask()


def test_the_library_is_loaded_at_the_first_signature_only() -> None:
    """Importing the room costs nothing, nor does refusing what has the wrong form."""
    code = (
        "import sys; from pennon.signing import *; Verifier(OVERRIDE_TYPE).claims('x.y.z', {});"
        "print([name for name in ('jwt', 'cryptography') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout
    assert b"[]" == out.strip()
