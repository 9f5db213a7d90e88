"""The change log: appended to by every edit, inside its transaction; read by streams, history and audit."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, Select, insert, select, update

from pennon.control import Action, Author, Change, ChangeRow, Difference, Page, Publication
from pennon.control.chain import Link, broken_links, linked
from pennon.errors import Fault
from pennon.flags import FlagRecord, ReconciledRecord, RevocationRecord, RulesetRecord, SegmentRecord, SignerRecord
from pennon.store import cursors, environments
from pennon.store.environments import Numbered
from pennon.store.tables import CHANGES, ENVIRONMENTS, RECONCILED, REVOCATIONS, SEGMENTS, SETTINGS, SIGNERS

FLAG: Final = "flag"
SEGMENT: Final = "segment"
SIGNER: Final = "signer"
REVOCATION: Final = "revocation"
RECONCILIATION: Final = "reconciled"
ENVIRONMENT: Final = "environment"

_decode_change = msgspec.json.Decoder(Change).decode
_decode_flags = msgspec.json.Decoder(list[FlagRecord]).decode
_decode_segments = msgspec.json.Decoder(list[SegmentRecord]).decode
_decode_signers = msgspec.json.Decoder(list[SignerRecord]).decode
_decode_revocations = msgspec.json.Decoder(list[RevocationRecord]).decode
_decode_reconciled = msgspec.json.Decoder(list[ReconciledRecord]).decode


class Told(msgspec.Struct, frozen=True):
    """What an edit tells the log, in one environment."""

    kind: str
    key: str
    flag_id: int | None
    action: Action
    diff: tuple[Difference, ...]
    notes: tuple[str, ...]
    publication: Publication


def append(connection: Connection, place: Numbered, told: Told, *, by: Author, at_ns: int) -> ChangeRow:
    """The change as the environment's next row; its revision is the environment's from now on.

    place: locked in this transaction.
    """
    change = Change(
        environment_id=place.id,
        epoch=place.row.epoch,
        revision=place.row.revision + 1,
        at_ns=at_ns,
        who=by.who,
        why=by.why,
        **msgspec.structs.asdict(told),
    )
    link = linked(place.head_hash, change)
    moved = connection.execute(
        update(ENVIRONMENTS)
        .where(ENVIRONMENTS.c.id == place.id, ENVIRONMENTS.c.revision == place.row.revision)
        .values(revision=link.revision, head_hash=link.hash)
    )
    if moved.rowcount != 1:
        raise AssertionError(f"environment {place.id} was numbered by somebody else under our lock")
    connection.execute(
        insert(CHANGES).values(
            environment_id=place.id,
            revision=link.revision,
            epoch=change.epoch,
            kind=change.kind,
            key=change.key,
            body=link.body.decode(),
            previous_hash=link.previous_hash,
            hash=link.hash,
        )
    )
    return _row(change, link)


def since(
    connection: Connection, environment_id: int, *, epoch: int, revision: int, limit: int
) -> tuple[ChangeRow, ...] | None:
    """The changes after a revision, oldest first; None if they do not follow from there."""
    at = environments.by_id(connection, environment_id).row
    if epoch != at.epoch or not 0 <= revision <= at.revision:
        return None
    query = select(CHANGES).where(CHANGES.c.environment_id == environment_id, CHANGES.c.revision > revision)
    rows = _rows(connection, query.order_by(CHANGES.c.revision).limit(limit))
    # The revisions of earlier epochs are in the log, too; a reader of this one has never been there.
    return None if rows and rows[0].epoch != epoch else rows


def history(
    connection: Connection, environment_id: int, kind: str, key: str, *, cursor: str | None, limit: int
) -> Page[ChangeRow]:
    """The changes of one flag or segment, newest first."""
    query = select(CHANGES).where(
        CHANGES.c.environment_id == environment_id, CHANGES.c.kind == kind, CHANGES.c.key == key
    )
    if cursor is not None:
        query = query.where(CHANGES.c.revision < cursors.number_of(cursor))
    rows = _rows(connection, query.order_by(CHANGES.c.revision.desc()).limit(cursors.checked(limit) + 1))
    return cursors.page(rows, limit, lambda row: str(row.revision))


def faults(connection: Connection, environment_id: int) -> tuple[Fault, ...]:
    """What is wrong with the environment's chain."""
    place = environments.by_id(connection, environment_id)
    query = select(CHANGES).where(CHANGES.c.environment_id == environment_id).order_by(CHANGES.c.revision)
    rows = connection.execute(query).all()
    broken = broken_links(map(_link, rows), revision=place.row.revision, head_hash=place.head_hash)
    return (*broken, *(fault for row in rows for fault in _index_faults(row)))


def snapshot(connection: Connection, environment_id: int) -> RulesetRecord:
    """The environment's ruleset: what all its changes have put, less what they have deleted."""
    at = environments.by_id(connection, environment_id).row
    flags = _decode_flags(
        _array(
            connection,
            select(SETTINGS.c.record)
            .where(SETTINGS.c.environment_id == environment_id, SETTINGS.c.record.is_not(None))
            .order_by(SETTINGS.c.flag),
        )
    )
    segments = _decode_segments(
        _array(
            connection,
            select(SEGMENTS.c.record).where(SEGMENTS.c.environment_id == environment_id).order_by(SEGMENTS.c.key),
        )
    )
    signers = select(SIGNERS.c.record).where(SIGNERS.c.environment_id == environment_id)
    revocations = select(REVOCATIONS.c.record).where(REVOCATIONS.c.environment_id == environment_id)
    reconciled = select(RECONCILED.c.record).where(RECONCILED.c.environment_id == environment_id)
    return RulesetRecord(
        environment=at.environment,
        epoch=at.epoch,
        revision=at.revision,
        flags={flag.key: flag for flag in flags},
        segments={segment.key: segment for segment in segments},
        signers={one.id: one for one in _decode_signers(_array(connection, signers.order_by(SIGNERS.c.id)))},
        revocations={
            one.id: one for one in _decode_revocations(_array(connection, revocations.order_by(REVOCATIONS.c.id)))
        },
        reconciled={
            one.id: one for one in _decode_reconciled(_array(connection, reconciled.order_by(RECONCILED.c.id)))
        },
    )


def _array(connection: Connection, query: Select[Any]) -> str:
    return f"[{','.join(connection.execute(query).scalars())}]"


def _rows(connection: Connection, query: Select[Any]) -> tuple[ChangeRow, ...]:
    return tuple(_row(_decode_change(row.body), _link(row)) for row in connection.execute(query))


def _link(row: Row[Any]) -> Link:
    # Text, unless somebody has been at it by hand.
    body = row.body.encode() if isinstance(row.body, str) else bytes(row.body or b"")
    return Link(row.revision, body, row.previous_hash, row.hash)


def _index_faults(row: Row[Any]) -> Iterator[Fault]:
    """Columns that say something else than the hashed body: queries would not find the row."""
    try:
        change = _decode_change(row.body)
    except msgspec.MsgspecError as error:
        yield Fault(f"/{row.revision}", f"the row cannot be read: {error}")
        return
    for name in ("environment_id", "epoch", "kind", "key"):
        said, indexed = getattr(change, name), getattr(row, name)
        if said != indexed:
            yield Fault(f"/{row.revision}", f"the row says {name} {said!r}, must be the indexed {indexed!r}")


def _row(change: Change, link: Link) -> ChangeRow:
    members = {name: getattr(change, name) for name in Change.__struct_fields__}
    return ChangeRow(**members, previous_hash=link.previous_hash, hash=link.hash)
