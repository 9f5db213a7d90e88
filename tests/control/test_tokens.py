"""Tokens: how they look, and what is kept."""

import hashlib

import pytest

from pennon.control import Role
from pennon.control.tokens import is_secret, secret_hash, secret_of


@pytest.mark.parametrize(("role", "prefix"), [(Role.ADMIN, "pn_adm_"), (Role.SDK, "pn_sdk_")])
def test_secret_says_its_role_and_holds_all_the_entropy(role: Role, prefix: str) -> None:
    """Two secrets differ if one bit of the entropy does."""
    secret, other = secret_of(role, bytes(32)), secret_of(role, bytes(31) + b"\1")

    assert secret.startswith(prefix)
    assert is_secret(secret)
    assert secret != other


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_secret_is_not_made_of_less_entropy(length: int) -> None:
    """A short read of randomness must not become a short secret."""
    with pytest.raises(ValueError, match="must be 32"):
        secret_of(Role.SDK, bytes(length))


@pytest.mark.parametrize(
    "text", ["", "pn_sdk_", "pn_root_" + "a" * 43, "pn_sdk_" + "a" * 42, "pn_sdk_" + "a" * 43 + "\n", "x" * 100_000]
)
def test_other_text_is_no_secret(text: str) -> None:
    """What cannot be ours is not looked up."""
    assert not is_secret(text)


def test_only_a_hash_is_kept() -> None:
    """SHA-256 of the whole secret, so that a stolen database opens nothing."""
    assert hashlib.sha256(b"pn_sdk_x").hexdigest() == secret_hash("pn_sdk_x")
