"""What a field's declaration means to a case: what is decided by it, who may set it, and values that it takes."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from pennon.context import ActorType
from pennon.headers import Boundary, Contract, Downstream, Field
from pennon.headers.identity import ACTOR_ID, ACTOR_TYPE, IDENTITY_NAMES, ON_BEHALF_OF, is_opaque_id
from pennon.headers.standard import Direction, HeaderScope, StandardField
from pennon.headers.std import HANDLED, STANDARDS_OWNERS
from pennon.testing.headers.callers import Caller, Callers, callers_at
from pennon.testing.headers.cases import Case
from pennon.testing.headers.samples import values_of
from pennon.testing.headers.service import Needs, Seen, Service, Setting
from pennon.testing.headers.spy import UNDECLARED


def takes_from(setting: Setting, declared: Field, caller: Caller) -> bool:
    """Whether this caller's value of a field is taken, as far as the declaration decides."""
    if not is_decided_here(declared) or is_left_to_the_boundary(setting, declared):
        return False
    return declared.is_open or caller == setting.callers.verified


def setting_of(
    contract: Contract, boundary: Boundary, *, verified: Caller | None = None, stranger: Caller | None = None
) -> Setting:
    """Who asks under this contract at this boundary, and what they must bring along. Raises: ValueError.

    verified, stranger: as for `callers_at`.
    """
    callers = callers_at(boundary, verified=verified, stranger=stranger)
    setting = Setting(contract, boundary, callers)
    needed = [each for each in contract.fields if must_bring(setting, each)]
    closed = [each.name.lower() for each in needed if setting.enforces and is_closed_to_strangers(each)]
    turned_away = callers.stranger if closed else None
    if turned_away is not None:
        callers = Callers(callers.verified, None)
        if callers.verified is None:
            raise ValueError(f"{', '.join(closed)}: required, and nobody at this boundary can set it: none is served")
    for caller in callers.each():
        said = {name.lower() for name, _ in caller.headers}
        unknown = [each.name for each in needed if sample(each) is None and each.name.lower() not in said]
        if unknown:
            told = f"{', '.join(unknown)}: required, and no value can be made of the syntax"
            raise ValueError(f"{told}; say one: Caller(address, headers)")
    return Setting(contract, boundary, callers, turned_away, brought_with(needed))


def brought_with(fields: Iterable[Field]) -> tuple[tuple[str, str], ...]:
    """What a request must have: some value for each of these fields that is required."""
    brought: dict[str, str] = {}
    for each in fields:
        value = sample(each) if each.required else None
        if value is not None:
            brought |= {each.name.lower(): value, **dict(beside(each))}
    return tuple(brought.items())


def must_bring(setting: Setting, declared: Field) -> bool:
    """Whether a request without the field is refused."""
    return declared.required and not is_left_to_the_boundary(setting, declared)


def is_closed_to_strangers(declared: Field) -> bool:
    """Whether a stranger's value never counts; who asks is no stranger's to say, whatever is declared."""
    return not declared.is_open or declared.name.lower() in IDENTITY_NAMES


def is_a_standards(declared: Field) -> bool:
    """Whether a standard defines it; what pennon only suggests counts among the fields of one's own."""
    return isinstance(declared, StandardField) and declared.owner in STANDARDS_OWNERS


def is_decided_here(declared: Field) -> bool:
    """Whether the declaration decides what is taken: not a codec, nor the server, and not of responses alone."""
    if declared.name.lower() in HANDLED:
        return False
    if not isinstance(declared, StandardField):
        return True
    return declared.scope is HeaderScope.END_TO_END and declared.direction is not Direction.RESPONSE


def is_left_to_the_boundary(setting: Setting, declared: Field) -> bool:
    """Where the boundary says who asks, its word is all: the headers' is not taken."""
    return declared.name.lower() in IDENTITY_NAMES and setting.boundary.identity is not None


def sample(declared: Field) -> str | None:
    """A value that the field takes; None if none is found."""
    return next(iter(values_for(declared)), None)


def values_for(declared: Field) -> tuple[str, ...]:
    """Some values that the field takes; () if none is found."""
    name = declared.name.lower()
    if name == ACTOR_TYPE:
        # A supporter acts as somebody: by itself the type says nothing.
        known = [each.value for each in ActorType if each is not ActorType.SUPPORT]
        return tuple(each for each in known if re.fullmatch(declared.syntax, each) and len(each) <= declared.max_length)
    values = values_of(declared.syntax, declared.max_length)
    return tuple(filter(is_opaque_id, values)) if name in IDENTITY_NAMES else values


def beside(declared: Field) -> tuple[tuple[str, str], ...]:
    """What must stand beside the field, so that it says something: nobody acts for somebody without an actor."""
    return ((ACTOR_ID, "user-1"),) if declared.name.lower() == ON_BEHALF_OF else ()


def case_of(setting: Setting, declared: Field, rule: str, says: str, check: Callable[..., None], needs: Needs) -> Case:
    """A case of the field; the check is given it as `declared`."""
    return Case(setting, declared.name.lower(), rule, says, partial(check, declared=declared), needs)


def ask_with(
    service: Service, declared: Field, values: Sequence[str], sender: Caller, calling: Sequence[Downstream | None] = ()
) -> Seen:
    """Send the field, a line for each value, and what must stand beside it."""
    lines = [(declared.name, value) for value in values]
    names = [UNDECLARED if each is None else each.name for each in calling]
    return service.ask([*lines, *beside(declared)], caller=sender, calling=names)
