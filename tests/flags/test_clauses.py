"""Clauses: the vectors, and the Python values that JSON cannot say."""

import enum
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from pennon.flags import (
    ClauseRecord,
    ContainsClause,
    EqualsClause,
    InClause,
    NumberClause,
    PrefixClause,
    SegmentClause,
    SegmentRecord,
)
from pennon.flags.records import Comparison

NAN = float("nan")


def test_clauses_fulfil_the_vectors(make: Any, vectors: Callable[[str], dict[str, Any]]) -> None:
    """Every clause holds for exactly the attributes that its vector names, and negated for those it names."""
    for vector in vectors("clauses")["clauses"]:
        for negate, expected in ((False, "holds"), (True, "negated")):
            clause = msgspec.convert({**vector["clause"], "negate": negate}, ClauseRecord)
            for case in vector["cases"]:
                assert case[expected] == make.holds(clause, case["attributes"]), (vector["name"], expected, case)
                assert case[expected] == held_in_segment(make, clause, case["attributes"]), (vector["name"], case)


def held_in_segment(make: Any, clause: ClauseRecord, attributes: dict[str, Any]) -> bool:
    """Whether the clause holds where it is the only rule of a segment."""
    held: bool = make.holds(SegmentClause("s"), attributes, SegmentRecord("s", "user", "s", rules=((clause,),)))
    return held


class Plan(enum.StrEnum):
    """A caller's enum of texts."""

    PRO = "pro"


class Level(enum.IntEnum):
    """A caller's enum of numbers."""

    HIGH = 3


class Shouting(str):
    """A text that claims to be another."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __str__(self) -> str:
        return "PRO"


@pytest.mark.parametrize("negate", [False, True])
@pytest.mark.parametrize(
    "clause",
    [
        EqualsClause("x", 1),
        InClause("x", (1, 2.5)),
        InClause("x", (1, "a")),
        *(NumberClause("x", compare, 1) for compare in Comparison),
    ],
)
def test_clause_nan_is_wrong_typed(make: Any, clause: Any, *, negate: bool) -> None:
    """NaN makes a clause false, negated or not, alone and in a list."""
    clause = msgspec.structs.replace(clause, negate=negate)
    assert not make.holds(clause, {"x": NAN})
    assert not make.holds(clause, {"x": [NAN]})


def test_clause_nan_beside_a_number_counts_for_nothing(make: Any) -> None:
    """Of a list, the elements that can be compared decide."""
    assert make.holds(NumberClause("x", Comparison.LESS, 1), {"x": [NAN, 0.5]})
    assert make.holds(NumberClause("x", Comparison.LESS, 1, negate=True), {"x": [NAN, 2]})


def test_clause_infinity_is_a_number(make: Any) -> None:
    """Infinity compares."""
    assert make.holds(NumberClause("x", Comparison.GREATER, 10**400), {"x": float("inf")})


@pytest.mark.parametrize(
    ("clause", "found"),
    [
        (EqualsClause("x", "pro"), Plan.PRO),
        (InClause("x", ("pro", "team")), Plan.PRO),
        (PrefixClause("x", "pr"), Plan.PRO),
        (ContainsClause("x", "r"), Plan.PRO),
        (EqualsClause("x", 3), Level.HIGH),
        (NumberClause("x", Comparison.AT_LEAST, 3), Level.HIGH),
        (EqualsClause("x", "pro"), Shouting("pro")),
        (EqualsClause("x", "b"), {"a", "b"}),
        (EqualsClause("x", "b"), ("a", "b")),
        (EqualsClause("x", "b"), frozenset("ab")),
        (EqualsClause("x", Plan.PRO.value), [Plan.PRO]),
    ],
)
def test_clause_takes_a_value_without_its_class(make: Any, clause: Any, found: object) -> None:
    """Enums and derived texts count as what they hold; sets and tuples as lists."""
    assert make.holds(clause, {"x": found})


def test_clause_runs_nothing_that_a_caller_overrode(make: Any) -> None:
    """A text that says it equals everything is compared by its characters."""
    assert not make.holds(EqualsClause("x", "pro"), {"x": Shouting("free")})


@pytest.mark.parametrize("found", [b"pro", object(), 1j, {"pro": 1}, iter("pro"), range(3)])
def test_clause_other_types_are_wrong_typed(make: Any, found: object) -> None:
    """What JSON does not have is of no clause's type."""
    assert not make.holds(EqualsClause("x", "pro"), {"x": found})
    assert not make.holds(EqualsClause("x", "pro", negate=True), {"x": found})


def test_clause_in_answers_ten_thousand_members_from_a_set(make: Any) -> None:
    """Each of many members is found, and none beside them."""
    clause = InClause("x", tuple(f"m{number}" for number in range(10_000)))
    flag = make.compiled(make.gate(clause))
    found = [flag.answer(None, {"x": f"m{number}"}, {}).value for number in (0, 9_999, 10_000)]
    assert [True, True, False] == found


def test_clause_reads_any_mapping(make: Any) -> None:
    """Attributes need only be a mapping."""

    class Lazy(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return {"x": "pro"}[key]

        def __iter__(self) -> Any:
            raise AssertionError("nobody needs all of them")

        def __len__(self) -> int:
            raise AssertionError("nobody needs their number")

    assert make.holds(EqualsClause("x", "pro"), Lazy())
