"""What the tests of tokens share: a key of their own, and tokens that it signed."""

from typing import Any, NamedTuple

import pytest

from pennon.signing import OVERRIDE_TYPE, key_id_of, new_key, sign


class Signer(NamedTuple):
    """A key pair."""

    pem: bytes
    public: str

    @property
    def id(self) -> str:
        """Its name in tokens."""
        return key_id_of(self.public)

    @property
    def keys(self) -> dict[str, str]:
        """What a replica believes that knows this signer alone."""
        return {self.id: self.public}

    def token(self, typ: str = OVERRIDE_TYPE, **claims: Any) -> str:
        """Signed claims."""
        return sign(claims or {"flag": "checkout"}, self.pem, key_id=self.id, typ=typ)


@pytest.fixture(scope="session")
def signer() -> Signer:
    """A new key."""
    return Signer(*new_key())


@pytest.fixture(scope="session")
def other() -> Signer:
    """Another one."""
    return Signer(*new_key())
