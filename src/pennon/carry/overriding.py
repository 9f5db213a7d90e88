"""Overrides: what a signed token claims, and why one is not believed.

A token names one flag, one variant and one unit of one environment, for at most a week. Whether its signature is right
is not known here (`signing`); everything else is judged at each use, so that revoking a token, expiring a signer or
taking a flag off the allowlist ends it at once where the token was read.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pennon.flags import Ruleset, SignerUse

# A tester's session and not a rollout; a lost token is harmless after that, and revocations need not be kept longer.
OVERRIDE_LIMIT_S: Final = 7 * 24 * 3_600

# How far the clock that issued a token may be ahead of ours.
_LEEWAY_S: Final = 60

_Text = Annotated[str, Meta(min_length=1)]
_Time = Annotated[int, Meta(ge=0)]
# What stands in a ruleset's revocations, in audits and in reports.
_Id = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z")]


class OverrideClaims(msgspec.Struct, frozen=True):
    """What a token says.

    id: the token's `jti`, 1 to 64 of A-Z a-z 0-9 . _ -. key_id: the `kid` of the key that verified it.
    environment: 40 bits. issued_s, until_s, from_s: since 1970; it holds from `from_s` on and before `until_s`.
    from_s: 0 if it says nothing of it.
    """

    id: str
    key_id: str
    environment: int
    flag: str
    variant: str
    unit_kind: str
    unit_key: str
    issued_s: int
    until_s: int
    from_s: int = 0


class OverrideUse(msgspec.Struct, frozen=True):
    """A token was used so often in one process. id: the token's. first_ms, last_ms: since 1970, the process's clock."""

    id: str
    flag: str
    variant: str
    count: int
    first_ms: int
    last_ms: int


class OverrideRefusal(StrEnum):
    """Why a token whose signature is right is not believed; the first of these that holds, in this order."""

    UNKNOWN_SIGNER = "unknown_signer"
    """The ruleset has no such key."""
    SIGNER_EXPIRED = "signer_expired"
    """The key is not believed any more."""
    SIGNER_USE = "signer_use"
    """The key signs other things."""
    REVOKED = "revoked"
    """Somebody took the token back."""
    EXPIRED = "expired"
    """Its time is over."""
    NOT_YET_VALID = "not_yet_valid"
    """It was issued more than 60 s after now, or does not count before then (RFC 7519 §4.1.5)."""
    TOO_LONG = "too_long"
    """It would hold for more than 7 days."""
    ENVIRONMENT = "environment"
    """It is for another environment."""
    UNKNOWN_FLAG = "unknown_flag"
    """There is no such flag here."""
    NOT_OVERRIDABLE = "not_overridable"
    """The flag's author does not allow it."""
    UNKNOWN_VARIANT = "unknown_variant"
    """The flag has no such variant here."""


def jwt_claims_of(claims: OverrideClaims) -> dict[str, Any]:
    """The claims as a token carries them (RFC 7519 §4); `key_id` stands in its header instead."""
    said = {
        "jti": claims.id,
        "aud": f"{claims.environment:010x}",
        "iat": claims.issued_s,
        "exp": claims.until_s,
        "flag": claims.flag,
        "variant": claims.variant,
        "unit": {"kind": claims.unit_kind, "key": claims.unit_key},
    }
    return said | ({"nbf": claims.from_s} if claims.from_s else {})


def override_claims_of(claims: Mapping[str, Any], *, key_id: str) -> OverrideClaims | None:
    """The claims of a verified token; None if they are not those of an override. Claims unknown here are passed over.

    key_id: of the key that verified it.
    """
    try:
        said = msgspec.convert(claims, _Jwt)
    except msgspec.ValidationError:
        return None
    if said.nbf is not UNSET and said.nbf >= said.exp:
        return None
    environment = int(said.aud, 16)
    unit = said.unit
    return OverrideClaims(
        said.jti, key_id, environment, said.flag, said.variant, unit.kind, unit.key, said.iat, said.exp, said.nbf or 0
    )


def override_refusal(claims: OverrideClaims, ruleset: Ruleset, now_s: int) -> OverrideRefusal | None:
    """Why the token is not believed now; None if it is. now_s: wall clock, since 1970."""
    return (
        _signer_refusal(claims, ruleset, now_s)
        or _time_refusal(claims, ruleset, now_s)
        or _subject_refusal(claims, ruleset)
    )


def _signer_refusal(claims: OverrideClaims, ruleset: Ruleset, now_s: int) -> OverrideRefusal | None:
    signer = ruleset.signers.get(claims.key_id)
    if signer is None:
        return OverrideRefusal.UNKNOWN_SIGNER
    if signer.until_s is not None and now_s >= signer.until_s:
        return OverrideRefusal.SIGNER_EXPIRED
    return None if signer.use is SignerUse.OVERRIDE else OverrideRefusal.SIGNER_USE


def _time_refusal(claims: OverrideClaims, ruleset: Ruleset, now_s: int) -> OverrideRefusal | None:
    if claims.id in ruleset.revocations:
        return OverrideRefusal.REVOKED
    if now_s >= claims.until_s:
        return OverrideRefusal.EXPIRED
    if now_s + _LEEWAY_S < max(claims.issued_s, claims.from_s):
        return OverrideRefusal.NOT_YET_VALID
    return OverrideRefusal.TOO_LONG if claims.until_s - claims.issued_s > OVERRIDE_LIMIT_S else None


def _subject_refusal(claims: OverrideClaims, ruleset: Ruleset) -> OverrideRefusal | None:
    if claims.environment != ruleset.environment.id:
        return OverrideRefusal.ENVIRONMENT
    record = ruleset.records.get(claims.flag)
    if record is None:
        return OverrideRefusal.UNKNOWN_FLAG
    if not record.overridable:
        return OverrideRefusal.NOT_OVERRIDABLE
    is_known = any(variant.key == claims.variant for variant in record.variants)
    return None if is_known else OverrideRefusal.UNKNOWN_VARIANT


class _JwtUnit(msgspec.Struct, frozen=True):
    kind: _Text
    key: _Text


class _Jwt(msgspec.Struct, frozen=True):
    """A token's payload. aud: the environment's id as 10 lower-case hex digits. unit: the one that it is about."""

    jti: _Id
    aud: Annotated[str, Meta(pattern=r"\A[0-9a-f]{10}\Z")]
    iat: _Time
    exp: _Time
    flag: _Text
    variant: _Text
    unit: _JwtUnit
    nbf: _Time | UnsetType = UNSET
