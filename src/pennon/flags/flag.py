"""One flag of one environment, as evaluation and judging read it."""

from pennon.context import Environment, Scope
from pennon.flags.clauses import Attributes, Units
from pennon.flags.compiling import SegmentOf, compiled_flag
from pennon.flags.explanation import Explanation, explanation_of
from pennon.flags.records import ClauseRecord, FlagRecord, SegmentClause, VariantRecord
from pennon.flags.segments import Segment


class Flag:
    """A compiled flag. Shared by all threads, never edited after it was built.

    answer: the answer for (unit key of the flag's kind or None, attributes, unit keys by kind), by position. Total: it
        never raises, whatever it is given.
    constant: the answer that everyone gets where `answer` looks at nothing, else None.
    off_answer: the off variant as a kill serves it; PARSE_ERROR if the record names none.
    floor: carried decisions of a lower revision are void. revision: the flag record's.
    segments: keys of the segments it asks. fault: why the flag cannot be used, None if it can.
    """

    __slots__ = (
        "_asked", "_variants", "answer", "carry", "constant", "exposes", "fault", "floor", "id", "is_killed",
        "key", "off_answer", "record", "revision", "scope", "segments", "type", "unit_kind",
    )  # fmt: skip

    def __init__(
        self, record: FlagRecord, environment: Environment, epoch: int, kill_revision: int, segment_of: SegmentOf
    ) -> None:
        """kill_revision: of the open kill that lies over the flag, 0 if none does."""
        self.record = record
        self.key, self.id, self.type, self.unit_kind = record.key, record.id, record.type, record.unit
        self.revision, self.carry, self.exposes = record.revision, record.carry, record.exposes
        self.is_killed = record.killed or kill_revision > 0
        self.floor = max(record.void_before, kill_revision)
        self.scope = _scope_of(record, environment, epoch, self.floor)
        self.segments = frozenset(_segments_of(record))
        # The segments themselves and not `segment_of`: a flag outlives its ruleset, and would keep it in memory.
        self._asked: dict[str, Segment] = {}
        compiled = compiled_flag(
            record,
            is_killed=self.is_killed,
            revision=max(record.revision, kill_revision),
            segment_of=lambda key: self._asked.setdefault(key, segment_of(key)),
        )
        self.answer, self.constant, self.off_answer = compiled.answer, compiled.constant, compiled.off_answer
        self._variants, self.fault = compiled.variants, compiled.fault

    def variant_by_id(self, variant_id: int) -> VariantRecord | None:
        """The variant that a carried decision names; None if this flag has none of that id."""
        return self._variants.get(variant_id)

    def explain(self, key: str | None, attributes: Attributes, units: Units) -> Explanation:
        """The answer, and how each clause up to it came out. Total; for people, much slower than `answer`."""
        answer = self.answer(key, attributes, units)
        if self.constant is not None:
            return Explanation(answer, fault=self.fault)
        return explanation_of(answer, self.record, self._asked.__getitem__, key, attributes, units)


def _scope_of(record: FlagRecord, environment: Environment, epoch: int, floor: int) -> Scope:
    key = f"{environment.id:x}.{epoch:x}.{record.id:x}.{floor:x}.{record.unit}"
    return Scope(environment, epoch, record.id, record.unit, floor, record.carry, key)


def _segments_of(record: FlagRecord) -> list[str]:
    clauses: list[ClauseRecord] = [clause for rule in record.rules for clause in rule.clauses]
    return [clause.segment for clause in clauses if isinstance(clause, SegmentClause)]
