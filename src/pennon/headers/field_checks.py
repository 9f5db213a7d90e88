"""What is wrong with a contract's fields: those of your own, and the built-in ones as you list them."""

from collections.abc import Iterator, Sequence
from typing import Final

from pennon.errors import Fault
from pennon.headers.fields import PRIVATE, Budgets, Category, Classification, Field, Log, Propagate, Trust
from pennon.headers.naming import folded, name_fault
from pennon.headers.standard import Direction, HeaderScope, StandardField
from pennon.headers.std import BY_NAME, HANDLED
from pennon.headers.values import booleans, is_unordered, members_of, naturals, pattern, rank_fault, texts

_KINDS: Final = {"trust": Trust, "propagate": Propagate, "log": Log, "classification": Classification}
# What a header is, whoever declares it; and what a codec of pennon's does, whatever is declared.
_FACTS: Final = ("category", "scope", "direction", "is_list")
_DEEDS: Final = (
    *("syntax", "max_length", "trust", "caller_may_set", "gateway_overwrites", "downstream_may_forward"),
    *("propagate", "kafka", "required"),
)


def field_faults(fields: Sequence[Field], budgets: Budgets) -> Iterator[Fault]:
    """Every fault, in the order of the declaration."""
    if is_unordered(fields):
        yield rank_fault("/fields")
        return
    seen: dict[str, str] = {}
    for number, each in enumerate(fields):
        path = f"/fields/{number}"
        own = {folded(name): name for name in (each.name, each.kafka) if name is not None}
        yield from _names(each, path, seen)
        yield from _kinds(each, path)
        yield from pattern(each, path, "syntax")
        if isinstance(each, StandardField):
            yield from _changes(each, path)
        else:
            yield from _lengths(each, path, budgets)
        yield from _rules(each, path)
        seen |= own


def _names(each: Field, path: str, seen: dict[str, str]) -> Iterator[Fault]:
    is_built_in = isinstance(each, StandardField)
    for key, name in (("name", each.name), ("kafka", each.kafka)):
        if name is None:
            continue
        fault = None if is_built_in and key == "name" else name_fault(name)
        if fault is not None:
            yield Fault(f"{path}/{key}", fault)
        elif folded(name) in seen:
            message = f"{name!r} differs from {seen[folded(name)]!r} at most by case or by - and _"
            yield Fault(f"{path}/{key}", message)


def _kinds(each: Field, path: str) -> Iterator[Fault]:
    for fault in members_of(each, path, {"category": Category}):
        yield Fault(fault.path, f"{fault.message}: a header that belongs to none of the seven is to be questioned")
    yield from texts(each, path, ("owner", "description"))
    yield from naturals(each, path, ("max_length",))
    yield from booleans(each, path, ("caller_may_set", "gateway_overwrites", "downstream_may_forward", "required"))
    yield from members_of(each, path, _KINDS)


def _lengths(each: Field, path: str, budgets: Budgets) -> Iterator[Fault]:
    """A field that alone is over the budget of all of them could never be as long as it may be."""
    limits = (each.max_length, budgets.custom_bytes)
    if all(isinstance(limit, int) for limit in limits) and each.max_length > budgets.custom_bytes > 0:
        message = f"{each.max_length} is more than all custom fields together may have, {budgets.custom_bytes}"
        yield Fault(f"{path}/max_length", f"{message} (budgets.custom_bytes)")


def _changes(each: StandardField, path: str) -> Iterator[Fault]:
    """What a contract cannot say of a built-in field."""
    standard = BY_NAME.get(each.name.lower())
    if standard is None:
        yield Fault(f"{path}/name", f"{each.name!r} is not the name of a built-in field; declare a Field of your own")
        return
    is_fixed = standard.name in HANDLED or standard.scope is HeaderScope.HOP
    for name in (*_FACTS, *_DEEDS) if is_fixed else _FACTS:
        found, told = getattr(each, name), getattr(standard, name)
        if found != told:
            reason = "it is handled so, whatever is declared" if name in _DEEDS else "the header is so"
            yield Fault(f"{path}/{name}", f"{_said(found)} cannot be declared, only {_said(told)}: {reason}")
    if each.required is True and not is_fixed and each.direction is Direction.RESPONSE:
        yield Fault(f"{path}/required", f"is True, but {standard.name!r} stands in responses alone")
    if standard.classification in PRIVATE and each.classification != standard.classification:
        message = f"{_said(each.classification)} cannot be declared, only {_said(standard.classification)}"
        yield Fault(f"{path}/classification", f"{message}: it is so, whoever declares it")


def _rules(each: Field, path: str) -> Iterator[Fault]:
    """What the ten properties say of each other."""
    if each.trust is not Trust.CLIENT and each.caller_may_set is True and isinstance(each.trust, Trust):
        message = f"is True, but the trust is {str(each.trust)!r}: a caller may set only what has the trust 'client'"
        yield Fault(f"{path}/caller_may_set", message)
    if each.classification in PRIVATE and each.propagate is not Propagate.NEVER and each.name.lower() not in HANDLED:
        message = f"is {_said(each.propagate)}, but the class is {_said(each.classification)}: such values go nowhere"
        yield Fault(f"{path}/propagate", f"{message}; use an opaque id, or propagate 'never'")


def _said(value: object) -> str:
    return repr(str(value)) if isinstance(value, str) else repr(value)
