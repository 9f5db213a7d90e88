"""Evaluations in words: which rule and clause an answer comes from."""

from collections.abc import Iterator
from typing import Any

import pytest

import pennon
from pennon.ambient import entered
from pennon.carry import fingerprint_of
from pennon.client import Client, answering
from pennon.client.evaluation import clause_in_words
from pennon.context import Entry, Origin, Unit
from pennon.flags import (
    ClauseRecord,
    Comparison,
    ContainsClause,
    EqualsClause,
    InClause,
    NumberClause,
    PrefixClause,
    PrerequisiteRecord,
    PresentClause,
    RuleRecord,
    Ruleset,
    SegmentClause,
    SemverClause,
    ServeRecord,
    SuffixClause,
    UnknownClause,
)


@pytest.fixture
def client(make: Any) -> Iterator[Client]:
    """A client of a few flags."""
    clauses = (EqualsClause("plan", "pro"), NumberClause("age", Comparison.AT_LEAST, 18, negate=True))
    flags = [
        make.flag("static", id=1),
        make.flag("ruled", id=2, serve="off", rules=(RuleRecord("r1", clauses, ServeRecord("on")),), revision=4),
        make.split("split", id=3),
        make.split("narrow", id=4, coverage=0),
        make.flag("killed", id=5, killed=True, revision=6),
        make.flag("disabled", id=6, on=False),
        make.flag("broken", id=7, serve="blue"),
        make.flag("needing", id=8, prerequisites=(PrerequisiteRecord("static", ("on",)),)),
        make.flag(
            "closed",
            id=9,
            prerequisites=(
                PrerequisiteRecord("needing", ("on",)),
                PrerequisiteRecord("disabled", ("on",)),
                PrerequisiteRecord("broken", ("on",)),
                PrerequisiteRecord("nowhere", ("on",)),
            ),
        ),
    ]
    with answering(Ruleset.of(make.ruleset(*flags, revision=9))), pennon.connect() as client:
        yield client


CASES: list[tuple[str, dict[str, Any], str]] = [
    (
        "static",
        {},
        """\
static: 'on' = true without a unit (STATIC, revision 1)
the flag has no rules: everybody gets this""",
    ),
    (
        "ruled",
        {"unit": "u", "attributes": {"plan": "pro", "age": 7}},
        """\
ruled: 'on' = true for user 'u' (TARGETING_MATCH, revision 4)
rule 'r1' holds
  'plan' equals 'pro': holds
  not ('age' >= 18): holds""",
    ),
    (
        "ruled",
        {"unit": Unit("account", "a"), "attributes": {"plan": "free"}},
        """\
ruled: 'off' = false without a unit (DEFAULT, revision 4)
rule 'r1' does not hold
  'plan' equals 'pro': fails
  not ('age' >= 18): fails, the attribute is missing or of another type
no rule holds: the fallthrough is served""",
    ),
    (
        "narrow",
        {"unit": "u"},
        """\
narrow: 'off' = false for user 'u' (SPLIT, revision 1)
user 'u' is bucket 26573 of 100000: outside coverage, so it gets the rest
serves 'off'""",
    ),
    (
        "killed",
        {"unit": "u"},
        """\
killed: 'off' = false for user 'u' (KILLED, revision 6)
the flag is killed: everybody gets its off variant""",
    ),
    (
        "disabled",
        {"unit": "u"},
        """\
disabled: 'off' = false for user 'u' (DISABLED, revision 1)
the flag is off: everybody gets its off variant""",
    ),
    (
        "needing",
        {},
        """\
needing: 'on' = true without a unit (DEFAULT, revision 1)
prerequisite 'static' holds: it answers 'on'""",
    ),
    (
        "closed",
        {"unit": "u"},
        """\
closed: 'off' = false for user 'u' (DISABLED, revision 1)
a flag that it needs does not answer as it must: the off variant is served
prerequisite 'needing' holds: it answers 'on'
prerequisite 'disabled' does not hold: it answers 'off' (DISABLED) and must answer 'on'
prerequisite 'broken' does not hold: it answers the default (PARSE_ERROR) and must answer 'on'
prerequisite 'nowhere' does not hold: there is no such flag""",
    ),
    (
        "split",
        {},
        """\
split: the caller's default without a unit (ERROR, TARGETING_KEY_MISSING)
a split was reached, and no unit of kind 'user' was given or is in the request""",
    ),
    (
        "unknown",
        {"unit": "u"},
        """\
unknown: the caller's default (ERROR, FLAG_NOT_FOUND)
the ruleset has no flag of this key""",
    ),
]


@pytest.mark.parametrize(("flag", "ask", "expected"), CASES, ids=[case[0] for case in CASES])
def test_explanation_reads(client: Client, flag: str, ask: dict[str, Any], expected: str) -> None:
    """Word for word: it is what `pennon eval` prints."""
    assert expected == client.decision(flag, **ask).explain()


def test_explanation_of_a_carried_decision_tells_both(client: Client, make: Any) -> None:
    """What was carried here, and what this process would say by itself."""
    context = make.request({"user": "u"})
    own = client.decision("split", unit="u").variant
    carried = 2 if own == "on" else 1
    entry = Entry(7, 1, fingerprint_of("salt", "user", "u"), 29_000_000, 3, carried, Origin.SPLIT, 8)
    context.ledger.arrived[7, 3] = (entry,)
    with entered(context):
        lines = client.decision("split").explain().splitlines()
    assert "(CARRIED, revision 8)" in lines[0]
    assert "decided earlier in this request's journey, and carried here" == lines[1]
    assert f"by itself, this process would answer {own!r}:" == lines[2]


def test_explanation_where_another_decided_what_is_needed_tells_both(client: Client, make: Any) -> None:
    """What was carried here about a prerequisite, and what this process would say by itself."""
    context = make.request({"user": "u"})
    entry = Entry(7, 1, fingerprint_of("salt", "user", "u"), 29_000_000, 1, 2, Origin.FALLTHROUGH, 8)
    context.ledger.arrived[7, 1] = (entry,)
    with entered(context):
        lines = client.decision("needing").explain().splitlines()
    assert [
        "needing: 'off' = false for user 'u' (DISABLED, revision 1)",
        "a flag that it needs does not answer as it must: the off variant is served",
        "by itself, this process would answer 'on':",
        "prerequisite 'static' holds: it answers 'on'",
    ] == lines


def test_explanation_of_a_broken_flag_says_what_is_broken(client: Client) -> None:
    """For the author, not for the caller."""
    assert "'blue' is not one of ['off', 'on']" in client.decision("broken", unit="u").explain()


def test_explanation_holds_no_attribute_values(client: Client) -> None:
    """It may end in a log."""
    evaluation = client.decision("ruled", unit="u", attributes={"plan": "SECRET", "age": 77})
    assert "SECRET" not in evaluation.explain()
    assert "77" not in evaluation.explain()


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        (EqualsClause("a", value=True), "'a' equals True"),
        (PrefixClause("a", "x"), "'a' begins with 'x'"),
        (SuffixClause("a", "x", negate=True), "not ('a' ends with 'x')"),
        (ContainsClause("a", "x"), "'a' contains 'x'"),
        (InClause("a", (1, 2)), "'a' is one of 1, 2"),
        (InClause("a", tuple(range(10_000))), "'a' is one of 0, 1, 2, 3, 4 and 9995 more"),
        (NumberClause("a", Comparison.LESS, 1.5), "'a' < 1.5"),
        (SemverClause("a", Comparison.AT_LEAST, "1.2.0"), "'a' >= version 1.2.0"),
        (PresentClause("a", negate=True), "not ('a' is present)"),
        (SegmentClause("beta"), "the unit is in segment 'beta'"),
        (UnknownClause("moon_phase"), "'moon_phase', which this version does not know"),
    ],
)
def test_clause_reads(clause: ClauseRecord, expected: str) -> None:
    """As a person would say it."""
    assert expected == clause_in_words(clause)
