"""Tenant and actor as headers: between services that verify each other, and inside a signed context.

Rules:
- They are opaque ids. What does not look like one (a name with spaces, an address with "@") is no identity.
- Who acts is the actor; for whom, where that is somebody else, is `on_behalf_of`. Without an actor nobody acts, so that
  `on_behalf_of` alone is dropped, and never taken for the actor.
- An actor type that nobody knows is dropped; the actor stays.
- A supporter (SUPPORT) acts as somebody. One that does not say as whom is dropped as a whole: with the type alone gone
  it would pass for an actor of its own right.
What a boundary lets in, and where these go, is not decided here.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from pennon.context import ActorType, Identity
from pennon.headers.report import Drop, DropReason

TENANT_ID: Final = "x-tenant-id"
ACTOR_ID: Final = "x-actor-id"
ACTOR_TYPE: Final = "x-actor-type"
ON_BEHALF_OF: Final = "x-on-behalf-of"
# In the order in which they are written.
IDENTITY_NAMES: Final = (TENANT_ID, ACTOR_ID, ACTOR_TYPE, ON_BEHALF_OF)

# As request and correlation ids: nothing that a name, an address or a second header needs.
OPAQUE_SYNTAX: Final = r"[A-Za-z0-9._:\-]{1,128}"
_ID: Final = re.compile(OPAQUE_SYNTAX)
_ACTOR_TYPES: Final = {each.value: each for each in ActorType}
_PLAIN_TYPES: Final = (None, ActorType.HUMAN, ActorType.SERVICE, ActorType.SYSTEM)
# Its own name, because looking a member up in its enum costs as much as the rest.
_SUPPORT: Final = ActorType.SUPPORT
_NOBODY: Final = Identity()


class ReadIdentity(msgspec.Struct, frozen=True):
    """Who asks, as headers said it, and what of them did not count, and why."""

    identity: Identity = _NOBODY
    dropped: tuple[Drop, ...] = ()


def identity_of(said: Mapping[str, str]) -> ReadIdentity:
    """Who asks. said: lower-case name -> value, of headers or claims whose sender is believed; others are not read."""
    tenant, actor, on_behalf_of = said.get(TENANT_ID), said.get(ACTOR_ID), said.get(ON_BEHALF_OF)
    if all(text is None or is_opaque_id(text) for text in (tenant, actor, on_behalf_of)):
        identity = whole_identity(tenant, actor, on_behalf_of, said.get(ACTOR_TYPE))
        if identity is not None:
            return ReadIdentity(identity)
    return _in_part(said)


def whole_identity(
    tenant: str | None, actor: str | None, on_behalf_of: str | None, type_said: str | None
) -> Identity | None:
    """Who asks, where all ids are opaque; None if not all that was said counts."""
    actor_type = None if type_said is None else _ACTOR_TYPES.get(type_said)
    if type_said is not None and actor_type is None:
        return None
    if on_behalf_of is not None and actor is None:
        return None
    if on_behalf_of is None and actor_type is _SUPPORT:
        return None
    return Identity(tenant=tenant, actor=actor, actor_type=actor_type, on_behalf_of=on_behalf_of)


def identity_fields(identity: Identity) -> tuple[tuple[str, str], ...]:
    """Name and value of the headers that say it, in the order of `IDENTITY_NAMES`.

    What is not an opaque id is left out, and so is what `identity_of` would drop: whoever reads it gets the same.
    Units and attributes never leave.
    """
    tenant, actor, actor_type = identity.tenant, identity.actor, identity.actor_type
    if (
        identity.on_behalf_of is None
        and actor_type in _PLAIN_TYPES
        and (tenant is None or _ID.fullmatch(tenant))
        and (actor is None or _ID.fullmatch(actor))
    ):
        # As it mostly is, with nothing to leave out: at most somebody who acts on his own account.
        plain = [] if tenant is None else [(TENANT_ID, tenant)]
        if actor is not None:
            plain.append((ACTOR_ID, actor))
        if actor_type is not None:
            plain.append((ACTOR_TYPE, actor_type))
        return tuple(plain)
    said = said_by(identity)
    gone = {drop.name for drop in identity_of(said).dropped}
    return tuple((name, value) for name, value in said.items() if name not in gone)


def said_by(identity: Identity) -> dict[str, str]:
    """Header -> value of everything that the identity says, good or not, in the order of `IDENTITY_NAMES`."""
    values = (identity.tenant, identity.actor, identity.actor_type, identity.on_behalf_of)
    return {name: str(value) for name, value in zip(IDENTITY_NAMES, values, strict=True) if value is not None}


def is_opaque_id(text: str) -> bool:
    """Whether it can be the id of a tenant or actor: 1 to 128 of A-Z a-z 0-9 . _ : -."""
    return _ID.fullmatch(text) is not None


def _in_part(said: Mapping[str, str]) -> ReadIdentity:
    """What of it can be taken, where something cannot."""
    dropped = [Drop(name, DropReason.MALFORMED) for name in _IDS if name in said and not is_opaque_id(said[name])]
    gone = {drop.name for drop in dropped}
    tenant, actor, on_behalf_of = (None if name in gone else said.get(name) for name in _IDS)
    type_said = said.get(ACTOR_TYPE)
    actor_type = None if type_said is None else _ACTOR_TYPES.get(type_said)
    if type_said is not None and actor_type is None:
        dropped.append(Drop(ACTOR_TYPE, DropReason.MALFORMED))
    if actor is None and on_behalf_of is not None:
        dropped.append(Drop(ON_BEHALF_OF, DropReason.MISPLACED))
        on_behalf_of = None
    if actor_type is _SUPPORT and on_behalf_of is None:
        dropped += [Drop(name, DropReason.MISPLACED) for name in (ACTOR_ID, ACTOR_TYPE) if name in said.keys() - gone]
        actor = actor_type = None
    identity = Identity(tenant=tenant, actor=actor, actor_type=actor_type, on_behalf_of=on_behalf_of)
    return ReadIdentity(identity, tuple(dropped))


_IDS: Final = (TENANT_ID, ACTOR_ID, ON_BEHALF_OF)
