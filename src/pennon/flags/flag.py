"""One flag of one environment, as evaluation and judging read it."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import msgspec

from pennon.context import Answer, Environment, ErrorCode, Scope
from pennon.flags.clauses import Attributes, Units, attributes_of
from pennon.flags.compiling import Compiled, SegmentOf, compiled_flag, error_answer
from pennon.flags.explanation import Explanation, PrerequisiteTrace, explanation_of
from pennon.flags.records import ClauseRecord, FlagRecord, SegmentClause, VariantRecord
from pennon.flags.segments import Segment
from pennon.flags.split import Serve

# What is already held about a flag that another needs, for (that flag, the unit key of its kind); None: it is to answer
# itself. It looks only: it neither enters nor exposes anything.
Prior = Callable[["Flag", str | None], Answer | None]


class Needs(msgspec.Struct, frozen=True):
    """What a flag hangs on beside its own record and segments: the flags that it needs, transitively.

    keys: what each needs stands before it; also those that do not exist. flags: those that do, compiled, in the same
    order; none where there is a fault. ids: of those that exist. floor: the greatest of theirs.
    fault: why it cannot need them, else None.
    """

    keys: tuple[str, ...] = ()
    flags: tuple["Flag", ...] = ()
    ids: frozenset[int] = frozenset()
    floor: int = 0
    fault: str | None = None


NO_NEEDS: Final = Needs()


class Flag:
    """A compiled flag. Shared by all threads, never edited after it was built.

    answer: the answer for (unit key of the flag's kind or None, attributes, unit keys by kind), by position. Total: it
        never raises, whatever it is given.
    constant: the answer that everyone gets where `answer` looks at nothing, else None.
    off_answer: the off variant as a kill serves it; PARSE_ERROR if the record names none.
    floor: carried decisions of a lower revision are void; the effective one. revision: the flag record's.
    prerequisites: keys of the flags that it needs, transitively; what each needs stands before it.
    ids: its own and theirs. segments: keys of the segments that they and it ask.
    carry_max_age_ns: the age above which a carried decision is not applied; None: any age is good.
    fault: why the flag cannot be used, None if it can. gate: the way to its answer where it needs others, else None.
    """

    __slots__ = (
        "_asked", "_variants", "answer", "at", "carry", "carry_max_age_ns", "constant", "exposes", "fault",
        "floor", "gate", "id", "ids", "is_killed", "key", "off_answer", "overridable", "prerequisites", "record",
        "revision", "scope", "segments", "type", "unit_kind",
    )  # fmt: skip

    def __init__(
        self,
        record: FlagRecord,
        environment: Environment,
        epoch: int,
        kill_revision: int,
        segment_of: SegmentOf,
        needs: Needs = NO_NEEDS,
    ) -> None:
        """kill_revision: of the open kill that lies over the flag, 0 if none does."""
        self.record = record
        self.key, self.id, self.type, self.unit_kind = record.key, record.id, record.type, record.unit
        self.revision, self.carry, self.exposes = record.revision, record.carry, record.exposes
        self.at, self.overridable = record.at, record.overridable
        self.carry_max_age_ns = None if record.carry_max_age_s is None else record.carry_max_age_s * _SECOND_NS
        self.is_killed = record.killed or kill_revision > 0
        self.floor = max(record.void_before, kill_revision, needs.floor)
        self.scope = _scope_of(record, environment, epoch, self.floor, is_killed=self.is_killed)
        self.prerequisites, self.ids = needs.keys, needs.ids | {record.id}
        self.segments: frozenset[str] = frozenset(_segments_of(record)).union(*(flag.segments for flag in needs.flags))
        # The segments themselves and not `segment_of`: a flag outlives its ruleset, and would keep it in memory.
        self._asked: dict[str, Segment] = {}
        compiled = compiled_flag(
            record,
            is_killed=self.is_killed,
            revision=max(record.revision, kill_revision),
            segment_of=lambda key: self._asked.setdefault(key, segment_of(key)),
            fault=needs.fault,
        )
        self.answer, self.constant, self.off_answer = compiled.answer, compiled.constant, compiled.off_answer
        self._variants, self.fault = compiled.variants, compiled.fault
        self.gate: Gate | None = None
        if record.prerequisites and record.on and not self.is_killed and self.fault is None:
            self.gate = Gate(record, needs.flags, compiled)
            self.answer, self.constant = partial(self.gate.answer, _nothing), None

    def answer_with(self, prior: Prior, key: str | None, attributes: Attributes, units: Units) -> Answer:
        """The answer where the flags that it needs may have been decided before: `prior` is asked about each first.

        It is not asked about a killed one. Total, as `answer` is, which is this with nothing decided before.
        """
        gate = self.gate
        return self.answer(key, attributes, units) if gate is None else gate.answer(prior, key, attributes, units)

    def variant_by_id(self, variant_id: int) -> VariantRecord | None:
        """The variant that a carried decision names; None if this flag has none of that id."""
        return self._variants.get(variant_id)

    def missing_attributes(self, attributes: Attributes) -> frozenset[str]:
        """Those that it, its segments and the flags that it needs ask about, and that are missing or null here.

        None of a flag that is constant: it asks about nothing. Raises: what `attributes` raises when it is read.
        """
        asking = (self, *self.gate.needed) if self.gate is not None else (self,)
        asked = frozenset[str]().union(*(flag.asked_attributes() for flag in asking))
        return frozenset(name for name in asked if attributes.get(name) is None)

    def explain(self, key: str | None, attributes: Attributes, units: Units) -> Explanation:
        """The answer, and how each clause up to it came out. Total; for people, much slower than `answer`."""
        answer = self.answer(key, attributes, units)
        if self.constant is not None:
            return Explanation(answer, fault=self.fault)
        traces = () if self.gate is None else self.gate.traces(key, attributes, units)
        if not all(trace.holds for trace in traces):
            return Explanation(answer, prerequisites=traces)
        explanation = explanation_of(answer, self.record, self._asked.__getitem__, key, attributes, units)
        return msgspec.structs.replace(explanation, prerequisites=traces)

    def asked_attributes(self) -> frozenset[str]:
        """The attributes that its own clauses and its segments ask about; none if it is constant."""
        if self.constant is not None:
            return frozenset()
        return attributes_of(_clauses_of(self.record)).union(*(part.attributes for part in self._asked.values()))


class Gate:
    """The way to the answer of a usable, live flag that needs others.

    needed: the flags it needs, transitively, what each needs before it. So one walk from first to last answers them
    all, each once, and the depth of the graph is nobody's depth of calls.
    """

    __slots__ = ("_closed", "_conditions", "_failed", "_live", "_unit_kind", "needed")

    def __init__(self, record: FlagRecord, needed: tuple[Flag, ...], compiled: Compiled) -> None:
        self.needed = needed
        self._unit_kind = record.unit
        self._conditions = tuple((each.flag, frozenset(each.variants)) for each in record.prerequisites)
        self._live: Serve = compiled.answer
        self._closed = compiled.closed
        self._failed = error_answer(record, compiled.closed.revision, ErrorCode.GENERAL)

    def answer(self, prior: Prior, key: str | None, attributes: Attributes, units: Units) -> Answer:
        """The flag's own if all conditions hold, else the off variant."""
        try:
            return self.answer_given(self._answers(prior, key, attributes, units), key, attributes, units)
        except Exception:  # noqa: BLE001 - total: a caller's mapping may raise anything when it is read
            return self._failed

    def answer_given(self, answers: dict[str, Answer], key: str | None, attributes: Attributes, units: Units) -> Answer:
        """The answer, given those of the flags that it needs."""
        for flag, variants in self._conditions:
            if not _holds(answers.get(flag), variants):
                return self._closed
        return self._live(key, attributes, units)

    def traces(self, key: str | None, attributes: Attributes, units: Units) -> tuple[PrerequisiteTrace, ...]:
        """How each condition comes out with nothing decided before, in the author's order."""
        try:
            answers = self._answers(_nothing, key, attributes, units)
        except Exception:  # noqa: BLE001 - total, as the answer was
            return ()
        return tuple(
            PrerequisiteTrace(flag, tuple(sorted(variants)), answers.get(flag), _holds(answers.get(flag), variants))
            for flag, variants in self._conditions
        )

    def _answers(self, prior: Prior, key: str | None, attributes: Attributes, units: Units) -> dict[str, Answer]:
        """What the needed flags answer for this unit, by key."""
        # The flag's own unit is its kind's for all that it needs; "" is no unit.
        units = {**units, self._unit_kind: key or ""}
        answers: dict[str, Answer] = {}
        for flag in self.needed:
            unit_key = units.get(flag.unit_kind) or None
            held = None if flag.is_killed else prior(flag, unit_key)
            if held is None:
                answer = flag.answer if flag.gate is None else partial(flag.gate.answer_given, answers)
                held = answer(unit_key, attributes, units)
            answers[flag.key] = held
        return answers


def _holds(answer: Answer | None, variants: frozenset[str]) -> bool:
    # An error has no variant.
    return answer is not None and answer.variant in variants


def _nothing(_flag: Flag, _unit_key: str | None) -> None:
    """Nothing has been decided before."""


def _scope_of(record: FlagRecord, environment: Environment, epoch: int, floor: int, *, is_killed: bool) -> Scope:
    # A kill is a place of its own: what it needs may have raised the floor to the same revision before.
    killed = ".killed" if is_killed else ""
    key = f"{environment.id:x}.{epoch:x}.{record.id:x}.{floor:x}.{record.unit}{killed}"
    return Scope(environment, epoch, record.id, record.unit, floor, record.carry, key)


def _clauses_of(record: FlagRecord) -> Iterable[ClauseRecord]:
    return (clause for rule in record.rules for clause in rule.clauses)


def _segments_of(record: FlagRecord) -> list[str]:
    return [clause.segment for clause in _clauses_of(record) if isinstance(clause, SegmentClause)]


_SECOND_NS: Final = 1_000_000_000
