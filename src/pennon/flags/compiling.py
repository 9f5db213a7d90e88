"""From a flag's record to the function that answers it, every answer built ahead.

Compiling never fails: a flag that refers to what is not there answers ERROR with PARSE_ERROR to everyone, but still
its off variant when it is killed or off.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from pennon.context import Answer, ErrorCode, Origin, Reason
from pennon.flags.clauses import Attributes, Holds, Test, Units, Unusable, compiled_clause
from pennon.flags.records import (
    ClauseRecord,
    FlagRecord,
    FlagType,
    RuleRecord,
    SegmentClause,
    ServeRecord,
    VariantRecord,
)
from pennon.flags.segments import Segment, listed, on_segment
from pennon.flags.split import Serve, compiled_split

SegmentOf = Callable[[str], Segment]

# A rule's clauses, and what it serves.
_Rule = tuple[tuple[Test, ...], Serve]


class Compiled(msgspec.Struct, frozen=True):
    """A flag ready to answer.

    variants: by id. off_answer: the off variant as a kill serves it. closed: as it is served while the flag is off, or
    what it needs does not hold. constant: the answer of a flag that looks at nothing, else None; what it needs is left
    aside, here and in `answer`. fault: why the flag cannot be used, else None.
    """

    variants: Mapping[int, VariantRecord]
    off_answer: Answer
    closed: Answer
    constant: Answer | None
    answer: Serve
    fault: str | None = None


def compiled_flag(
    record: FlagRecord, *, is_killed: bool, revision: int, segment_of: SegmentOf, fault: str | None = None
) -> Compiled:
    """The flag, ready to answer.

    revision: what its answers say. segment_of: the compiled segment of a key; raises Unusable. fault: what has been
    found wrong with it beside the record's own parts.
    """
    error = error_answer(record, revision, ErrorCode.PARSE_ERROR)
    variants: dict[str, VariantRecord] = {}
    off_answer = closed = error
    try:
        variants = _variants_of(record)
        builder = _Builder(record, variants, revision, segment_of)
        off_answer = builder.answer(record.off, Reason.KILLED, Origin.KILL)
        closed = builder.answer(record.off, Reason.DISABLED, Origin.OFF)
        constant = off_answer if is_killed else closed if not record.on else builder.constant(fault)
        answer = _always(constant) if constant is not None else builder.serve()
    except Unusable as caught:
        return Compiled(_by_id(variants), off_answer, closed, error, _always(error), f"flag {record.key!r}: {caught}")
    return Compiled(_by_id(variants), off_answer, closed, constant, answer)


def error_answer(record: FlagRecord, revision: int, code: ErrorCode) -> Answer:
    """What a flag answers where it cannot answer."""
    return Answer(record.key, None, None, None, Reason.ERROR, None, None, revision, code)


def compiled_clause_of(clause: ClauseRecord, flag_unit_kind: str, segment_of: SegmentOf) -> Test:
    """A clause of a flag, ready to be asked. Raises: Unusable."""

    def on(clause: SegmentClause) -> Holds:
        return on_segment(segment_of(clause.segment), flag_unit_kind=flag_unit_kind, is_wanted=not clause.negate)

    return compiled_clause(clause, on)


class _Builder:
    """Builds the parts of one flag."""

    def __init__(
        self, record: FlagRecord, variants: Mapping[str, VariantRecord], revision: int, segment_of: SegmentOf
    ) -> None:
        self._record, self._variants, self._revision, self._segment_of = record, variants, revision, segment_of

    def answer(self, variant_key: str, reason: Reason, origin: Origin, rule: str | None = None) -> Answer:
        """The answer that serves a variant."""
        variant = self._variants.get(variant_key)
        if variant is None:
            msg = f"variant {variant_key!r} is not one of {sorted(self._variants)}"
            raise Unusable(msg)
        return Answer(
            self._record.key, variant.value, variant.key, variant.id, reason, origin, rule, self._revision
        )  # fmt: skip

    def constant(self, fault: str | None) -> Answer | None:
        """The answer to everyone, if the flag, which is live, has neither rules nor a split."""
        record = self._record
        if fault is not None:
            raise Unusable(fault)
        if record.rules or record.fallthrough.variant is None:
            return None
        return self._fixed(record.fallthrough, None)

    def serve(self) -> Serve:
        """The function that picks an answer."""
        record = self._record
        failed = error_answer(record, self._revision, ErrorCode.GENERAL)
        rules = tuple(self._rule(rule) for rule in record.rules)
        fallthrough = self._served(record.fallthrough, None)
        if not rules:
            return fallthrough
        return self._look_up() or _first_rule_that_holds(rules, fallthrough, failed)

    def _look_up(self) -> Serve | None:
        """The commonest of all flags, one variant for whom a segment lists and another for the rest, in one step."""
        match self._record:
            case FlagRecord(
                rules=(
                    RuleRecord(clauses=(SegmentClause(negate=False) as clause,), serve=ServeRecord(split=None)) as rule,
                ),
                fallthrough=ServeRecord(split=None) as fallthrough,
            ):
                segment = self._segment_of(clause.segment)
                if segment.unit_kind == self._record.unit and not segment.rules:
                    return listed(segment, self._fixed(rule.serve, rule.id), self._fixed(fallthrough, None))
        return None

    def _rule(self, rule: RuleRecord) -> _Rule:
        try:
            tests = (compiled_clause_of(clause, self._record.unit, self._segment_of) for clause in rule.clauses)
            return tuple(tests), self._served(rule.serve, rule.id)
        except Unusable as fault:
            msg = f"rule {rule.id!r}: {fault}"
            raise Unusable(msg) from fault

    def _served(self, serve: ServeRecord, rule: str | None) -> Serve:
        if serve.split is None:
            return _always(self._fixed(serve, rule))
        if serve.variant is not None:
            msg = "serve: has a variant and a split; it must have exactly one of them"
            raise Unusable(msg)
        return compiled_split(
            serve.split,
            lambda variant, origin: self.answer(variant, Reason.SPLIT, origin, rule),
            missing=error_answer(self._record, self._revision, ErrorCode.TARGETING_KEY_MISSING),
            failed=error_answer(self._record, self._revision, ErrorCode.GENERAL),
        )

    def _fixed(self, serve: ServeRecord, rule: str | None) -> Answer:
        if serve.variant is None or serve.split is not None:
            msg = "serve: must have exactly one of a variant and a split"
            raise Unusable(msg)
        if rule is not None:
            return self.answer(serve.variant, Reason.TARGETING_MATCH, Origin.RULE, rule)
        # STATIC answers may be cached by whoever gets one: it hangs on nothing.
        hangs = self._record.rules or self._record.prerequisites
        reason = Reason.DEFAULT if hangs else Reason.STATIC
        return self.answer(serve.variant, reason, Origin.FALLTHROUGH)


def _first_rule_that_holds(rules: tuple[_Rule, ...], fallthrough: Serve, failed: Answer) -> Serve:
    def answer(key: str | None, attributes: Attributes, units: Units) -> Answer:
        try:
            for tests, serve in rules:
                # clauses.all_hold, in line.
                for attribute, kind, test, is_wanted, holds in tests:
                    found = attributes.get(attribute)
                    if type(found) is kind:
                        if test(found) is not is_wanted:
                            break
                    elif not holds(key, attributes, units):
                        break
                else:
                    return serve(key, attributes, units)
            return fallthrough(key, attributes, units)
        except Exception:  # noqa: BLE001 - total: a caller's mapping may raise anything when it is read
            return failed

    return answer


def _always(answer: Answer) -> Serve:
    return lambda _key, _attributes, _units: answer


def _by_id(variants: Mapping[str, VariantRecord]) -> Mapping[int, VariantRecord]:
    return {variant.id: variant for variant in variants.values()}


def _variants_of(record: FlagRecord) -> dict[str, VariantRecord]:
    """By key, a float flag's integers as floats."""
    variants = {variant.key: _typed(variant, record.type) for variant in record.variants}
    if len(variants) < len(record.variants) or len(_by_id(variants)) < len(variants):
        msg = "two variants have one key or one id"
        raise Unusable(msg)
    return variants


def _typed(variant: VariantRecord, flag_type: FlagType) -> VariantRecord:
    value: Any = variant.value
    if flag_type is FlagType.FLOAT and type(value) is int and abs(value) <= _EXACT_INTEGER_MAX:
        return msgspec.structs.replace(variant, value=float(value))
    if flag_type is FlagType.JSON or type(value) is _TYPES[flag_type]:
        return variant
    msg = f"variant {variant.key!r}: value {value!r} is not of type {flag_type}"
    raise Unusable(msg)


# Up to here every integer is a double (IEEE 754 binary64); beyond, a float flag must be written as what it is.
_EXACT_INTEGER_MAX: Final = 1 << 53

_TYPES: Final[Mapping[FlagType, type]] = {
    FlagType.BOOLEAN: bool,
    FlagType.STRING: str,
    FlagType.INTEGER: int,
    FlagType.FLOAT: float,
}
