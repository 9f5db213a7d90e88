"""Verification, remembered: one signature costs about 100 µs, a token is shown at every request of a session."""

from collections.abc import Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final

from pennon.signing.tokens import TOKEN_LIMIT_BYTES, SigningFault, claims_in, key_id_in

# At 2 KiB each some 4 MiB at most; far more testers than one process sees at a time.
REMEMBERED_LIMIT_COUNT: Final = 1_024


class Verifier:
    """Believes tokens of one kind. Callable from any thread; the least recently shown token is forgotten first.

    Refusals are remembered as well. What is remembered belongs to a token *and* a key: another key under the same id
    is asked anew, one that is gone is not believed any more.
    """

    def __init__(self, typ: str, *, remembered_limit_count: int = REMEMBERED_LIMIT_COUNT) -> None:
        remembered = lru_cache(maxsize=remembered_limit_count)
        self._key_id_in = remembered(partial(key_id_in, typ=typ))
        self._claims_in = remembered(_claims)

    def claims(self, token: str, keys: Mapping[str, str]) -> Mapping[str, Any] | SigningFault:
        """What the token claims, read-only, or why it is not believed. keys: key id -> public key, as they are now.

        Expiry, audience and revocation are not looked at.
        """
        key_id = self.key_id(token)
        if isinstance(key_id, SigningFault):
            return key_id
        public = keys.get(key_id)
        return SigningFault.UNKNOWN_KEY if public is None else self._claims_in(token, public)

    def key_id(self, token: str) -> str | SigningFault:
        """Which key it says it was signed with, unverified, or what is wrong with its form."""
        # Before anything is remembered: only short texts take room.
        return SigningFault.TOO_LONG if len(token) > TOKEN_LIMIT_BYTES else self._key_id_in(token)


def _claims(token: str, public: str) -> Mapping[str, Any] | SigningFault:
    claims = claims_in(token, public)
    # Shared by all who show the token again.
    return claims if isinstance(claims, SigningFault) else MappingProxyType(claims)
