"""All flags of one environment at one revision, each compiled when it is first asked for."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import TypeVar

from pennon.context import Environment
from pennon.flags.changes import Delete, Put
from pennon.flags.clauses import Unusable
from pennon.flags.flag import NO_NEEDS, Flag, Needs
from pennon.flags.prerequisites import needed_by, prerequisite_fault
from pennon.flags.records import DecideAt, FlagRecord, RulesetRecord
from pennon.flags.segments import Segment, compiled_segment

_Record = TypeVar("_Record")


class Ruleset:
    """Immutable to its users: a change makes another one, which shares what did not change.

    records, segments: by key. signers, revocations, reconciled: by id. kills: flag id -> revision of the open kill that
        lies over it.
    compiled: flags by key, those asked for so far; the hot path looks here before it calls `flag`. Threads may fill it
        at once: they build equal flags, and `dict.setdefault` keeps one. compiled_segments: likewise.
    """

    __slots__ = (
        "_by_id",
        "_published",
        "compiled",
        "compiled_segments",
        "environment",
        "epoch",
        "kills",
        "reconciled",
        "records",
        "revision",
        "revocations",
        "segments",
        "signers",
    )

    def __init__(self, position: tuple[Environment, int, int], content: Put, kills: Mapping[int, int]) -> None:
        """position: environment, epoch, revision. Callers take `of`, `patched` or `with_kills` instead."""
        self.environment, self.epoch, self.revision = position
        self.records, self.segments, self.kills = content.flags, content.segments, kills
        self.signers, self.revocations, self.reconciled = content.signers, content.revocations, content.reconciled
        self.compiled: dict[str, Flag] = {}
        self.compiled_segments: dict[str, Segment] = {}
        self._by_id: dict[int, str] | None = None
        self._published: tuple[str, ...] | None = None

    @classmethod
    def of(cls, record: RulesetRecord) -> "Ruleset":
        """The ruleset of a snapshot, without kills over it."""
        position = (record.environment, record.epoch, record.revision)
        content = Put(
            MappingProxyType(record.flags),
            MappingProxyType(record.segments),
            MappingProxyType(record.signers),
            MappingProxyType(record.revocations),
            MappingProxyType(record.reconciled),
        )
        return cls(position, content, MappingProxyType({}))

    @property
    def published(self) -> tuple[str, ...]:
        """Keys of the flags that whoever writes a record decides, if nobody has yet."""
        if self._published is None:
            self._published = tuple(key for key, record in self.records.items() if record.at is DecideAt.PUBLISH)
        return self._published

    def flag(self, key: str) -> Flag | None:
        """The flag of this key, compiled; None if there is none."""
        flag = self.compiled.get(key)
        if flag is not None:
            return flag
        record = self.records.get(key)
        if record is None:
            return None
        needs = self._needs(record) if record.prerequisites else NO_NEEDS
        flag = Flag(record, self.environment, self.epoch, self.kills.get(record.id, 0), self._segment, needs)
        return self.compiled.setdefault(key, flag)

    def flag_by_id(self, flag_id: int) -> Flag | None:
        """The flag of this id; None if there is none."""
        if self._by_id is None:
            self._by_id = {record.id: record.key for record in self.records.values()}
        key = self._by_id.get(flag_id)
        return None if key is None else self.flag(key)

    def with_kills(self, kills: Mapping[int, int]) -> "Ruleset":
        """This ruleset with exactly these open kills (flag id -> revision >= 1) over it, whatever lay over it before.

        A flag with a kill over it serves its off variant to everyone, and its floor and its answers' revision are at
        least the kill's. One that its own record says is killed stays killed under any overlay. Which kills are still
        open is the caller's to know; ids that no flag has yet are kept.
        """
        content = Put(self.records, self.segments, self.signers, self.revocations, self.reconciled)
        changed = Ruleset((self.environment, self.epoch, self.revision), content, MappingProxyType(dict(kills)))
        changed._keep(self, frozenset(), frozenset())
        return changed

    def patched(self, to_revision: int, put: Put, delete: Delete) -> "Ruleset":
        """This ruleset at a later revision; deletes of what is put win. The kills over it stay."""
        content = Put(
            _merged(self.records, put.flags, delete.flags),
            _merged(self.segments, put.segments, delete.segments),
            _merged(self.signers, put.signers, delete.signers),
            _merged(self.revocations, put.revocations, delete.revocations),
            _merged(self.reconciled, put.reconciled, delete.reconciled),
        )
        changed = Ruleset((self.environment, self.epoch, to_revision), content, self.kills)
        changed._keep(self, put.flags.keys() | delete.flags, put.segments.keys() | delete.segments)
        return changed

    def _keep(self, earlier: "Ruleset", flags: AbstractSet[str], segments: AbstractSet[str]) -> None:
        """Take over what the earlier one has compiled, but for these flags and what needs or asks what changed."""
        old, new = earlier.kills, self.kills
        killed = {flag_id for flag_id in old.keys() | new.keys() if old.get(flag_id) != new.get(flag_id)}
        # dict() copies in one step, so that a reader who fills the cache meanwhile does no harm.
        self.compiled_segments = {
            key: part for key, part in dict(earlier.compiled_segments).items() if key not in segments
        }
        self.compiled = {
            key: flag
            for key, flag in dict(earlier.compiled).items()
            if key not in flags
            and flags.isdisjoint(flag.prerequisites)
            and segments.isdisjoint(flag.segments)
            and killed.isdisjoint(flag.ids)
        }

    def _needs(self, record: FlagRecord) -> Needs:
        keys = needed_by(record, self.records)
        fault = prerequisite_fault(record, keys, self.records)
        records = [needed for key in keys if (needed := self.records.get(key)) is not None]
        # What each needs has been compiled before it, so that this calls itself once at most. A circle has no such
        # order, and none of its flags gets here.
        flags = () if fault else tuple(flag for key in keys if (flag := self.flag(key)) is not None)
        return Needs(
            tuple(key for key in keys if key != record.key),
            flags,
            frozenset(needed.id for needed in records),
            max((max(needed.void_before, self.kills.get(needed.id, 0)) for needed in records), default=0),
            fault,
        )

    def _segment(self, key: str) -> Segment:
        segment = self.compiled_segments.get(key)
        if segment is not None:
            return segment
        record = self.segments.get(key)
        if record is None:
            msg = f"segment {key!r} does not exist"
            raise Unusable(msg)
        return self.compiled_segments.setdefault(key, compiled_segment(record))


def _merged(old: Mapping[str, _Record], put: Mapping[str, _Record], gone: Collection[str]) -> Mapping[str, _Record]:
    if not put and not gone:
        return old
    merged = {**old, **put}
    for key in gone:
        merged.pop(key, None)
    return MappingProxyType(merged)
