"""Segments: one document per environment."""

from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from pennon.control import Author, Edited, Page, Publication, SegmentDocument, edits
from pennon.control.states import Draw, SegmentEdit
from pennon.errors import NotFound, PreconditionFailed
from pennon.store import cursors, environments, log
from pennon.store.preconditions import demand_match
from pennon.store.tables import SEGMENTS


def units(connection: Connection, environment_id: int) -> dict[str, str]:
    """The environment's segments: key -> unit kind."""
    query = select(SEGMENTS.c.key, SEGMENTS.c.unit).where(SEGMENTS.c.environment_id == environment_id)
    return {row.key: row.unit for row in connection.execute(query)}


def read(connection: Connection, project: str, environment: str, segment: str) -> SegmentDocument:
    """One segment."""
    found = _found(connection, environments.by_key(connection, project, environment).id, segment)
    if found is None:
        msg = f"no segment '{segment}' in environment '{environment}'"
        raise NotFound(msg)
    return found


def listed(
    connection: Connection, project: str, environment: str, *, cursor: str | None, limit: int
) -> Page[SegmentDocument]:
    """An environment's segments by key."""
    place = environments.by_key(connection, project, environment)
    query = select(SEGMENTS.c.document).where(SEGMENTS.c.environment_id == place.id)
    if cursor is not None:
        query = query.where(SEGMENTS.c.key > cursors.place_of(cursor))
    texts = connection.execute(query.order_by(SEGMENTS.c.key).limit(cursors.checked(limit) + 1)).scalars()
    found = [SegmentDocument.model_validate_json(text) for text in texts]
    return cursors.page(found, limit, lambda segment: segment.key)


def put(
    connection: Connection,
    project: str,
    environment: str,
    segment: str,
    document: object,
    *,
    if_match: int | None,
    by: Author,
    at_ns: int,
    draw: Draw,
) -> Edited[SegmentDocument]:
    """The segment made or replaced. if_match: None makes a new one."""
    place = environments.by_key(connection, project, environment, is_locked=True)
    held = _found(connection, place.id, segment)
    if held is not None:
        demand_match(if_match, held.revision)
    elif if_match is not None:
        msg = f"segment '{segment}' does not exist: make it without If-Match"
        raise PreconditionFailed(msg)
    made = edits.put_segment(segment, document, held, revision=place.row.revision + 1, draw=draw)
    if made is None:
        if held is None:
            raise AssertionError("a new segment differs from none")
        return Edited(held, ())
    columns = _columns(made)
    if held is None:
        connection.execute(insert(SEGMENTS).values(environment_id=place.id, key=segment, **columns))
    else:
        where = (SEGMENTS.c.environment_id == place.id, SEGMENTS.c.key == segment)
        connection.execute(update(SEGMENTS).where(*where).values(**columns))
    told = log.Told(
        kind=log.SEGMENT,
        key=segment,
        flag_id=None,
        action=made.action,
        diff=made.diff,
        notes=(),
        publication=Publication(put_segments={segment: made.record}),
    )
    return Edited(made.document, (log.append(connection, place, told, by=by, at_ns=at_ns),))


def _found(connection: Connection, environment_id: int, segment: str) -> SegmentDocument | None:
    where = (SEGMENTS.c.environment_id == environment_id, SEGMENTS.c.key == segment)
    text = connection.execute(select(SEGMENTS.c.document).where(*where)).scalar_one_or_none()
    return None if text is None else SegmentDocument.model_validate_json(text)


def _columns(made: SegmentEdit) -> dict[str, Any]:
    return {
        "unit": made.document.unit,
        "revision": made.document.revision,
        "document": made.document.model_dump_json(),
        "record": msgspec.json.encode(made.record).decode(),
    }
