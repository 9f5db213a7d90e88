"""Prerequisites: which published flag asks for which, and what an edit has to know of a flag's neighbours."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, insert, select

from pennon.control import FlagDocument, SettingsDocument
from pennon.control.prerequisites import Neighbour, Neighbours, connected
from pennon.flags import FlagRecord
from pennon.store.tables import FLAGS, PREREQUISITES, SETTINGS


def put(connection: Connection, environment_id: int, flag: str, record: FlagRecord | None) -> None:
    """Keep what the flag asks for; nothing while it is archived (record is None)."""
    where = (PREREQUISITES.c.environment_id == environment_id, PREREQUISITES.c.flag == flag)
    connection.execute(delete(PREREQUISITES).where(*where))
    if record is not None and record.prerequisites:
        rows = [{"environment_id": environment_id, "flag": flag, "asked": one.flag} for one in record.prerequisites]
        connection.execute(insert(PREREQUISITES), rows)


def neighbours(connection: Connection, environment_id: int, flag: str, named: Iterable[str]) -> Neighbours:
    """The flags around one in its environment. named: those that its settings ask for, or are to ask for."""
    keys = connected(flag, named, _asked(connection, environment_id))
    if not keys:
        return {}
    query = (
        select(FLAGS.c.key, FLAGS.c.document.label("flag"), SETTINGS.c.document.label("settings"))
        .join(SETTINGS, (SETTINGS.c.project == FLAGS.c.project) & (SETTINGS.c.flag == FLAGS.c.key))
        .where(SETTINGS.c.environment_id == environment_id, FLAGS.c.key.in_(keys))
    )
    return {row.key: _neighbour(row.flag, row.settings) for row in connection.execute(query)}


def _asked(connection: Connection, environment_id: int) -> Mapping[str, list[str]]:
    query = select(PREREQUISITES.c.flag, PREREQUISITES.c.asked).where(PREREQUISITES.c.environment_id == environment_id)
    asked: dict[str, list[str]] = {}
    for row in connection.execute(query):
        asked.setdefault(row.flag, []).append(row.asked)
    return asked


def _neighbour(flag_text: str, settings_text: str) -> Neighbour:
    flag, settings = FlagDocument.model_validate_json(flag_text), SettingsDocument.model_validate_json(settings_text)
    asked = {} if flag.archived else {one.flag: tuple(one.variants) for one in settings.prerequisites}
    return Neighbour(tuple(v.key for v in flag.variants), flag.archived, settings.void_before, asked)
