"""Fixed flag answers for a block of a test."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from types import MappingProxyType
from typing import Any, Final

import msgspec

from pennon.client import answering
from pennon.context import Environment
from pennon.errors import Fault, SettingInvalid
from pennon.flags import (
    DecideAt,
    FlagRecord,
    FlagType,
    PrerequisiteRecord,
    Ruleset,
    RulesetRecord,
    ServeRecord,
    VariantRecord,
)

_KEY: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ENVIRONMENT: Final = Environment(0, "testing", "testing")
_ALLOWED: Final = "bool, str, int, float, or dict, list and None as in JSON"
_AT: Final = " or ".join(repr(at.value) for at in DecideAt)
_SWITCH: Final = (VariantRecord("on", 1, value=True), VariantRecord("off", 2, value=False))
# Each block is an epoch of its own, so that what a request decided in one is not found in the next.
_epochs: Final = count(1)


class FixedFlag(msgspec.Struct, frozen=True):
    """A flag of a block about which more is to be said than its value.

    off: what it answers where a prerequisite does not hold; False for a boolean flag, for others to be named.
    prerequisites: other flags of the block, and the value that each of them must answer.
    overridable, at ("consume" or "publish"), carry_max_age_s (>= 1): as authors set them.
    """

    value: Any
    off: Any = msgspec.UNSET
    prerequisites: Mapping[str, Any] = MappingProxyType({})
    overridable: bool = False
    at: str = DecideAt.CONSUME
    carry_max_age_s: int | None = None


@contextmanager
def flags(values: Mapping[str, Any]) -> Iterator[None]:
    """Let every client of this process answer from these values, without a network.

        with pennon.testing.flags({"checkout": True, "theme": "dark"}):
            assert shop.page(user) == ...

    Clients that exist and clients made in the block alike; in it `connect` needs neither url nor token. A flag that is
    not named answers the caller's default. A block within another hides it whole. Nothing is exposed, nothing travels.
    values: booleans, text, integers, floats, or JSON (dict, list, None); or a `FixedFlag` of one of these.
    Raises: SettingInvalid with every value that cannot be a flag's and every key that cannot be one.
    """
    with answering(_ruleset_of(values)):
        yield


def _ruleset_of(values: Mapping[str, Any]) -> Ruleset:
    given = {key: value if isinstance(value, FixedFlag) else FixedFlag(value) for key, value in values.items()}
    faults = [fault for key, fixed in given.items() for fault in _faults_of(key, fixed, given)]
    if faults:
        raise SettingInvalid(faults)
    records = {key: _record(key, fixed, flag_id, given) for flag_id, (key, fixed) in enumerate(given.items())}
    ruleset = Ruleset.of(RulesetRecord(_ENVIRONMENT, next(_epochs), 1, flags=records))
    # What the shape does not show: a circle of prerequisites.
    unusable = [Fault(key, flag.fault) for key in records if (flag := ruleset.flag(key)) is not None and flag.fault]
    if unusable:
        raise SettingInvalid(unusable)
    return ruleset


def _faults_of(key: object, fixed: FixedFlag, given: Mapping[str, FixedFlag]) -> Iterator[Fault]:
    if not isinstance(key, str) or _KEY.fullmatch(key) is None:
        yield Fault("", f"{key!r} is not a flag key; it must match {_KEY.pattern}")
        return
    if (fault := _value_fault(key, fixed.value)) is not None:
        yield fault
        return
    yield from _off_faults(key, fixed)
    for other, value in fixed.prerequisites.items():
        if other not in given:
            yield Fault(f"{key}/prerequisites", f"{other!r} is no flag of this block")
        elif not _variants_with(value, given[other]):
            yield Fault(f"{key}/prerequisites/{other}", f"{value!r} is no value of that flag")
    if fixed.at not in set(DecideAt):
        yield Fault(f"{key}/at", f"{fixed.at!r} must be {_AT}")
    age_s: object = fixed.carry_max_age_s
    if age_s is not None and (not isinstance(age_s, int) or isinstance(age_s, bool) or age_s < 1):
        yield Fault(f"{key}/carry_max_age_s", f"{age_s!r} must be a whole number of seconds, at least 1")


def _value_fault(place: str, value: object) -> Fault | None:
    if not isinstance(value, bool | str | int | float | dict | list | None):
        return Fault(place, f"{value!r} is of type {type(value).__name__}; must be {_ALLOWED}")
    try:
        # msgspec writes more than JSON has: sets, tuples, NaN. What comes back as itself is JSON.
        is_json = msgspec.json.decode(msgspec.json.encode(value)) == value
    except (TypeError, ValueError, RecursionError):
        is_json = False
    return None if is_json else Fault(place, f"{value!r} holds what is not JSON; must be {_ALLOWED}")


def _off_faults(key: str, fixed: FixedFlag) -> Iterator[Fault]:
    place, flag_type = f"{key}/off", _type_of(fixed.value)
    if fixed.off is msgspec.UNSET:
        if fixed.prerequisites and flag_type is not FlagType.BOOLEAN:
            yield Fault(place, "is missing; must be what it answers where a prerequisite does not hold")
    elif (fault := _value_fault(place, fixed.off)) is not None:
        yield fault
    elif _type_of(fixed.off) is not flag_type:
        yield Fault(place, f"{fixed.off!r} is {_type_of(fixed.off).value}; must be {flag_type.value}, as the value is")


def _record(key: str, fixed: FixedFlag, flag_id: int, given: Mapping[str, FixedFlag]) -> FlagRecord:
    return FlagRecord(
        key,
        flag_id,
        _type_of(fixed.value),
        _variants(fixed),
        _off_key(fixed),
        ServeRecord(_served_key(fixed)),
        revision=1,
        prerequisites=tuple(
            PrerequisiteRecord(other, _variants_with(value, given[other]))
            for other, value in fixed.prerequisites.items()
        ),
        overridable=fixed.overridable,
        at=DecideAt(fixed.at),
        carry_max_age_s=fixed.carry_max_age_s,
    )


def _variants(fixed: FixedFlag) -> tuple[VariantRecord, ...]:
    if isinstance(fixed.value, bool):
        return _SWITCH
    served = VariantRecord("fixed", 1, fixed.value)
    return (served,) if fixed.off is msgspec.UNSET else (served, VariantRecord("off", 2, fixed.off))


def _served_key(fixed: FixedFlag) -> str:
    if isinstance(fixed.value, bool):
        return "on" if fixed.value else "off"
    return "fixed"


def _off_key(fixed: FixedFlag) -> str:
    if isinstance(fixed.value, bool):
        return "on" if fixed.off is True else "off"
    return "fixed" if fixed.off is msgspec.UNSET else "off"


def _variants_with(value: object, fixed: FixedFlag) -> tuple[str, ...]:
    """Keys of the flag's variants that have this value; True is no 1."""
    return tuple(
        each.key for each in _variants(fixed) if each.value == value and _type_of(each.value) is _type_of(value)
    )


def _type_of(value: object) -> FlagType:
    for kind, flag_type in _TYPES:
        if isinstance(value, kind):
            return flag_type
    return FlagType.JSON


# A bool is an int to Python: it stands first.
_TYPES: Final = ((bool, FlagType.BOOLEAN), (str, FlagType.STRING), (int, FlagType.INTEGER), (float, FlagType.FLOAT))
