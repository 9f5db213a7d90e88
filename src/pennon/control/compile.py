"""From checked documents to the records that replicas get. Equal documents give equal records."""

from collections.abc import Iterator
from typing import Any

import msgspec

from pennon.control.documents import FlagDocument, Rule, SegmentDocument, Serve, SettingsDocument, Split
from pennon.flags import (
    ClauseRecord,
    DecideAt,
    FlagRecord,
    FlagType,
    PrerequisiteRecord,
    RuleRecord,
    SegmentRecord,
    ServeRecord,
    SplitRecord,
    VariantRecord,
    member_hash,
    ranges_of,
)


def compile_flag(flag: FlagDocument, settings: SettingsDocument) -> FlagRecord:
    """The flag in one environment. Both documents have passed `checking`: it raises nothing."""
    return FlagRecord(
        key=flag.key,
        id=flag.id,
        type=FlagType(flag.type),
        variants=tuple(_variants(flag)),
        off=settings.off,
        fallthrough=_serve(settings.fallthrough, settings.off),
        unit=flag.unit,
        revision=settings.revision,
        void_before=settings.void_before,
        carry=_serves_a_split(settings) if flag.carry is None else flag.carry,
        exposes=flag.exposes,
        on=settings.on,
        killed=settings.killed,
        rules=tuple(_rule(rule, settings.off) for rule in settings.rules),
        prerequisites=tuple(PrerequisiteRecord(asked.flag, tuple(asked.variants)) for asked in settings.prerequisites),
        carry_max_age_s=flag.carry_max_age_s,
        at=DecideAt(flag.at),
        overridable=flag.overridable,
    )


def compile_segment(segment: SegmentDocument) -> SegmentRecord:
    """The segment, its members hashed. The document has passed `checking`: it raises nothing."""
    salt = segment.salt or ""
    return SegmentRecord(
        key=segment.key,
        unit=segment.unit,
        salt=salt,
        members=tuple(sorted(member_hash(salt, member) for member in segment.members)),
        rules=tuple(_clauses(rule.clauses) for rule in segment.rules),
        revision=segment.revision,
    )


def _variants(flag: FlagDocument) -> Iterator[VariantRecord]:
    for variant in flag.variants:
        # An author may write 1 for 1.0; whoever asks for a float gets one.
        value = float(variant.value) if flag.type == "float" else variant.value
        yield VariantRecord(variant.key, variant.id or 0, value)


def _serves_a_split(settings: SettingsDocument) -> bool:
    return any(serve.split for serve in (settings.fallthrough, *(rule.serve for rule in settings.rules)))


def _rule(rule: Rule, off: str) -> RuleRecord:
    return RuleRecord(rule.id, _clauses(rule.clauses), _serve(rule.serve, off))


def _clauses(clauses: list[Any]) -> tuple[ClauseRecord, ...]:
    # Authors write clauses as replicas read them; what is left to do is the shape of the record.
    return msgspec.convert([clause.model_dump() for clause in clauses], tuple[ClauseRecord, ...])


def _serve(serve: Serve, off: str) -> ServeRecord:
    return ServeRecord(serve.variant, None if serve.split is None else _split(serve.split, off))


def _split(split: Split, off: str) -> SplitRecord:
    return SplitRecord(
        algo=split.algo,
        salt=split.salt or "",
        phase=split.phase or 0,
        ranges=ranges_of([(weight.variant, weight.weight) for weight in split.weights], split.coverage),
        rest=split.rest or off,
    )
