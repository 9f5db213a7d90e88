"""From a clause to a test that says whether it holds.

Clauses are typed and nothing is coerced. An attribute that is missing, null or of another type makes a clause false,
negated or not; so does one that is NaN, or not a version where a version is compared. Of a list those elements count
that are of the clause's type: it holds if any of them does, negated if none does, and without one it is false.

A clause is a test per type of value. Whoever asks many clauses runs the commonest test in line (`all_hold` is how) and
leaves everything else to `holds`: a Python call per clause would be a third of what an evaluation costs.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import partial
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

# Whether a value of one type fulfils the clause; None: it cannot be compared after all.
_Test = Callable[[Any], bool | None]

# The tests of a clause by type, as `_kind_of` tells them apart: str, bool, and float for both kinds of number.
_Tests = Mapping[type, _Test]

# A compiled clause: (attribute, type, test, is_wanted, holds). An attribute of exactly that type is decided by
# `test(found) is is_wanted`, anything else by `holds`. A tuple, since unpacking one is what a loop does fastest.
Test = tuple[str, type, _Test, bool, Holds]

_Compared = EqualsClause | InClause | PrefixClause | SuffixClause | ContainsClause | NumberClause | SemverClause


class Unusable(ValueError):
    """A record refers to what is not there, or says what cannot be done; never leaves this room."""


def all_hold(tests: Iterable[Test], key: str | None, attributes: Attributes, units: Units) -> bool:
    """Whether all of them hold. compiling.py has this loop once more, in line."""
    for attribute, kind, test, is_wanted, holds in tests:
        found = attributes.get(attribute)
        if type(found) is kind:
            if test(found) is not is_wanted:
                return False
        elif not holds(key, attributes, units):
            return False
    return True


def attributes_of(clauses: Iterable[ClauseRecord]) -> frozenset[str]:
    """The attributes that clauses ask about; those that a segment asks about are the segment's."""
    return frozenset(clause.attribute for clause in clauses if not isinstance(clause, SegmentClause | UnknownClause))


def compiled_clause(clause: ClauseRecord, on_segment: Callable[[SegmentClause], Holds]) -> Test:
    """The clause, ready to be asked. Raises: Unusable."""
    match clause:
        case SegmentClause():
            return _always_asked(on_segment(clause))
        case PresentClause():
            return _always_asked(_on_presence(clause.attribute, is_wanted=not clause.negate))
        case UnknownClause():
            msg = f"clause op {clause.name!r} is not one that this version knows"
            raise Unusable(msg)
    return _on_attribute(clause.attribute, _tests_of(clause), is_wanted=not clause.negate)


class _NoType:
    """The type of no attribute: a clause of it is always decided by `holds`."""


def _always_asked(holds: Holds) -> Test:
    return "", _NoType, bool, True, holds


def _on_presence(attribute: str, *, is_wanted: bool) -> Holds:
    return lambda _key, attributes, _units: (attributes.get(attribute) is not None) is is_wanted


def _on_attribute(attribute: str, tests: _Tests, *, is_wanted: bool) -> Test:
    def holds(_key: str | None, attributes: Attributes, _units: Units) -> bool:
        return _settled(attributes.get(attribute), tests, is_wanted=is_wanted)

    # Of numbers an integer: NaN must take the long way.
    for kind, exactly in ((str, str), (float, int), (bool, bool)):
        if kind in tests:
            return attribute, exactly, tests[kind], is_wanted, holds
    return _always_asked(holds)


def _tests_of(clause: _Compared) -> _Tests:
    match clause:
        case EqualsClause():
            return {_kind_of(clause.value): partial(operator.eq, clause.value)}
        case InClause():
            return _membership(clause.values)
        case PrefixClause() | SuffixClause() | ContainsClause():
            return {str: _text_test(clause)}
        case NumberClause():
            return {float: partial(_SEEN_FROM_THE_RIGHT[clause.compare], clause.value)}
        case SemverClause():
            return {str: _version_test(clause)}


def _membership(values: Iterable[Scalar]) -> _Tests:
    # A set per type: to Python 1 == True, to a clause it is not.
    members: dict[type, set[Scalar]] = {}
    for value in values:
        members.setdefault(_kind_of(value), set()).add(value)
    return {kind: frozenset(group).__contains__ for kind, group in members.items()}


def _text_test(clause: PrefixClause | SuffixClause | ContainsClause) -> _Test:
    value = clause.value
    # Lambdas and not operator.methodcaller, which is slower by a third.
    match clause:
        case PrefixClause():
            return lambda found: found.startswith(value)
        case SuffixClause():
            return lambda found: found.endswith(value)
        case ContainsClause():
            return lambda found: value in found


def _version_test(clause: SemverClause) -> _Test:
    value, compare = version_key_of(clause.value), _SEEN_FROM_THE_RIGHT[clause.compare]
    if value is None:
        msg = f"{clause.value!r} is not a version (SemVer 2.0.0)"
        raise Unusable(msg)

    def test(found: str) -> bool | None:
        key = version_key_of(found)
        return None if key is None else compare(value, key)

    return test


def _settled(found: object, tests: _Tests, *, is_wanted: bool) -> bool:
    """Whether a value holds, whatever it is: a list, an instance of a class derived from `str`, nothing at all."""
    if found is None:
        return False
    if isinstance(found, _LISTS):
        outcomes = {_outcome(element, tests) for element in found} - {None}
        return bool(outcomes) and (True in outcomes) is is_wanted
    return _outcome(found, tests) is is_wanted


def _outcome(found: object, tests: _Tests) -> bool | None:
    plain = _plain(found)
    test = tests.get(_kind_of(plain))
    return None if test is None else test(plain)


def _kind_of(value: object) -> type:
    """Its type as clauses see it: integer and float are one; NaN is none."""
    kind = type(value)
    if kind is int:
        return float
    return kind if kind is not float or value == value else type(None)


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

# The clause's value is bound first and the attribute comes second, so each comparison is turned round.
_SEEN_FROM_THE_RIGHT: Final[Mapping[Comparison, Callable[[Any, Any], bool]]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.LESS: operator.gt,
    Comparison.AT_MOST: operator.ge,
    Comparison.GREATER: operator.lt,
    Comparison.AT_LEAST: operator.le,
}
