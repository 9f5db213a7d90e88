"""One evaluation as a value, and in words."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

import msgspec

from pennon.context import Answer, ErrorCode, Origin, Reason, Unit
from pennon.flags import (
    ClauseRecord,
    ContainsClause,
    EqualsClause,
    Explanation,
    Flag,
    InClause,
    NumberClause,
    Outcome,
    PrefixClause,
    PrerequisiteTrace,
    PresentClause,
    SegmentClause,
    SemverClause,
    SuffixClause,
)

# A list of 10,000 members tells nobody anything.
_SHOWN_COUNT: Final = 5


class Asked(msgspec.Struct, frozen=True):
    """What an evaluation was made from, once unit and request were settled."""

    flag: Flag
    unit_key: str | None
    attributes: Mapping[str, object]
    units: Mapping[str, str]


class Evaluation(msgspec.Struct, frozen=True):
    """What a flag answered, and why.

    value: None if the answer is an error. variant, origin: likewise.
    rule: id of the rule that served it here; None for a carried decision, whose rule is known where it was made.
    revision: of the flag's record, or the one that a carried decision was made at. unit: the one that was asked about.
    """

    flag: str
    value: Any
    variant: str | None
    reason: Reason
    origin: Origin | None
    rule: str | None
    revision: int
    error: ErrorCode | None
    unit: Unit | None
    asked: Asked | None = None

    def explain(self) -> str:
        """Which rule and clause it comes from, in lines of plain words. It names attributes, not their values."""
        return "\n".join(_lines(self, self.asked))

    def __repr__(self) -> str:
        return (
            f"Evaluation(flag={self.flag!r}, value={self.value!r}, variant={self.variant!r}, "
            f"reason={self.reason.value}, error={self.error and self.error.value!r}, revision={self.revision})"
        )


def evaluation_of(answer: Answer, asked: Asked | None = None, *, as_float: bool = False) -> Evaluation:
    """The evaluation of an answer. as_float: an integer becomes the float that was asked for."""
    unit = None if asked is None or asked.unit_key is None else Unit(asked.flag.unit_kind, asked.unit_key)
    # Answers are shared by everybody who asks; what a caller could edit is the caller's own copy.
    value: Any = deepcopy(answer.value) if isinstance(answer.value, dict | list) else answer.value
    if as_float and value is not None:
        value = float(value)
    return Evaluation(
        answer.flag,
        value,
        answer.variant,
        answer.reason,
        answer.origin,
        answer.rule,
        answer.revision,
        answer.error,
        unit,
        asked,
    )


def _lines(evaluation: Evaluation, asked: Asked | None) -> Iterator[str]:
    yield _headline(evaluation)
    if evaluation.error is not None:
        yield from _error_lines(evaluation.error, asked)
        return
    if evaluation.reason is Reason.DISABLED and asked is not None and asked.flag.record.on:
        yield "a flag that it needs does not answer as it must: the off variant is served"
    elif evaluation.reason in _SETTLED:
        yield _SETTLED[evaluation.reason]
    if asked is None:
        return
    explanation = asked.flag.explain(asked.unit_key, asked.attributes, asked.units)
    if evaluation.reason in {Reason.CARRIED, Reason.OVERRIDE} or evaluation.variant != explanation.answer.variant:
        yield f"by itself, this process would answer {_served(explanation.answer)}:"
    yield from _explanation_lines(explanation, asked)


def _headline(evaluation: Evaluation) -> str:
    unit = "without a unit" if evaluation.unit is None else f"for {evaluation.unit.kind} {evaluation.unit.key!r}"
    if evaluation.error is not None:
        # No flag, no kind of unit: which unit was named was not even looked at.
        whom = "" if evaluation.asked is None else f" {unit}"
        return f"{evaluation.flag}: the caller's default{whom} ({evaluation.reason}, {evaluation.error})"
    value = msgspec.json.encode(evaluation.value).decode()
    return (
        f"{evaluation.flag}: {evaluation.variant!r} = {value} {unit} "
        f"({evaluation.reason}, revision {evaluation.revision})"
    )


def _error_lines(error: ErrorCode, asked: Asked | None) -> Iterator[str]:
    if asked is not None and asked.flag.fault is not None:
        yield asked.flag.fault
    elif error is ErrorCode.TARGETING_KEY_MISSING and asked is not None:
        yield f"a split was reached, and no unit of kind {asked.flag.unit_kind!r} was given or is in the request"
    else:
        yield _ERRORS[error]


def _explanation_lines(explanation: Explanation, asked: Asked) -> Iterator[str]:
    for prerequisite in explanation.prerequisites:
        yield _prerequisite_in_words(prerequisite)
    for rule in explanation.rules:
        yield f"rule {rule.rule!r} {'holds' if rule.holds else 'does not hold'}"
        for trace in rule.clauses:
            yield f"  {clause_in_words(trace.clause)}: {_OUTCOMES[trace.outcome]}"
    answer = explanation.answer
    if explanation.rules and not explanation.rules[-1].holds:
        yield "no rule holds: the fallthrough is served"
    if explanation.bucket is not None:
        where = "outside coverage, so it gets the rest" if answer.origin is Origin.REST else "in the slot"
        yield f"{asked.flag.unit_kind} {asked.unit_key!r} is bucket {explanation.bucket} of 100000: {where}"
        yield f"serves {_served(answer)}"


def _prerequisite_in_words(trace: PrerequisiteTrace) -> str:
    name = f"prerequisite {trace.flag!r}"
    if trace.answer is None:
        return f"{name} does not hold: there is no such flag"
    answers = f"it answers {_served(trace.answer)}"
    if trace.holds:
        return f"{name} holds: {answers}"
    # An error is said with the default already.
    why = "" if trace.answer.error else f" ({trace.answer.reason})"
    return f"{name} does not hold: {answers}{why} and must answer {' or '.join(map(repr, trace.variants))}"


def _served(answer: Answer) -> str:
    return f"{answer.variant!r}" if answer.error is None else f"the default ({answer.error})"


def clause_in_words(clause: ClauseRecord) -> str:
    """A clause as a person would say it, e.g. "'plan' equals 'pro'"."""
    text = _condition(clause)
    return f"not ({text})" if getattr(clause, "negate", False) else text


def _condition(clause: ClauseRecord) -> str:
    match clause:
        case SegmentClause():
            return f"the unit is in segment {clause.segment!r}"
        case PresentClause():
            return f"{clause.attribute!r} is present"
        case InClause():
            return f"{clause.attribute!r} is one of {_shown(clause.values)}"
        case NumberClause():
            return f"{clause.attribute!r} {clause.compare.value} {clause.value!r}"
        case SemverClause():
            return f"{clause.attribute!r} {clause.compare.value} version {clause.value}"
        case EqualsClause() | PrefixClause() | SuffixClause() | ContainsClause():
            return f"{clause.attribute!r} {_VERBS[type(clause)]} {clause.value!r}"
        case _:
            return f"{clause.name!r}, which this version does not know"


def _shown(values: tuple[object, ...]) -> str:
    shown = ", ".join(map(repr, values[:_SHOWN_COUNT]))
    more = len(values) - _SHOWN_COUNT
    return f"{shown} and {more} more" if more > 0 else shown


_VERBS: Final[Mapping[type, str]] = {
    EqualsClause: "equals",
    PrefixClause: "begins with",
    SuffixClause: "ends with",
    ContainsClause: "contains",
}
_OUTCOMES: Final = {
    Outcome.HOLDS: "holds",
    Outcome.FAILS: "fails",
    Outcome.NOT_COMPARABLE: "fails, the attribute is missing or of another type",
}
_SETTLED: Final = {
    Reason.KILLED: "the flag is killed: everybody gets its off variant",
    Reason.DISABLED: "the flag is off: everybody gets its off variant",
    Reason.STATIC: "the flag has no rules: everybody gets this",
    Reason.CARRIED: "decided earlier in this request's journey, and carried here",
    Reason.OVERRIDE: "overridden for this request",
}
_ERRORS: Final = {
    ErrorCode.FLAG_NOT_FOUND: "the ruleset has no flag of this key",
    ErrorCode.PROVIDER_NOT_READY: "there is no ruleset yet, or the client is closed",
    ErrorCode.TYPE_MISMATCH: "the flag has values of another type than was asked for",
    ErrorCode.TARGETING_KEY_MISSING: "a split was reached without a unit",
    ErrorCode.PARSE_ERROR: "the flag cannot be used by this version",
    ErrorCode.GENERAL: "evaluating it failed, e.g. because the attributes could not be read",
}
