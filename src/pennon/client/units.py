"""Whom an evaluation is about: the unit that was given, the request's, and what of the request belongs to it.

1. Nothing given: the request's unit of the flag's kind, with the request's attributes.
2. Given, and the request's own unit of that kind: the request's units and attributes, the given attributes over them.
3. Given, and another: nothing of the request, neither attributes nor other units. So work done for somebody else
   (a fan-out, a batch) never sees the attributes of who caused it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pennon.context import DEFAULT_UNIT_KIND, Identity, Unit
from pennon.flags import unit_key_of

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

# Who is meant, as callers may say it: a key of the kind "user", or a unit of any kind.
UnitLike = str | int | Unit
Attributes = Mapping[str, object] | None

Settled = tuple[str | None, Mapping[str, object], Mapping[str, str]]


def settled_alone(kind: str, unit: object, attributes: Mapping[str, object] | None) -> Settled:
    """Key of the flag's kind, attributes and units by kind, without a request."""
    given = NOTHING if attributes is None else attributes
    key = unit_key_of(unit)
    if key is None:
        return None, given, NOTHING
    unit_kind = unit.kind if isinstance(unit, Unit) else DEFAULT_UNIT_KIND
    return (key if unit_kind == kind else None), given, {unit_kind: key}


def settled_within(identity: Identity, kind: str, unit: object, attributes: Mapping[str, object] | None) -> Settled:
    """The same in the request of this identity."""
    if unit is not None:
        unit_kind = unit.kind if isinstance(unit, Unit) else DEFAULT_UNIT_KIND
        key = unit_key_of(unit)
        if key is None or identity.units.get(unit_kind) != key:
            return settled_alone(kind, unit, attributes)
    units = identity.units
    if not attributes:
        return units.get(kind), identity.attributes, units
    return units.get(kind), {**identity.attributes, **attributes}, units
