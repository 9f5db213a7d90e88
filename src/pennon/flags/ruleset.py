"""All flags of one environment at one revision, each compiled when it is first asked for."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from pennon.context import Environment
from pennon.flags.clauses import Unusable
from pennon.flags.flag import Flag
from pennon.flags.records import FlagRecord, RulesetRecord, SegmentRecord
from pennon.flags.segments import Segment, compiled_segment

_Record = TypeVar("_Record", FlagRecord, SegmentRecord)


class Ruleset:
    """Immutable to its users: a change makes another one, which shares what did not change.

    records, segments: by key. kills: flag id -> revision of the open kill that lies over it.
    compiled: flags by key, those asked for so far; the hot path looks here before it calls `flag`. Threads may fill it
        at once: they build equal flags, and `dict.setdefault` keeps one. compiled_segments: likewise.
    """

    __slots__ = (
        "_by_id",
        "compiled",
        "compiled_segments",
        "environment",
        "epoch",
        "kills",
        "records",
        "revision",
        "segments",
    )

    def __init__(
        self,
        position: tuple[Environment, int, int],
        records: Mapping[str, FlagRecord],
        segments: Mapping[str, SegmentRecord],
        kills: Mapping[int, int],
    ) -> None:
        """position: environment, epoch, revision. Callers take `of`, `patched` or `with_kills` instead."""
        self.environment, self.epoch, self.revision = position
        self.records, self.segments, self.kills = records, segments, kills
        self.compiled: dict[str, Flag] = {}
        self.compiled_segments: dict[str, Segment] = {}
        self._by_id: dict[int, str] | None = None

    @classmethod
    def of(cls, record: RulesetRecord) -> "Ruleset":
        """The ruleset of a snapshot, without kills over it."""
        position = (record.environment, record.epoch, record.revision)
        return cls(position, MappingProxyType(record.flags), MappingProxyType(record.segments), MappingProxyType({}))

    def flag(self, key: str) -> Flag | None:
        """The flag of this key, compiled; None if there is none."""
        flag = self.compiled.get(key)
        if flag is not None:
            return flag
        record = self.records.get(key)
        if record is None:
            return None
        flag = Flag(record, self.environment, self.epoch, self.kills.get(record.id, 0), self._segment)
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
        changed = Ruleset(
            (self.environment, self.epoch, self.revision), self.records, self.segments, MappingProxyType(dict(kills))
        )
        changed._keep(self, frozenset(), frozenset())
        return changed

    def patched(
        self,
        to_revision: int,
        put_flags: Mapping[str, FlagRecord],
        put_segments: Mapping[str, SegmentRecord],
        delete_flags: Iterable[str],
        delete_segments: Iterable[str],
    ) -> "Ruleset":
        """This ruleset at a later revision; deletes of what is put win. The kills over it stay."""
        gone_flags, gone_segments = frozenset(delete_flags), frozenset(delete_segments)
        changed = Ruleset(
            (self.environment, self.epoch, to_revision),
            _merged(self.records, put_flags, gone_flags),
            _merged(self.segments, put_segments, gone_segments),
            self.kills,
        )
        changed._keep(self, gone_flags | put_flags.keys(), gone_segments | put_segments.keys())
        return changed

    def _keep(self, earlier: "Ruleset", flags: frozenset[str], segments: frozenset[str]) -> None:
        """Take over what the earlier one has compiled, but for these flags and what asks these segments."""
        # dict() copies in one step, so that a reader who fills the cache meanwhile does no harm.
        self.compiled_segments = {
            key: part for key, part in dict(earlier.compiled_segments).items() if key not in segments
        }
        self.compiled = {
            key: flag
            for key, flag in dict(earlier.compiled).items()
            if key not in flags
            and flag.segments.isdisjoint(segments)
            and self.kills.get(flag.id) == earlier.kills.get(flag.id)
        }

    def _segment(self, key: str) -> Segment:
        segment = self.compiled_segments.get(key)
        if segment is not None:
            return segment
        record = self.segments.get(key)
        if record is None:
            msg = f"segment {key!r} does not exist"
            raise Unusable(msg)
        return self.compiled_segments.setdefault(key, compiled_segment(record))


def _merged(old: Mapping[str, _Record], put: Mapping[str, _Record], gone: frozenset[str]) -> Mapping[str, _Record]:
    merged = {**old, **put}
    for key in gone:
        merged.pop(key, None)
    return MappingProxyType(merged)
