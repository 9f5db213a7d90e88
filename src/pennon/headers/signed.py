"""Signed context: what a token in `Pennon-Context` says about whose work a request or record is, and when it counts.

Claims (RFC 7519; best practice RFC 8725): `iss` the service that signed, `aud` who may believe it, `iat`, `exp`, and of
the identity `sub` (who acts), `tenant`, `actor_type`, `on_behalf_of`, `units`; `nbf` where a signer sets it. Rules:
- Ids are opaque, as in identity headers (`identity`), units' keys too; what looks like a token, a card number or an
  address is never signed. Attributes do not travel, and neither do the tokens by which somebody was verified.
- One audience, and no claim left out: a token without expiry, issuer or audience is none.
- No token counts before its `nbf` (RFC 7519 §4.1.5), nor before it was issued.
- A request's token counts until it expires. A record is read when it is read: past its token's expiry the work is still
  the tenant's, but nobody's who acts; from then on the service that does it acts, on behalf of the one who did.
Whether the signature is right is not known here (`signing`).
"""

import re
from collections.abc import Container, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import structs

from pennon.context import ActorType, Identity
from pennon.errors import Fault, SettingInvalid
from pennon.headers.identity import ACTOR_ID, ACTOR_TYPE, ON_BEHALF_OF, TENANT_ID, identity_of, is_opaque_id, said_by
from pennon.headers.leaks import leak_in

SYSTEM_PREFIX: Final = "system:"
_NO_ID_CHARACTER: Final = re.compile(r"[^A-Za-z0-9._\-]")
# What an id of 128 characters leaves to a service's name.
_SERVICE_LIMIT_CHARS: Final = 128 - len(SYSTEM_PREFIX)

# RFC 8259 §6: beyond it not every language has the same number; and far beyond it a float has none at all.
_TIME_LIMIT_S: Final = 2**53

# A request has one or two; a token must fit a header line.
UNITS_LIMIT_COUNT: Final = 8

# Claim -> the identity header that says the same, by whose rules it is read.
_CLAIMS: Final = {"tenant": TENANT_ID, "sub": ACTOR_ID, "actor_type": ACTOR_TYPE, "on_behalf_of": ON_BEHALF_OF}
_CLAIM_OF: Final = {header: claim for claim, header in _CLAIMS.items()}


class ContextFault(StrEnum):
    """Why a token whose signature is right, or none at all, says nothing about a request or record."""

    MISSING = "missing"
    """There is no `Pennon-Context`."""
    REPEATED = "repeated"
    """It stands there more than once."""
    UNKNOWN_ISSUER = "unknown_issuer"
    """Nobody of that name is believed here."""
    CLAIMS = "claims"
    """A claim is missing, or is not what it must be."""
    WRONG_AUDIENCE = "wrong_audience"
    """It is meant for somebody else."""
    NOT_YET_VALID = "not_yet_valid"
    """It was issued in the future, or is to count later."""
    EXPIRED = "expired"
    """Its time is over; on a record: its actor's."""
    TOO_OLD = "too_old"
    """It was issued longer ago than anything is believed here."""


class ContextClaims(msgspec.Struct, frozen=True):
    """What a token says. issued_s, until_s, from_s: since 1970; it holds from `from_s` on and before `until_s`.

    identity: without attributes. from_s: 0 if it says nothing of it.
    """

    issuer: str
    audience: str
    issued_s: int
    until_s: int
    identity: Identity
    from_s: int = 0


def jwt_claims_of(claims: ContextClaims) -> dict[str, Any]:
    """The claims as a token carries them.

    Raises: SettingInvalid with everything about the identity that must not be signed, without its values.
    """
    faults = list(_faults_of(claims.identity))
    if faults:
        raise SettingInvalid(faults)
    said: dict[str, Any] = {
        "iss": claims.issuer, "aud": claims.audience, "iat": claims.issued_s, "exp": claims.until_s
    }  # fmt: skip
    if claims.from_s:
        said["nbf"] = claims.from_s
    said |= {_CLAIM_OF[header]: value for header, value in said_by(claims.identity).items()}
    if claims.identity.units:
        said["units"] = dict(claims.identity.units)
    return said


def context_claims_of(claims: Mapping[str, Any]) -> ContextClaims | None:
    """The claims of a verified token; None if they are not those of a context. Claims unknown here are passed over."""
    try:
        said = msgspec.convert(claims, _Jwt)
    except msgspec.ValidationError:
        return None
    units = said.units
    are_times = 0 <= said.iat < said.exp < _TIME_LIMIT_S and 0 <= said.nbf < said.exp
    if not (said.iss and said.aud and are_times and _are_units(units)):
        return None
    read = identity_of({header: claims[claim] for claim, header in _CLAIMS.items() if claims.get(claim) is not None})
    if read.dropped:
        return None
    # Read-only: whoever verifies remembers it for all requests that bear the token.
    identity = structs.replace(read.identity, units=MappingProxyType(units))
    return ContextClaims(said.iss, said.aud, said.iat, said.exp, identity, said.nbf)


def context_fault(
    claims: ContextClaims, audiences: Container[str], now_s: int, *, max_age_s: float, leeway_s: float
) -> ContextFault | None:
    """Why the token does not count now; None if it does.

    now_s: wall clock, since 1970. max_age_s: since it was issued, whatever it says of its expiry.
    leeway_s: how far the clock that issued it may differ from ours.
    """
    if claims.audience not in audiences:
        return ContextFault.WRONG_AUDIENCE
    if max(claims.issued_s, claims.from_s) > now_s + leeway_s:
        return ContextFault.NOT_YET_VALID
    if now_s > claims.issued_s + max_age_s + leeway_s:
        return ContextFault.TOO_OLD
    return ContextFault.EXPIRED if now_s >= claims.until_s + leeway_s else None


def outlived(identity: Identity, service: str) -> Identity:
    """Whose work it is when it is nobody's any more: the tenant's still, done by the service, for whoever acted.

    Where a system acted already it is kept for whom. service: the name of the contract, made to fit an id.
    """
    was_system = identity.actor_type is ActorType.SYSTEM
    return structs.replace(
        identity,
        actor=system_actor(service),
        actor_type=ActorType.SYSTEM,
        on_behalf_of=(identity.on_behalf_of or identity.actor) if was_system else identity.actor,
        attributes={},
    )


def system_actor(name: str) -> str:
    """The actor that a system is: `system:<name>`, with a dash for whatever no id may hold."""
    return SYSTEM_PREFIX + _NO_ID_CHARACTER.sub("-", name)[:_SERVICE_LIMIT_CHARS]


class _Jwt(msgspec.Struct, frozen=True):
    iss: str
    aud: str
    iat: int
    exp: int
    nbf: int = 0
    sub: str | None = None
    tenant: str | None = None
    actor_type: str | None = None
    on_behalf_of: str | None = None
    units: dict[str, str] = {}  # msgspec copies it


def _faults_of(identity: Identity) -> Iterator[Fault]:
    said = said_by(identity)
    for drop in identity_of(said).dropped:
        yield Fault(f"/{_CLAIM_OF[drop.name]}", "must be an opaque id, and what it says of others must be complete")
    texts = {_CLAIM_OF[header]: value for header, value in said.items()}
    texts |= {f"units/{kind}": key for kind, key in identity.units.items()}
    for path, text in texts.items():
        found = leak_in(text)
        if found is not None:
            yield Fault(f"/{path}", f"looks like a value of the kind '{found}', which must not travel")
    if not _are_units(identity.units):
        yield Fault("/units", f"must be at most {UNITS_LIMIT_COUNT}, each an opaque id under an opaque kind")


def _are_units(units: Mapping[str, str]) -> bool:
    return len(units) <= UNITS_LIMIT_COUNT and all(is_opaque_id(k) and is_opaque_id(v) for k, v in units.items())
