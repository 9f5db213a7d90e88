"""Change rows as what a replica is sent: pure.

A kill goes out twice: as its own event, outside the numbering and ahead of everything, and within the delta of its
revision, which is what lasts.
"""

from collections.abc import Sequence
from typing import Any

from pennon.control import Action, ChangeRow
from pennon.flags import Delete, Put
from pennon.sync import Delta, Kill


def delta_of(rows: Sequence[ChangeRow]) -> Delta:
    """One delta over consecutive changes, oldest first: of what was changed twice it holds the last."""
    put: dict[str, dict[str, Any]] = {}
    delete: dict[str, tuple[str, ...]] = {}
    for kind in Put.__struct_fields__:
        # key -> record, None where it was taken away.
        records: dict[str, Any] = {}
        for row in rows:
            records |= getattr(row.publication, f"put_{kind}")
            records |= dict.fromkeys(getattr(row.publication, f"delete_{kind}"))
        put[kind] = {key: record for key, record in records.items() if record is not None}
        delete[kind] = tuple(key for key, record in records.items() if record is None)
    return Delta(
        environment=rows[0].environment_id,
        epoch=rows[0].epoch,
        from_revision=rows[0].revision - 1,
        to_revision=rows[-1].revision,
        put=Put(**put),
        delete=Delete(**delete),
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
