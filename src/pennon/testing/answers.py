"""Fixed flag answers for a block of a test."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

import msgspec

from pennon.client import answering
from pennon.context import Environment
from pennon.errors import Fault, SettingInvalid
from pennon.flags import FlagRecord, FlagType, Ruleset, RulesetRecord, ServeRecord, VariantRecord

_KEY: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ENVIRONMENT: Final = Environment(0, "testing", "testing")
_ALLOWED: Final = "bool, str, int, float, or dict, list and None as in JSON"
# Each block is an epoch of its own, so that what a request decided in one is not found in the next.
_epochs: Final = count(1)


@contextmanager
def flags(values: Mapping[str, Any]) -> Iterator[None]:
    """Let every client of this process answer from these values, without a network.

        with pennon.testing.flags({"checkout": True, "theme": "dark"}):
            assert shop.page(user) == ...

    Clients that exist and clients made in the block alike; in it `connect` needs neither url nor token. A flag that is
    not named answers the caller's default. A block within another hides it whole. Nothing is exposed, nothing travels.
    values: booleans, text, integers, floats, or JSON (dict, list, None).
    Raises: SettingInvalid with every value that cannot be a flag's and every key that cannot be one.
    """
    with answering(Ruleset.of(_ruleset_of(values))):
        yield


def _ruleset_of(values: Mapping[str, Any]) -> RulesetRecord:
    faults = [fault for key, value in values.items() if (fault := _fault_of(key, value)) is not None]
    if faults:
        raise SettingInvalid(faults)
    records = {key: _record(key, value, flag_id) for flag_id, (key, value) in enumerate(values.items())}
    return RulesetRecord(_ENVIRONMENT, next(_epochs), 1, flags=records)


def _fault_of(key: object, value: object) -> Fault | None:
    if not isinstance(key, str) or _KEY.fullmatch(key) is None:
        return Fault("", f"{key!r} is not a flag key; it must match {_KEY.pattern}")
    if not isinstance(value, bool | str | int | float | dict | list | None):
        return Fault(key, f"{value!r} is of type {type(value).__name__}; must be {_ALLOWED}")
    try:
        # msgspec writes more than JSON has: sets, tuples, NaN. What comes back as itself is JSON.
        is_json = msgspec.json.decode(msgspec.json.encode(value)) == value
    except (TypeError, ValueError, RecursionError):
        is_json = False
    return None if is_json else Fault(key, f"{value!r} holds what is not JSON; must be {_ALLOWED}")


def _record(key: str, value: Any, flag_id: int) -> FlagRecord:
    variant = VariantRecord(_variant_key(value), 1, value)
    return FlagRecord(key, flag_id, _type_of(value), (variant,), variant.key, ServeRecord(variant.key), revision=1)


def _variant_key(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "fixed"


def _type_of(value: object) -> FlagType:
    for kind, flag_type in _TYPES:
        if isinstance(value, kind):
            return flag_type
    return FlagType.JSON


# A bool is an int to Python: it stands first.
_TYPES: Final = ((bool, FlagType.BOOLEAN), (str, FlagType.STRING), (int, FlagType.INTEGER), (float, FlagType.FLOAT))
