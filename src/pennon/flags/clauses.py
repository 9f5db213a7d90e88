"""From a clause to a function that says whether it holds.

Clauses are typed and nothing is coerced. An attribute that is missing, null or of another type makes a clause false,
negated or not; so does one that is NaN, or not a version where a version is compared. Of a list those elements count
that are of the clause's type: it holds if any of them does, negated if none does, and without one it is false.

The functions take the common case (an exact `str`, `int` or `float`) in line and everything else in `_settled`.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from pennon.flags.records import (
    ClauseRecord,
    Comparison,
    ContainsClause,
    EqualsClause,
    InClause,
    NumberClause,
    PrefixClause,
    PresentClause,
    Scalar,
    SegmentClause,
    SemverClause,
    SuffixClause,
    UnknownClause,
)
from pennon.flags.semver import version_key_of

Attributes = Mapping[str, object]
Units = Mapping[str, str]

# Takes the unit key of the flag's kind, the attributes, the unit keys by kind.
Holds = Callable[[str | None, Attributes, Units], bool]

# Whether one value fulfils a clause; None: it is of another type.
_Test = Callable[[Any], bool | None]


class Unusable(ValueError):
    """A record refers to what is not there, or says what cannot be done; never leaves this room."""


def compiled_clause(clause: ClauseRecord, on_segment: Callable[[SegmentClause], Holds]) -> Holds:
    """Whether the clause holds, as a function. Raises: Unusable."""
    match clause:
        case EqualsClause() | InClause():
            values = (clause.value,) if isinstance(clause, EqualsClause) else clause.values
            return _membership(clause.attribute, values, is_wanted=not clause.negate)
        case PrefixClause() | SuffixClause() | ContainsClause():
            return _on_text(clause.attribute, _text_test(clause), is_wanted=not clause.negate)
        case NumberClause():
            return _on_number(clause)
        case SemverClause():
            return _on_version(clause)
        case PresentClause():
            return _on_presence(clause)
        case SegmentClause():
            return on_segment(clause)
        case UnknownClause():
            msg = f"clause op {clause.name!r} is not one that this version knows"
            raise Unusable(msg)


def _membership(attribute: str, values: tuple[Scalar, ...], *, is_wanted: bool) -> Holds:
    texts = frozenset(value for value in values if isinstance(value, str))
    if texts and all(isinstance(value, str) for value in values):
        only, *others = texts
        return _on_text(attribute, texts.__contains__ if others else only.__eq__, is_wanted=is_wanted)
    return _on_scalar(attribute, values, is_wanted=is_wanted)


def _text_test(clause: PrefixClause | SuffixClause | ContainsClause) -> Callable[[str], bool]:
    value = clause.value
    match clause:
        case PrefixClause():
            return lambda found: found.startswith(value)
        case SuffixClause():
            return lambda found: found.endswith(value)
        case ContainsClause():
            return lambda found: value in found


def _on_text(attribute: str, test: Callable[[str], bool], *, is_wanted: bool) -> Holds:
    def test_plain(found: object) -> bool | None:
        return test(found) if type(found) is str else None

    def holds(_key: str | None, attributes: Attributes, _units: Units) -> bool:
        found = attributes.get(attribute)
        if type(found) is str:
            return test(found) is is_wanted
        return _settled(found, test_plain, is_wanted=is_wanted)

    return holds


def _on_scalar(attribute: str, values: tuple[Scalar, ...], *, is_wanted: bool) -> Holds:
    # A set by type: to Python 1 == True, to a clause it is not.
    kinds: dict[type, frozenset[Scalar]] = {
        kind: members
        for kind in (str, bool, float)
        if (members := frozenset(value for value in values if _kind_of(value) is kind))
    }

    def test_plain(found: Any) -> bool | None:
        members = kinds.get(_kind_of(found))
        return None if members is None else found in members

    def holds(_key: str | None, attributes: Attributes, _units: Units) -> bool:
        return _settled(attributes.get(attribute), test_plain, is_wanted=is_wanted)

    return holds


def _kind_of(value: object) -> type:
    """Its type as clauses see it: integer and float are one, NaN and everything that no clause compares is none."""
    kind = type(value)
    if kind is int:
        return float
    return kind if kind is not float or value == value else type(None)


def _on_number(clause: NumberClause) -> Holds:
    attribute, value, compare, is_wanted = clause.attribute, clause.value, _COMPARE[clause.compare], not clause.negate

    def test_plain(found: Any) -> bool | None:
        return compare(found, value) if _kind_of(found) is float else None

    def holds(_key: str | None, attributes: Attributes, _units: Units) -> bool:
        found = attributes.get(attribute)
        if type(found) is int:
            return compare(found, value) is is_wanted
        return _settled(found, test_plain, is_wanted=is_wanted)

    return holds


def _on_version(clause: SemverClause) -> Holds:
    attribute, compare, is_wanted = clause.attribute, _COMPARE[clause.compare], not clause.negate
    value = version_key_of(clause.value)
    if value is None:
        msg = f"{clause.value!r} is not a version (SemVer 2.0.0)"
        raise Unusable(msg)

    def test_plain(found: object) -> bool | None:
        key = version_key_of(found) if type(found) is str else None
        return None if key is None else compare(key, value)

    def holds(_key: str | None, attributes: Attributes, _units: Units) -> bool:
        found = attributes.get(attribute)
        if type(found) is str and (key := version_key_of(found)) is not None:
            return compare(key, value) is is_wanted
        return _settled(found, test_plain, is_wanted=is_wanted)

    return holds


def _on_presence(clause: PresentClause) -> Holds:
    attribute, is_wanted = clause.attribute, not clause.negate

    def holds(_key: str | None, attributes: Attributes, _units: Units) -> bool:
        return (attributes.get(attribute) is not None) is is_wanted

    return holds


def _settled(found: object, test: _Test, *, is_wanted: bool) -> bool:
    if isinstance(found, _LISTS):
        outcomes = {test(_plain(element)) for element in found} - {None}
        return bool(outcomes) and (True in outcomes) is is_wanted
    outcome = test(_plain(found))
    return outcome is not None and outcome is is_wanted


def _plain(found: object) -> object:
    """The value without its class: an enum's text, numpy's double. Nothing that a caller overrode runs."""
    for kind, plain in _PLAIN:
        if isinstance(found, kind):
            return plain(found)
    return found


_LISTS: Final = (list, tuple, set, frozenset)
_PLAIN: Final[tuple[tuple[type, Callable[[Any], object]], ...]] = (
    (str, str.__str__),
    (bool, bool),
    (int, int.__int__),
    (float, float.__float__),
)
_COMPARE: Final[dict[Comparison, Callable[[Any, Any], bool]]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.LESS: operator.lt,
    Comparison.AT_MOST: operator.le,
    Comparison.GREATER: operator.gt,
    Comparison.AT_LEAST: operator.ge,
}
