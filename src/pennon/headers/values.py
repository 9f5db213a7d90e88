"""What kinds of value a declaration holds: the checks that its parts share."""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from math import isfinite
from typing import Any, TypeGuard, TypeVar

from pennon.errors import Fault

_Entry = TypeVar("_Entry")


def listed(given: Sequence[_Entry]) -> Sequence[_Entry]:
    """What was given in a list, or in a set, as a tuple: a set, which comes otherwise in each process, is sorted.

    A single text, which is a mistake, stays one, for `Contract` to report.
    """
    if isinstance(given, str):
        return given  # type: ignore[return-value]  # a text, in its own type
    return tuple(sorted(given, key=str)) if is_unordered(given) else tuple(given)


def ranked(given: Sequence[_Entry]) -> Sequence[_Entry]:
    """The same where the order counts: a set stays one, for `Contract` to report."""
    return given if is_unordered(given) else listed(given)


def is_unordered(given: object) -> bool:
    """Whether it is a set."""
    return isinstance(given, set | frozenset)


def rank_fault(path: str) -> Fault:
    """What is said of a set where the order counts."""
    return Fault(path, "a set has no order, and here it counts; give a list or tuple")


def texts(value: Any, path: str, names: Sequence[str]) -> Iterator[Fault]:
    """Those of the attributes that are not a text with something in it."""
    for name in names:
        found = getattr(value, name)
        if not (isinstance(found, str) and found.strip()):
            yield Fault(f"{path}/{name}", f"{found!r} is not a text with something in it")


def naturals(value: Any, path: str, names: Sequence[str]) -> Iterator[Fault]:
    """Those of the attributes that are not an integer of at least 1."""
    for name in names:
        found = getattr(value, name)
        if not isinstance(found, int) or isinstance(found, bool) or found < 1:
            yield Fault(f"{path}/{name}", f"{found!r} is not an integer of at least 1")


def booleans(value: Any, path: str, names: Sequence[str]) -> Iterator[Fault]:
    """Those of the attributes that are neither True nor False."""
    for name in names:
        found = getattr(value, name)
        if not isinstance(found, bool):
            yield Fault(f"{path}/{name}", f"{found!r} is neither True nor False")


def spans(value: Any, path: str, names: Sequence[str]) -> Iterator[Fault]:
    """Those of the attributes that are not a finite number of seconds above 0."""
    for name in names:
        found = getattr(value, name)
        if not (is_finite(found) and found > 0):
            yield Fault(f"{path}/{name}", f"{found!r} is not a finite number of seconds above 0")


def is_finite(given: object) -> TypeGuard[float]:
    """Whether it is a number that can be reckoned with: neither infinite nor an integer beyond all floats."""
    try:
        return isinstance(given, int | float) and not isinstance(given, bool) and isfinite(given)
    except OverflowError:
        return False


def pattern(value: Any, path: str, name: str) -> Iterator[Fault]:
    """The attribute's fault, if it is not a regular expression."""
    found = getattr(value, name)
    try:
        re.compile(found)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        yield Fault(f"{path}/{name}", f"{found!r} is not a regular expression: {error}")


def instances(value: Any, path: str, kinds: Mapping[str, type]) -> Iterator[Fault]:
    """Those of the attributes that are neither None nor of their class."""
    for name, kind in kinds.items():
        found = getattr(value, name)
        if found is not None and not isinstance(found, kind):
            yield Fault(f"{path}/{name}", f"{found!r} is not a {kind.__name__}")


def members_of(value: Any, path: str, kinds: Mapping[str, type[Enum]]) -> Iterator[Fault]:
    """Those of the attributes that are not a member of their enumeration."""
    for name, kind in kinds.items():
        found = getattr(value, name)
        if not isinstance(found, kind):
            allowed = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
            yield Fault(f"{path}/{name}", f"{found!r} is not one of {allowed}")
