"""Break-glass kills: whose are believed while nothing can be looked up, and how the numbering takes them over later.

A server keeps in memory what it needs to judge one (`Known`), so that a kill needs no database. Once the database
answers, the kill becomes an ordinary one there, under its own id, exactly once.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from pennon.context import Environment
from pennon.control.ports import Author, ChangeRow
from pennon.flags import ReconciledRecord, SignerRecord, SignerUse
from pennon.sync import BREAK_GLASS_LIMIT_S, BreakGlass, BreakGlassClaims

# How far a clock may be behind the one that dropped a record: until then it could still believe the token.
RECONCILED_GRACE_S: Final = 3_600

# How far the clock that issued a token may be ahead of ours.
_LEEWAY_S: Final = 60


class Known(msgspec.Struct, frozen=True):
    """What is remembered of one environment.

    position: the (epoch, revision) at which it was read. signers: by id, of either use. flags: key -> id, without
    archived ones. reconciled: ids of break-glass kills that the numbering holds.
    """

    project: str
    environment: Environment
    position: tuple[int, int]
    signers: Mapping[str, SignerRecord]
    flags: Mapping[str, int]
    reconciled: frozenset[str]


class BreakGlassRefusal(StrEnum):
    """Why a token whose signature is right is not believed; the first of these that holds, in this order."""

    ENVIRONMENT = "environment"
    """There is no such environment here."""
    UNKNOWN_SIGNER = "unknown_signer"
    """The environment has no such key."""
    SIGNER_EXPIRED = "signer_expired"
    """The key is not believed any more."""
    SIGNER_USE = "signer_use"
    """The key signs other things."""
    EXPIRED = "expired"
    """Its time is over."""
    NOT_YET_VALID = "not_yet_valid"
    """It was issued more than 60 s after now, or does not count before then (RFC 7519 §4.1.5)."""
    TOO_LONG = "too_long"
    """It would hold for more than 24 hours."""


def break_glass_refusal(claims: BreakGlassClaims, known: Known | None, now_s: int) -> BreakGlassRefusal | None:
    """Why the token is not believed now; None if it is.

    known: of the environment that it names; None if nothing is. now_s: wall clock, since 1970.
    """
    if known is None:
        return BreakGlassRefusal.ENVIRONMENT
    return _signer_refusal(known.signers.get(claims.key_id), now_s) or _time_refusal(claims, now_s)


def author_of(claims: BreakGlassClaims) -> Author:
    """Who has killed, and why, as the change log says it: signer and token always, and what the signer wrote."""
    why = f"{claims.reason} (token {claims.id})" if claims.reason else f"token {claims.id}"
    return Author(f"break-glass {claims.key_id}", why)


def is_over(record: ReconciledRecord, now_s: int) -> bool:
    """Whether the token has expired everywhere, so that nobody need know of it."""
    return record.until_s + RECONCILED_GRACE_S <= now_s


def _signer_refusal(signer: SignerRecord | None, now_s: int) -> BreakGlassRefusal | None:
    if signer is None:
        return BreakGlassRefusal.UNKNOWN_SIGNER
    if signer.until_s is not None and now_s >= signer.until_s:
        return BreakGlassRefusal.SIGNER_EXPIRED
    return None if signer.use is SignerUse.KILL else BreakGlassRefusal.SIGNER_USE


def _time_refusal(claims: BreakGlassClaims, now_s: int) -> BreakGlassRefusal | None:
    if now_s >= claims.until_s:
        return BreakGlassRefusal.EXPIRED
    if now_s + _LEEWAY_S < max(claims.issued_s, claims.from_s):
        return BreakGlassRefusal.NOT_YET_VALID
    return BreakGlassRefusal.TOO_LONG if claims.until_s - claims.issued_s > BREAK_GLASS_LIMIT_S else None


class BreakGlassStore(Protocol):
    """The store's part for break-glass kills; errors as in `ports`."""

    def positions(self) -> Mapping[int, tuple[int, int]]:
        """Where the numbering of every environment stands: its id -> (epoch, revision)."""
        ...

    def known(self, environment_id: int) -> Known:
        """What a server remembers of an environment."""
        ...

    def reconcile(self, kill: BreakGlass, *, by: Author) -> tuple[ChangeRow, ...]:
        """The one change that takes the kill over into the numbering; none if it holds it, or if its time is over.

        The flag is killed and the kill's id published in the same revision. Where it is killed already, archived or
        not there, only the id is published: nobody waits for it any more. NotFound: the environment is not there.
        """
        ...
