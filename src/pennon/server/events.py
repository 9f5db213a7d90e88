"""Change rows as what a replica is sent: pure.

A kill goes out twice: as its own event, outside the numbering and ahead of everything, and within the delta of its
revision, which is what lasts.
"""

from collections.abc import Sequence

from pennon.control import Action, ChangeRow
from pennon.flags import FlagRecord, SegmentRecord
from pennon.sync import Delete, Delta, Kill, Put


def delta_of(rows: Sequence[ChangeRow]) -> Delta:
    """One delta over consecutive changes, oldest first: of what was changed twice it holds the last."""
    flags: dict[str, FlagRecord | None] = {}
    segments: dict[str, SegmentRecord | None] = {}
    for row in rows:
        flags |= row.publication.put_flags
        flags |= dict.fromkeys(row.publication.delete_flags)
        segments |= row.publication.put_segments
        segments |= dict.fromkeys(row.publication.delete_segments)
    return Delta(
        environment=rows[0].environment_id,
        epoch=rows[0].epoch,
        from_revision=rows[0].revision - 1,
        to_revision=rows[-1].revision,
        put=Put(
            {key: flag for key, flag in flags.items() if flag is not None},
            {key: segment for key, segment in segments.items() if segment is not None},
        ),
        delete=Delete(
            tuple(key for key, flag in flags.items() if flag is None),
            tuple(key for key, segment in segments.items() if segment is None),
        ),
    )


def kills_of(rows: Sequence[ChangeRow]) -> tuple[Kill, ...]:
    """The kills in these changes, oldest first, without those that a later one of them takes back."""
    kills: dict[int, Kill] = {}
    for row in rows:
        if row.flag_id is None:
            continue
        if row.action is Action.KILL:
            kills[row.flag_id] = Kill(row.environment_id, row.epoch, row.flag_id, row.revision)
        elif row.action is Action.UNKILL:
            kills.pop(row.flag_id, None)
    return tuple(kills.values())
