"""What a break-glass token claims: the kill of one flag in one environment, for at most a day.

Whether its signature is right is not known here (`signing`), nor who may sign (`control.break_glass`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

# An outage, not a way to switch flags: a lost key or a lost reconciliation does no harm after that.
BREAK_GLASS_LIMIT_S: Final = 24 * 3_600

_Id = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
_Text = Annotated[str, Meta(min_length=1)]
_Time = Annotated[int, Meta(ge=0)]


class BreakGlassClaims(msgspec.Struct, frozen=True):
    """What a token says.

    id: the token's `jti`, 1 to 64 of A-Z a-z 0-9 _ -. key_id: the `kid` of the key that verified it. environment: 40
    bits. flag: its key. issued_s, until_s, from_s: since 1970; it holds from `from_s` on and before `until_s`.
    reason: for the audit. from_s: 0 if it says nothing of it.
    """

    id: str
    key_id: str
    environment: int
    flag: str
    issued_s: int
    until_s: int
    reason: str = ""
    from_s: int = 0


def jwt_claims_of(claims: BreakGlassClaims) -> dict[str, Any]:
    """The claims as a token carries them (RFC 7519 §4); `key_id` stands in its header instead."""
    said = {
        "jti": claims.id,
        "aud": f"{claims.environment:010x}",
        "iat": claims.issued_s,
        "exp": claims.until_s,
        "flag": claims.flag,
    }
    told = {"reason": claims.reason, "nbf": claims.from_s}
    return said | {name: value for name, value in told.items() if value}


def break_glass_claims_of(claims: Mapping[str, Any], *, key_id: str) -> BreakGlassClaims | None:
    """The claims of a verified token; None if they are not a break-glass kill's. Unknown ones are passed over.

    key_id: of the key that verified it.
    """
    try:
        said = msgspec.convert(claims, _Jwt)
    except msgspec.ValidationError:
        return None
    if said.nbf is not UNSET and said.nbf >= said.exp:
        return None
    environment = int(said.aud, 16)
    return BreakGlassClaims(said.jti, key_id, environment, said.flag, said.iat, said.exp, said.reason, said.nbf or 0)


class _Jwt(msgspec.Struct, frozen=True):
    """A token's payload. aud: the environment's id as 10 lower-case hex digits."""

    jti: _Id
    aud: Annotated[str, Meta(pattern=r"\A[0-9a-f]{10}\Z")]
    iat: _Time
    exp: _Time
    flag: _Text
    reason: str = ""
    nbf: _Time | UnsetType = UNSET
