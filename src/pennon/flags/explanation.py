"""Which rule and clause an answer comes from, for people."""

from enum import StrEnum

import msgspec

from pennon.context import Answer
from pennon.flags.bucketing import bucket_of
from pennon.flags.clauses import Attributes, Units, Unusable, all_hold
from pennon.flags.compiling import SegmentOf, compiled_clause_of
from pennon.flags.records import ClauseRecord, FlagRecord, ServeRecord, UnknownClause


class Outcome(StrEnum):
    """How a clause came out. NOT_COMPARABLE: what it asks about is missing or of another type."""

    HOLDS = "holds"
    FAILS = "fails"
    NOT_COMPARABLE = "not_comparable"


class ClauseTrace(msgspec.Struct, frozen=True):
    """One clause and how it came out."""

    clause: ClauseRecord
    outcome: Outcome


class RuleTrace(msgspec.Struct, frozen=True):
    """One rule that was tried. All its clauses are shown, also those after the one that failed."""

    rule: str
    holds: bool
    clauses: tuple[ClauseTrace, ...]


class PrerequisiteTrace(msgspec.Struct, frozen=True):
    """One flag that must answer one of these variants. answer: what it answered; None if there is no such flag."""

    flag: str
    variants: tuple[str, ...]
    answer: Answer | None
    holds: bool


class Explanation(msgspec.Struct, frozen=True):
    """Where an answer comes from.

    rules: those that were tried, in order; only the last can hold. Empty where a kill, an off flag or a fault decided.
    bucket: the unit's, 0...99,999, if a split was reached with one.
    fault: why the flag cannot be used. prerequisites: in the author's order; if one does not hold, no rule was tried.
    """

    answer: Answer
    rules: tuple[RuleTrace, ...] = ()
    bucket: int | None = None
    fault: str | None = None
    prerequisites: tuple[PrerequisiteTrace, ...] = ()


def explanation_of(
    answer: Answer, record: FlagRecord, segment_of: SegmentOf, key: str | None, attributes: Attributes, units: Units
) -> Explanation:
    """Where this answer of a usable, live flag comes from, once all that it needs holds. Total."""
    traces: list[RuleTrace] = []
    try:
        for rule in record.rules:
            clauses = tuple(
                ClauseTrace(clause, _outcome(clause, record.unit, segment_of, key, attributes, units))
                for clause in rule.clauses
            )
            holds = all(trace.outcome is Outcome.HOLDS for trace in clauses)
            traces.append(RuleTrace(rule.id, holds, clauses))
            if holds:
                return Explanation(answer, tuple(traces), _bucket(rule.serve, key))
        return Explanation(answer, tuple(traces), _bucket(record.fallthrough, key))
    except Exception:  # noqa: BLE001 - total, as the answer was: a caller's mapping may raise anything
        return Explanation(answer, tuple(traces))


def _outcome(
    clause: ClauseRecord, unit_kind: str, segment_of: SegmentOf, key: str | None, attributes: Attributes, units: Units
) -> Outcome:
    if isinstance(clause, UnknownClause):
        raise Unusable(clause.name)
    if all_hold([compiled_clause_of(clause, unit_kind, segment_of)], key, attributes, units):
        return Outcome.HOLDS
    opposite = msgspec.structs.replace(clause, negate=not clause.negate)
    fails = all_hold([compiled_clause_of(opposite, unit_kind, segment_of)], key, attributes, units)
    return Outcome.FAILS if fails else Outcome.NOT_COMPARABLE


def _bucket(serve: ServeRecord, key: str | None) -> int | None:
    return bucket_of(serve.split.algo, serve.split.salt, key) if serve.split is not None and key else None
