"""JSON merge patch (RFC 7396), and what differs between two documents."""

from collections.abc import Iterator
from typing import Any

from pennon.control.ports import Difference
from pennon.control.reading import Place, pointer

_ABSENT = object()


def merged(target: object, patch: object) -> Any:
    """The target after the patch. An object merges, null removes, all else replaces (RFC 7396 §2)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def differences(before: object, after: object, *, under: str = "") -> tuple[Difference, ...]:
    """What changed, member by member, in the order of `before`, then what is new. Lists of one length by index.

    under: pointer of the documents themselves.
    """
    return tuple(
        Difference(under + pointer(place), None if old is _ABSENT else old, None if new is _ABSENT else new)
        for place, old, new in _walked((), before, after)
    )


def _walked(place: Place, before: object, after: object) -> Iterator[tuple[Place, object, object]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            yield from _walked((*place, name), before.get(name, _ABSENT), after.get(name, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for i, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _walked((*place, i), old, new)
    elif not is_same(before, after):
        yield place, before, after


def is_same(one: object, other: object) -> bool:
    """Whether two JSON values are equal. To Python 1 == True == 1.0; here a boolean is no number, and 1 is not 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return type(one) is type(other) and one == other
