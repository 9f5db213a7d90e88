"""Overrides: registered for audit; of revoked ones the ids are published until the tokens have expired."""

from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from pennon.control import (
    Action,
    Author,
    ChangeRow,
    Difference,
    Edited,
    OverrideDocument,
    Page,
    Publication,
    Registered,
)
from pennon.control import overrides as _edits
from pennon.errors import NotFound
from pennon.flags import FlagRecord, RevocationRecord
from pennon.store import cursors, environments, log, signers
from pennon.store.environments import Numbered
from pennon.store.tables import OVERRIDES, REVOCATIONS, SETTINGS

_S_NS = 1_000_000_000


def put(
    connection: Connection,
    project: str,
    environment: str,
    override: str,
    document: object,
    *,
    by: Author,
    at_ns: int,
) -> Registered:
    """The override, registered; again with the same claims as it is."""
    place = environments.by_key(connection, project, environment, is_locked=True)
    held = _found(connection, place.id, override)
    if held is not None:
        _edits.demand_same(held, document)
        return Registered(held, is_new=False)
    flag, signer = _named(document, "flag"), _named(document, "signer")
    made = _edits.registered(
        override,
        document,
        flag=None if flag is None else _flag(connection, place.id, flag),
        signer=None if signer is None else signers.record_of(connection, place.id, signer),
        by=by,
        now_s=at_ns // _S_NS,
    )
    last = select(func.coalesce(func.max(OVERRIDES.c.number), 0)).where(OVERRIDES.c.environment_id == place.id)
    number = connection.execute(last).scalar_one() + 1
    connection.execute(
        insert(OVERRIDES).values(environment_id=place.id, id=override, number=number, document=made.model_dump_json())
    )
    return Registered(made, is_new=True)


def read(connection: Connection, project: str, environment: str, override: str) -> OverrideDocument:
    """One override."""
    return _held(connection, environments.by_key(connection, project, environment), override)


def listed(
    connection: Connection, project: str, environment: str, *, cursor: str | None, limit: int
) -> Page[OverrideDocument]:
    """Overrides, the last registered first."""
    place = environments.by_key(connection, project, environment)
    query = select(OVERRIDES.c.number, OVERRIDES.c.document).where(OVERRIDES.c.environment_id == place.id)
    if cursor is not None:
        query = query.where(OVERRIDES.c.number < cursors.number_of(cursor))
    rows = connection.execute(query.order_by(OVERRIDES.c.number.desc()).limit(cursors.checked(limit) + 1)).all()
    page = cursors.page(rows, limit, lambda row: str(row.number))
    return Page(tuple(OverrideDocument.model_validate_json(row.document) for row in page.items), page.cursor)


def revoke(
    connection: Connection, project: str, environment: str, override: str, *, by: Author, at_ns: int
) -> Edited[OverrideDocument]:
    """The override, revoked; again as it is."""
    place = environments.by_key(connection, project, environment, is_locked=True)
    held = _held(connection, place, override)
    if held.revoked_s is not None:
        return Edited(held, ())
    revoked = held.model_copy(update={"revoked_s": at_ns // _S_NS})
    where = _where(place.id, override)
    connection.execute(update(OVERRIDES).where(*where).values(document=revoked.model_dump_json()))
    return Edited(revoked, (_published(connection, place, revoked, by=by, at_ns=at_ns),))


def _published(
    connection: Connection, place: Numbered, override: OverrideDocument, *, by: Author, at_ns: int
) -> ChangeRow:
    """Tell replicas, and let them forget what is over."""
    over = _dropped(connection, place.id, at_ns // _S_NS)
    record = _edits.revocation_of(override)
    text = msgspec.json.encode(record).decode()
    connection.execute(insert(REVOCATIONS).values(environment_id=place.id, id=record.id, record=text))
    told = log.Told(
        kind=log.REVOCATION,
        key=override.id,
        flag_id=None,
        action=Action.CREATE,
        diff=(Difference("/revoked_s", None, override.revoked_s),),
        notes=(),
        publication=Publication(put_revocations={record.id: record}, delete_revocations=over),
    )
    return log.append(connection, place, told, by=by, at_ns=at_ns)


def _dropped(connection: Connection, environment_id: int, now_s: int) -> tuple[str, ...]:
    query = select(REVOCATIONS.c.record).where(REVOCATIONS.c.environment_id == environment_id)
    records = (msgspec.json.decode(text, type=RevocationRecord) for text in connection.execute(query).scalars())
    over = tuple(sorted(record.id for record in records if _edits.is_over(record, now_s)))
    where = (REVOCATIONS.c.environment_id == environment_id, REVOCATIONS.c.id.in_(over))
    connection.execute(delete(REVOCATIONS).where(*where))
    return over


def _flag(connection: Connection, environment_id: int, flag: str) -> FlagRecord | None:
    query = select(SETTINGS.c.record).where(SETTINGS.c.environment_id == environment_id, SETTINGS.c.flag == flag)
    text = connection.execute(query).scalar_one_or_none()
    return None if text is None else msgspec.json.decode(text, type=FlagRecord)


def _named(document: object, member: str) -> str | None:
    named = document.get(member) if isinstance(document, dict) else None
    return named if isinstance(named, str) else None


def _held(connection: Connection, place: Numbered, override: str) -> OverrideDocument:
    held = _found(connection, place.id, override)
    if held is None:
        msg = f"no override '{override}' is registered in environment '{place.row.environment.key}'"
        raise NotFound(msg)
    return held


def _found(connection: Connection, environment_id: int, override: str) -> OverrideDocument | None:
    query = select(OVERRIDES.c.document).where(*_where(environment_id, override))
    text = connection.execute(query).scalar_one_or_none()
    return None if text is None else OverrideDocument.model_validate_json(text)


def _where(environment_id: int, override: str) -> tuple[Any, ...]:
    return OVERRIDES.c.environment_id == environment_id, OVERRIDES.c.id == override
