"""Exposures: each id once, counted in the transaction that stores it."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from pennon.control import Exposure, ExposureCount, ExposureReceipt
from pennon.store import environments
from pennon.store.tables import EXPOSURE_COUNTS, EXPOSURES

# 7 values a row; SQLite takes 32,766 in one statement.
_BATCH_COUNT: Final = 1_000


def add(connection: Connection, environment_id: int, exposures: Sequence[Exposure]) -> ExposureReceipt:
    """How many were new; those are stored and counted."""
    environments.by_id(connection, environment_id)
    new: set[str] = set()
    for start in range(0, len(exposures), _BATCH_COUNT):
        new |= _inserted(connection, environment_id, exposures[start : start + _BATCH_COUNT])
    # The first of an id that came twice is the one that was stored.
    first = {exposure.id: exposure for exposure in reversed(exposures)}
    treated = Counter((first[i].flag, first[i].phase, first[i].variant) for i in new)
    for (flag, phase, variant), total in sorted(treated.items()):
        row = insert(EXPOSURE_COUNTS).values(
            environment_id=environment_id, flag=flag, phase=phase, variant=variant, total=total
        )
        raised = {"total": EXPOSURE_COUNTS.c.total + row.excluded.total}
        connection.execute(row.on_conflict_do_update(index_elements=EXPOSURE_COUNTS.primary_key.columns, set_=raised))
    return ExposureReceipt(new_count=len(new), known_count=len(exposures) - len(new))


def counts(connection: Connection, environment_id: int, flag: str | None) -> tuple[ExposureCount, ...]:
    """Counts by flag, phase and variant."""
    environments.by_id(connection, environment_id)
    table = EXPOSURE_COUNTS.c
    query = select(EXPOSURE_COUNTS).where(table.environment_id == environment_id)
    if flag is not None:
        query = query.where(table.flag == flag)
    rows = connection.execute(query.order_by(table.flag, table.phase, table.variant))
    return tuple(ExposureCount(row.flag, row.phase, row.variant, row.total) for row in rows)


def _inserted(connection: Connection, environment_id: int, exposures: Sequence[Exposure]) -> set[str]:
    rows = [{"environment_id": environment_id, **msgspec.structs.asdict(exposure)} for exposure in exposures]
    added = insert(EXPOSURES).values(rows).on_conflict_do_nothing().returning(EXPOSURES.c.id)
    return set(connection.execute(added).scalars())
