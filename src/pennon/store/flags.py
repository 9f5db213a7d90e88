"""Flags and their settings: read, handed to `control` to decide, written, told to the log."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from pennon.control import Action, Author, ChangeRow, Edited, FlagDocument, Page, Publication, SettingsDocument, edits
from pennon.control.phases import Run
from pennon.control.prerequisites import named_in
from pennon.control.states import Draw, FlagEdit, FlagState, Outcome, Place, SettingsState
from pennon.errors import AlreadyExists, NotFound
from pennon.store import cursors, environments, log, prerequisites, segments
from pennon.store.environments import Numbered
from pennon.store.preconditions import demand_match
from pennon.store.tables import FLAGS, SETTINGS

_NOTHING: Final = Publication()

_decode_runs = msgspec.json.Decoder(dict[str, Run]).decode
_decode_ids = msgspec.json.Decoder(frozenset[int]).decode


def create(
    connection: Connection, project: str, document: object, *, by: Author, at_ns: int, draw: Draw
) -> Edited[FlagDocument]:
    """A new flag, published in every environment. Raises: AlreadyExists."""
    places = environments.of_project(connection, project, is_locked=True)
    taken = frozenset(connection.execute(select(FLAGS.c.id).where(FLAGS.c.project == project)).scalars())
    edit = edits.create_flag(document, [_new_place(connection, place) for place in places], taken_ids=taken, draw=draw)
    key = edit.flag.document.key
    if _row_of(connection, project, key) is not None:
        msg = f"flag '{key}' exists already in project '{project}'"
        raise AlreadyExists(msg)
    connection.execute(insert(FLAGS).values(project=project, key=key, **_flag_columns(edit.flag)))
    return _published(connection, project, places, edit, by=by, at_ns=at_ns)


def read(connection: Connection, project: str, flag: str) -> FlagState:
    """One flag as it is kept."""
    row = _row_of(connection, project, flag)
    if row is None:
        environments.of_project(connection, project)
        msg = f"no flag '{flag}' in project '{project}'"
        raise NotFound(msg)
    return FlagState(FlagDocument.model_validate_json(row.document), _decode_ids(row.used_variant_ids))


def listed(
    connection: Connection, project: str, *, cursor: str | None, limit: int, archived: bool
) -> Page[FlagDocument]:
    """A project's flags by key."""
    environments.of_project(connection, project)
    query = select(FLAGS.c.document).where(FLAGS.c.project == project)
    if not archived:
        query = query.where(FLAGS.c.archived.is_(False))
    if cursor is not None:
        query = query.where(FLAGS.c.key > cursors.place_of(cursor))
    texts = connection.execute(query.order_by(FLAGS.c.key).limit(cursors.checked(limit) + 1)).scalars()
    found = [FlagDocument.model_validate_json(text) for text in texts]
    return cursors.page(found, limit, lambda flag: flag.key)


def edit(
    connection: Connection,
    project: str,
    flag: str,
    patch: object,
    *,
    if_match: int | None,
    by: Author,
    at_ns: int,
    draw: Draw,
) -> Edited[FlagDocument]:
    """The flag after a merge patch, published in every environment."""
    places = environments.of_project(connection, project, is_locked=True)
    held = read(connection, project, flag)
    demand_match(if_match, held.document.version)
    made = edits.update_flag(held, patch, [_place(connection, place, flag) for place in places], draw=draw)
    if made is None:
        return Edited(held.document, ())
    where = (FLAGS.c.project == project, FLAGS.c.key == flag)
    connection.execute(update(FLAGS).where(*where).values(**_flag_columns(made.flag)))
    return _published(connection, project, places, made, by=by, at_ns=at_ns)


def settings(connection: Connection, project: str, environment: str, flag: str) -> SettingsDocument:
    """A flag's settings in one environment."""
    place = environments.by_key(connection, project, environment)
    read(connection, project, flag)
    return _settings_state(connection, place, flag).document


def edit_settings(
    connection: Connection,
    project: str,
    environment: str,
    flag: str,
    patch: object,
    *,
    if_match: int | None,
    by: Author,
    at_ns: int,
    draw: Draw,
) -> Edited[SettingsDocument]:
    """The settings after a merge patch, published in this environment."""
    place = environments.by_key(connection, project, environment, is_locked=True)
    held = read(connection, project, flag).document
    before = _settings_state(connection, place, flag).document
    demand_match(if_match, before.revision)
    made = edits.update_settings(held, _place(connection, place, flag, patch), patch, draw=draw)
    if made is None:
        return Edited(before, ())
    change = _publish(connection, project, held, place, made, by=by, at_ns=at_ns)
    return Edited(made.state.document, (change,))


def forget_carried(
    connection: Connection, project: str, environment: str, flag: str, *, if_match: int | None, by: Author, at_ns: int
) -> Edited[SettingsDocument]:
    """The settings with a raised void floor."""
    place = environments.by_key(connection, project, environment, is_locked=True)
    held = read(connection, project, flag).document
    demand_match(if_match, _settings_state(connection, place, flag).document.revision)
    made = edits.forget_carried(held, _place(connection, place, flag))
    return Edited(made.state.document, (_publish(connection, project, held, place, made, by=by, at_ns=at_ns),))


def set_kill(
    connection: Connection, project: str, environment: str | None, flag: str, *, killed: bool, by: Author, at_ns: int
) -> tuple[ChangeRow, ...]:
    """The changes made, in environments where the flag was not so already. environment: None means all."""
    if environment is None:
        places = environments.of_project(connection, project, is_locked=True)
    else:
        places = (environments.by_key(connection, project, environment, is_locked=True),)
    held = read(connection, project, flag).document
    made = [(place, edits.set_kill(held, _place(connection, place, flag), killed=killed)) for place in places]
    return tuple(
        _publish(connection, project, held, place, outcome, by=by, at_ns=at_ns)
        for place, outcome in made
        if outcome is not None
    )


def kill_with(
    connection: Connection, place: Numbered, flag: str, beside: Publication, *, by: Author, at_ns: int
) -> ChangeRow | None:
    """A kill that publishes more than itself in its revision; None, and nothing done, if the flag is killed already.

    place: locked in this transaction. flag: not archived.
    """
    held = read(connection, place.row.project, flag).document
    made = edits.set_kill(held, _place(connection, place, flag), killed=True)
    if made is None:
        return None
    return _publish(connection, place.row.project, held, place, made, by=by, at_ns=at_ns, beside=beside)


def _published(
    connection: Connection, project: str, places: Sequence[Numbered], edit: FlagEdit, *, by: Author, at_ns: int
) -> Edited[FlagDocument]:
    document = edit.flag.document
    changes = (
        _publish(connection, project, document, place, outcome, by=by, at_ns=at_ns)
        for place, outcome in zip(places, edit.outcomes, strict=True)
    )
    return Edited(document, tuple(changes))


def _publish(
    connection: Connection,
    project: str,
    flag: FlagDocument,
    place: Numbered,
    outcome: Outcome,
    *,
    by: Author,
    at_ns: int,
    beside: Publication = _NOTHING,
) -> ChangeRow:
    """Write an environment's settings and record, and tell the log. beside: what is published with the flag."""
    columns = _settings_columns(outcome)
    where = (SETTINGS.c.environment_id == place.id, SETTINGS.c.flag == flag.key)
    if not connection.execute(update(SETTINGS).where(*where).values(**columns)).rowcount:
        connection.execute(insert(SETTINGS).values(environment_id=place.id, project=project, flag=flag.key, **columns))
    prerequisites.put(connection, place.id, flag.key, outcome.record)
    told = log.Told(
        kind=log.FLAG,
        key=flag.key,
        flag_id=flag.id,
        action=outcome.action,
        diff=outcome.diff,
        notes=outcome.notes,
        publication=_publication(flag.key, outcome, beside),
    )
    return log.append(connection, place, told, by=by, at_ns=at_ns)


def _publication(flag: str, outcome: Outcome, beside: Publication) -> Publication:
    if outcome.record is not None:
        return msgspec.structs.replace(beside, put_flags={flag: outcome.record})
    # An edit of a flag that is archived already finds nothing to take out.
    gone = (flag,) if outcome.action is Action.ARCHIVE else ()
    return msgspec.structs.replace(beside, delete_flags=gone)


def _new_place(connection: Connection, place: Numbered) -> Place:
    row = place.row
    return Place(row.environment.key, row.revision + 1, segments.units(connection, place.id), None)


def _place(connection: Connection, place: Numbered, flag: str, patch: object = None) -> Place:
    """The environment as an edit of the flag finds it. patch: of its settings, which may name other flags."""
    state = _settings_state(connection, place, flag)
    named = named_in(state.document.model_dump(mode="json")) | named_in(patch)
    return msgspec.structs.replace(
        _new_place(connection, place),
        settings=state,
        neighbours=prerequisites.neighbours(connection, place.id, flag, named),
    )


def _settings_state(connection: Connection, place: Numbered, flag: str) -> SettingsState:
    where = (SETTINGS.c.environment_id == place.id, SETTINGS.c.flag == flag)
    row = connection.execute(select(SETTINGS.c.document, SETTINGS.c.runs).where(*where)).one()
    return SettingsState(SettingsDocument.model_validate_json(row.document), _decode_runs(row.runs))


def _row_of(connection: Connection, project: str, flag: str) -> Any:
    return connection.execute(select(FLAGS).where(FLAGS.c.project == project, FLAGS.c.key == flag)).one_or_none()


def _flag_columns(flag: FlagState) -> dict[str, Any]:
    return {
        "id": flag.document.id,
        "version": flag.document.version,
        "archived": flag.document.archived,
        "document": flag.document.model_dump_json(),
        "used_variant_ids": msgspec.json.encode(sorted(flag.used_variant_ids)).decode(),
    }


def _settings_columns(outcome: Outcome) -> dict[str, Any]:
    return {
        "revision": outcome.state.document.revision,
        "document": outcome.state.document.model_dump_json(),
        "runs": msgspec.json.encode(outcome.state.runs).decode(),
        "record": None if outcome.record is None else msgspec.json.encode(outcome.record).decode(),
    }
