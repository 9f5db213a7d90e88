"""What a restore must not undo: kills, whatever was taken away from somebody who had it, and numbers that were given.

Kept is what the replaced database says of environments, flags, tokens and signers that the backup knows, too.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from pennon.control import Action, Author, Publication
from pennon.control.phases import Run, Runs, with_lost
from pennon.flags import ReconciledRecord, RevocationRecord
from pennon.store import break_glass, environments, flags, log, overrides, signers
from pennon.store.environments import Numbered
from pennon.store.tables import ENVIRONMENTS, FLAGS, OVERRIDES, REVOCATIONS, SETTINGS, SIGNERS, TOKENS


class KeptKill(msgspec.Struct, frozen=True):
    """A flag that was killed in the replaced database and not in the backup; it is killed again."""

    project: str
    environment: str
    flag: str


class Kept(msgspec.Struct, frozen=True):
    """What was kept, and how many tokens of the replaced database the backup does not know."""

    kills: tuple[KeptKill, ...]
    revoked_token_count: int
    revoked_override_count: int
    removed_signer_count: int
    forgotten_token_count: int


class Held(msgspec.Struct, frozen=True):
    """What the database that is to be replaced says.

    epoch: the latest of all environments; 0 without any. killed: environment id, flag. tokens: id -> revoked_ns.
    revocations, reconciled: environment id, record. signers: environment id -> ids. runs: by environment id and flag.
    """

    epoch: int
    killed: tuple[tuple[int, str], ...]
    tokens: Mapping[str, int | None]
    revocations: tuple[tuple[int, RevocationRecord], ...]
    reconciled: tuple[tuple[int, ReconciledRecord], ...]
    signers: Mapping[int, frozenset[str]]
    runs: Mapping[tuple[int, str], Runs]


class _Kill(msgspec.Struct):
    killed: bool


_decode_kill = msgspec.json.Decoder(_Kill).decode
_decode_runs = msgspec.json.Decoder(dict[str, Run]).decode
_decode_revocation = msgspec.json.Decoder(RevocationRecord).decode


def held(connection: Connection) -> Held:
    """What is held now."""
    columns = (SETTINGS.c.environment_id, SETTINGS.c.flag, SETTINGS.c.document, SETTINGS.c.runs)
    settings = connection.execute(select(*columns)).all()
    tokens = connection.execute(select(TOKENS.c.id, TOKENS.c.revoked_ns))
    revocations = connection.execute(select(REVOCATIONS.c.environment_id, REVOCATIONS.c.record))
    believed: dict[int, set[str]] = {row.id: set() for row in connection.execute(select(ENVIRONMENTS.c.id))}
    for row in connection.execute(select(SIGNERS.c.environment_id, SIGNERS.c.id)):
        believed[row.environment_id].add(row.id)
    return Held(
        epoch=connection.execute(select(func.coalesce(func.max(ENVIRONMENTS.c.epoch), 0))).scalar_one(),
        killed=tuple((row.environment_id, row.flag) for row in settings if _decode_kill(row.document).killed),
        tokens={row.id: row.revoked_ns for row in tokens},
        revocations=tuple((row.environment_id, _decode_revocation(row.record)) for row in revocations),
        reconciled=tuple((place, record) for place in believed for record in break_glass.reconciled(connection, place)),
        signers={environment_id: frozenset(ids) for environment_id, ids in believed.items()},
        runs={(row.environment_id, row.flag): _decode_runs(row.runs) for row in settings},
    )


def keep(connection: Connection, was: Held, *, keeps_kills: bool, by: Author, at_ns: int) -> Kept:
    """Do again in the restored database what must not be undone, each as an edit of its own."""
    kills = was.killed if keeps_kills else ()
    killed = (_kill(connection, environment_id, flag, by=by, at_ns=at_ns) for environment_id, flag in kills)
    now = held(connection)
    _keep_phase_numbers(connection, was, now)
    _keep_reconciled(connection, was, now, by=by, at_ns=at_ns)
    return Kept(
        kills=tuple(kill for kill in killed if kill is not None),
        revoked_token_count=_revoke_tokens(connection, was, now),
        revoked_override_count=sum(
            _revoke_override(connection, environment_id, record, by=by, at_ns=at_ns)
            for environment_id, record in was.revocations
            if environment_id in now.signers and (environment_id, record) not in now.revocations
        ),
        removed_signer_count=sum(
            _remove_signer(connection, environment_id, signer, by=by, at_ns=at_ns)
            for environment_id, ids in now.signers.items()
            for signer in sorted(ids - was.signers.get(environment_id, ids))
        ),
        forgotten_token_count=len(was.tokens.keys() - now.tokens.keys()),
    )


def _kill(connection: Connection, environment_id: int, flag: str, *, by: Author, at_ns: int) -> KeptKill | None:
    query = select(ENVIRONMENTS.c.project, ENVIRONMENTS.c.key).join(FLAGS, FLAGS.c.project == ENVIRONMENTS.c.project)
    row = connection.execute(query.where(ENVIRONMENTS.c.id == environment_id, FLAGS.c.key == flag)).one_or_none()
    if row is None:
        return None
    changes = flags.set_kill(connection, row.project, row.key, flag, killed=True, by=by, at_ns=at_ns)
    return KeptKill(row.project, row.key, flag) if changes else None


def _revoke_tokens(connection: Connection, was: Held, now: Held) -> int:
    revoked = {key: at_ns for key, at_ns in was.tokens.items() if at_ns is not None}
    again = [key for key, at_ns in now.tokens.items() if at_ns is None and key in revoked]
    for key in again:
        connection.execute(update(TOKENS).where(TOKENS.c.id == key).values(revoked_ns=revoked[key]))
    return len(again)


def _revoke_override(
    connection: Connection, environment_id: int, record: RevocationRecord, *, by: Author, at_ns: int
) -> int:
    place = environments.by_id(connection, environment_id)
    if connection.execute(select(OVERRIDES.c.id).where(*_is(OVERRIDES, environment_id, record.id))).first():
        overrides.revoke(connection, place.row.project, place.row.environment.key, record.id, by=by, at_ns=at_ns)
    else:
        _publish_revocation(connection, place, record, by=by, at_ns=at_ns)
    return 1


def _publish_revocation(
    connection: Connection, place: Numbered, record: RevocationRecord, *, by: Author, at_ns: int
) -> None:
    """Of an override that was registered after the backup: nothing but its revocation is known here."""
    text = msgspec.json.encode(record).decode()
    connection.execute(insert(REVOCATIONS).values(environment_id=place.id, id=record.id, record=text))
    told = log.Told(
        kind=log.REVOCATION,
        key=record.id,
        flag_id=None,
        action=Action.CREATE,
        diff=(),
        notes=(),
        publication=Publication(put_revocations={record.id: record}),
    )
    log.append(connection, place, told, by=by, at_ns=at_ns)


def _keep_reconciled(connection: Connection, was: Held, now: Held, *, by: Author, at_ns: int) -> None:
    """What the numbering held once must not kill again; whether its flag stays killed is not told here."""
    for environment_id, record in was.reconciled:
        if environment_id in now.signers and (environment_id, record) not in now.reconciled:
            place = environments.by_id(connection, environment_id)
            break_glass.publish(connection, place, record, by=by, at_ns=at_ns)


def _keep_phase_numbers(connection: Connection, was: Held, now: Held) -> None:
    for (environment_id, flag), runs in now.runs.items():
        lost = max(was.runs.get((environment_id, flag), {}).values(), key=lambda run: run.phase, default=None)
        kept = None if lost is None else with_lost(runs, lost)
        if kept is not None:
            where = (SETTINGS.c.environment_id == environment_id, SETTINGS.c.flag == flag)
            connection.execute(update(SETTINGS).where(*where).values(runs=msgspec.json.encode(kept).decode()))


def _remove_signer(connection: Connection, environment_id: int, signer: str, *, by: Author, at_ns: int) -> int:
    row = environments.by_id(connection, environment_id).row
    version = signers.read(connection, row.project, row.environment.key, signer).revision
    signers.remove(connection, row.project, row.environment.key, signer, if_match=version, by=by, at_ns=at_ns)
    return 1


def _is(table: Any, environment_id: int, key: str) -> tuple[Any, ...]:
    return table.c.environment_id == environment_id, table.c.id == key
