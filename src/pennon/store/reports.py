"""Reports of SDKs: each once, added up in the transaction that notes it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, func, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from pennon.carry import Divergence, OverrideUse
from pennon.control import DivergenceTotal, OverrideUses, Page, Report
from pennon.store import cursors, environments
from pennon.store.tables import DIVERGENCE, OVERRIDE_USES, REPORTS

# 8 values a row; SQLite takes 32,766 in one statement.
_BATCH_COUNT: Final = 1_000

_HOUR_MS: Final = 3_600_000
_MS_NS: Final = 1_000_000

# A client gives a report up after minutes; what comes again later than this counts again.
_REMEMBERED_NS: Final = 7 * 24 * 3_600 * 1_000_000_000


def add(connection: Connection, environment_id: int, report: Report, *, at_ns: int) -> bool:
    """Whether it was new; then all of it has been added."""
    environments.by_id(connection, environment_id)
    noted = insert(REPORTS).values(environment_id=environment_id, id=report.id, at_ns=at_ns)
    if not connection.execute(noted.on_conflict_do_nothing()).rowcount:
        return False
    connection.execute(delete(REPORTS).where(REPORTS.c.at_ns < at_ns - _REMEMBERED_NS))
    _add_uses(connection, environment_id, report)
    _add_divergence(connection, environment_id, report, hour=at_ns // _MS_NS // _HOUR_MS)
    return True


def uses(
    connection: Connection, project: str, environment: str, *, override: str | None, cursor: str | None, limit: int
) -> Page[OverrideUses]:
    """Uses by token, flag, variant and service."""
    place, table = environments.by_key(connection, project, environment), OVERRIDE_USES.c
    key = (table.id, table.flag, table.variant, table.service)
    query = select(OVERRIDE_USES).where(table.environment_id == place.id)
    if override is not None:
        query = query.where(table.id == override)
    if cursor is not None:
        query = query.where(tuple_(*key) > tuple_(*cursors.parts_of(cursor, len(key))))
    rows = connection.execute(query.order_by(*key).limit(cursors.checked(limit) + 1))
    found = [
        OverrideUses(
            row.id, row.flag, row.variant, row.total, first_ms=row.first_ms, last_ms=row.last_ms, service=row.service
        )
        for row in rows
    ]
    return cursors.page(found, limit, lambda use: cursors.place_in(use.id, use.flag, use.variant, use.service))


def divergence(connection: Connection, project: str, environment: str, *, since_ms: int) -> tuple[DivergenceTotal, ...]:
    """Totals by service, flag and cause."""
    place, table = environments.by_key(connection, project, environment), DIVERGENCE.c
    query = (
        select(table.service, table.flag, table.cause, func.sum(table.total).label("total"))
        .where(table.environment_id == place.id, table.hour >= since_ms // _HOUR_MS)
        .group_by(table.service, table.flag, table.cause)
        .order_by(table.service, table.flag, table.cause)
    )
    return tuple(
        DivergenceTotal(row.flag, Divergence(row.cause), int(row.total), service=row.service)
        for row in connection.execute(query)
    )


def _add_uses(connection: Connection, environment_id: int, report: Report) -> None:
    rows = [
        {
            "environment_id": environment_id,
            "service": report.service,
            "id": use.id,
            "flag": use.flag,
            "variant": use.variant,
            "total": use.count,
            "first_ms": use.first_ms,
            "last_ms": use.last_ms,
        }
        for use in _united(report.overrides)
    ]
    for batch in _batches(rows):
        new = insert(OVERRIDE_USES).values(batch)
        table, sent = OVERRIDE_USES.c, new.excluded
        raised = {
            "total": table.total + sent.total,
            "first_ms": func.min(table.first_ms, sent.first_ms),
            "last_ms": func.max(table.last_ms, sent.last_ms),
        }
        connection.execute(new.on_conflict_do_update(index_elements=_key(OVERRIDE_USES), set_=raised))


def _add_divergence(connection: Connection, environment_id: int, report: Report, *, hour: int) -> None:
    totals: Counter[tuple[str, Divergence]] = Counter()
    for item in report.divergence:
        totals[item.flag, item.cause] += item.count
    rows = [
        {
            "environment_id": environment_id,
            "hour": hour,
            "service": report.service,
            "flag": flag,
            "cause": cause.value,
            "total": total,
        }
        for (flag, cause), total in totals.items()
    ]
    for batch in _batches(rows):
        new = insert(DIVERGENCE).values(batch)
        raised = {"total": DIVERGENCE.c.total + new.excluded.total}
        connection.execute(new.on_conflict_do_update(index_elements=_key(DIVERGENCE), set_=raised))


def _united(uses: Iterable[OverrideUse]) -> Iterable[OverrideUse]:
    """One for each token, flag and variant: a statement may touch a row once."""
    united: dict[tuple[str, str, str], OverrideUse] = {}
    for use in uses:
        place = (use.id, use.flag, use.variant)
        held = united.get(place)
        united[place] = use if held is None else _sum(held, use)
    return united.values()


def _sum(one: OverrideUse, other: OverrideUse) -> OverrideUse:
    first_ms, last_ms = min(one.first_ms, other.first_ms), max(one.last_ms, other.last_ms)
    return OverrideUse(one.id, one.flag, one.variant, one.count + other.count, first_ms, last_ms)


def _batches(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH_COUNT)):
        yield batch


def _key(table: Table) -> Any:
    return table.primary_key.columns
