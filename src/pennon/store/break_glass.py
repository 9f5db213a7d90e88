"""Break-glass kills: what servers remember of each environment, and how a kill is taken over into the numbering."""

from collections.abc import Mapping
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, insert, select

from pennon.control import Action, Author, ChangeRow, Publication
from pennon.control.break_glass import Known, is_over
from pennon.flags import ReconciledRecord, SignerRecord
from pennon.store import environments, flags, log
from pennon.store.environments import Numbered
from pennon.store.tables import ENVIRONMENTS, FLAGS, RECONCILED, SIGNERS
from pennon.sync import BreakGlass

_S_NS: Final = 1_000_000_000


def positions(connection: Connection) -> Mapping[int, tuple[int, int]]:
    """Where the numbering of every environment stands."""
    rows = connection.execute(select(ENVIRONMENTS.c.id, ENVIRONMENTS.c.epoch, ENVIRONMENTS.c.revision))
    return {row.id: (row.epoch, row.revision) for row in rows}


def known(connection: Connection, environment_id: int) -> Known:
    """What a server remembers of an environment."""
    row = environments.by_id(connection, environment_id).row
    signers = connection.execute(select(SIGNERS.c.record).where(SIGNERS.c.environment_id == environment_id)).scalars()
    read = (msgspec.json.decode(text, type=SignerRecord) for text in signers)
    published = select(FLAGS.c.key, FLAGS.c.id).where(FLAGS.c.project == row.project, FLAGS.c.archived.is_(False))
    return Known(
        project=row.project,
        environment=row.environment,
        position=(row.epoch, row.revision),
        signers={signer.id: signer for signer in read},
        flags={flag.key: flag.id for flag in connection.execute(published)},
        reconciled=frozenset(record.id for record in reconciled(connection, environment_id)),
    )


def reconciled(connection: Connection, environment_id: int) -> tuple[ReconciledRecord, ...]:
    """The kills that the environment's numbering holds."""
    query = select(RECONCILED.c.record).where(RECONCILED.c.environment_id == environment_id)
    return tuple(msgspec.json.decode(text, type=ReconciledRecord) for text in connection.execute(query).scalars())


def reconcile(connection: Connection, kill: BreakGlass, *, by: Author, at_ns: int) -> tuple[ChangeRow, ...]:
    """The one change that takes the kill over; none if that is done, or its time is over."""
    row = environments.by_id(connection, kill.environment).row
    place = environments.by_key(connection, row.project, row.environment.key, is_locked=True)
    held, now_s = reconciled(connection, place.id), at_ns // _S_NS
    if kill.until_s <= now_s or any(record.id == kill.id for record in held):
        return ()
    publication = _held_from_now(connection, place, ReconciledRecord(kill.id, kill.until_s), held, now_s)
    flag = _key_of(connection, place, kill.flag)
    change = None if flag is None else flags.kill_with(connection, place, flag, publication, by=by, at_ns=at_ns)
    return (change or _told(connection, place, kill.id, publication, by=by, at_ns=at_ns),)


def publish(connection: Connection, place: Numbered, record: ReconciledRecord, *, by: Author, at_ns: int) -> ChangeRow:
    """The change that says of a kill that the numbering holds it, whatever becomes of its flag."""
    held = reconciled(connection, place.id)
    publication = _held_from_now(connection, place, record, held, at_ns // _S_NS)
    return _told(connection, place, record.id, publication, by=by, at_ns=at_ns)


def _held_from_now(
    connection: Connection, place: Numbered, record: ReconciledRecord, held: tuple[ReconciledRecord, ...], now_s: int
) -> Publication:
    """Keep the record, forget those that are over; what is to be published of it."""
    over = tuple(sorted(one.id for one in held if is_over(one, now_s)))
    where = (RECONCILED.c.environment_id == place.id, RECONCILED.c.id.in_(over))
    connection.execute(delete(RECONCILED).where(*where))
    text = msgspec.json.encode(record).decode()
    connection.execute(insert(RECONCILED).values(environment_id=place.id, id=record.id, record=text))
    return Publication(put_reconciled={record.id: record}, delete_reconciled=over)


def _told(
    connection: Connection, place: Numbered, key: str, publication: Publication, *, by: Author, at_ns: int
) -> ChangeRow:
    told = log.Told(
        kind=log.RECONCILIATION,
        key=key,
        flag_id=None,
        action=Action.CREATE,
        diff=(),
        notes=(),
        publication=publication,
    )
    return log.append(connection, place, told, by=by, at_ns=at_ns)


def _key_of(connection: Connection, place: Numbered, flag_id: int) -> str | None:
    """The flag's key; None if there is none of this id, or it is archived: nobody is served by it."""
    where = (FLAGS.c.project == place.row.project, FLAGS.c.id == flag_id, FLAGS.c.archived.is_(False))
    return connection.execute(select(FLAGS.c.key).where(*where)).scalar_one_or_none()
