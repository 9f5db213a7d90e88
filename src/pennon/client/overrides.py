"""The override token that a public boundary was shown: what it sets, verified and judged anew at each use.

So a token that expires or is revoked ends in mid-request, where it was read. What it costs is paid by requests that
bear one: a signature is verified once per token and key, everything else is a few comparisons.
"""

import logging
from enum import StrEnum
from typing import Final
from weakref import WeakSet

from pennon.carry import OverrideClaims, override_claims_of, override_refusal
from pennon.context import Ledger
from pennon.counters import Count, count
from pennon.flags import Flag, Ruleset
from pennon.signing import OVERRIDE_TYPE, SigningFault, Verifier

_SECOND_NS: Final = 1_000_000_000

_log: Final = logging.getLogger("pennon.client")


class TokenFault(StrEnum):
    """Why a token says nothing, beside what `signing` and `carry` know."""

    CLAIMS = "claims"
    """Its signature is right, its claims are not those of an override."""
    FAILED = "failed"
    """Reading it raised."""


class Overrides:
    """See the module. One per client."""

    __slots__ = ("_refused", "_verifier")

    def __init__(self) -> None:
        self._verifier = Verifier(OVERRIDE_TYPE)
        # The requests whose token has been counted as refused: a page asks fifty flags, and is one refusal.
        self._refused: WeakSet[Ledger] = WeakSet()

    def for_ask(
        self, token: str, ledger: Ledger, ruleset: Ruleset, flag: Flag, unit_key: str | None, now_ns: int
    ) -> OverrideClaims | None:
        """The token's claims if it is believed now and is about this flag and unit; else None."""
        try:
            found = self._judged(token, ruleset, now_ns)
        except Exception:  # noqa: BLE001 - what a stranger sends must not turn an answer into the default
            found = TokenFault.FAILED
        if not isinstance(found, OverrideClaims):
            self._refuse(ledger, found)
            return None
        is_meant = (found.flag, found.unit_kind, found.unit_key) == (flag.key, flag.unit_kind, unit_key)
        return found if is_meant else None

    def _judged(self, token: str, ruleset: Ruleset, now_ns: int) -> OverrideClaims | StrEnum:
        key_id = self._verifier.key_id(token)
        if isinstance(key_id, SigningFault):
            return key_id
        signer = ruleset.signers.get(key_id)
        said = self._verifier.claims(token, {} if signer is None else {key_id: signer.key})
        if isinstance(said, SigningFault):
            return said
        claims = override_claims_of(said, key_id=key_id)
        if claims is None:
            return TokenFault.CLAIMS
        return override_refusal(claims, ruleset, now_ns // _SECOND_NS) or claims

    def _refuse(self, ledger: Ledger, cause: StrEnum) -> None:
        if ledger not in self._refused:
            self._refused.add(ledger)
            count(Count.OVERRIDES_REFUSED, cause)
            # The cause alone: the token opens what it is for, to whoever reads the log.
            _log.debug("override.refused cause=%s", cause.value)
