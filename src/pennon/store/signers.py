"""Signers: one document per environment, published to its replicas."""

from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from pennon.control import Action, Author, Edited, Publication, SignerDocument
from pennon.control import signers as _edits
from pennon.control.merging import differences
from pennon.errors import NotFound, PreconditionFailed
from pennon.flags import SignerRecord
from pennon.store import environments, log
from pennon.store.environments import Numbered
from pennon.store.preconditions import demand_match
from pennon.store.tables import SIGNERS

_S_NS = 1_000_000_000


def listed(connection: Connection, project: str, environment: str) -> tuple[SignerDocument, ...]:
    """An environment's signers, oldest first."""
    place = environments.by_key(connection, project, environment)
    query = select(SIGNERS.c.document).where(SIGNERS.c.environment_id == place.id)
    texts = connection.execute(query.order_by(SIGNERS.c.created_s, SIGNERS.c.id)).scalars()
    return tuple(map(SignerDocument.model_validate_json, texts))


def read(connection: Connection, project: str, environment: str, signer: str) -> SignerDocument:
    """One signer."""
    return _held(connection, environments.by_key(connection, project, environment), signer)


def record_of(connection: Connection, environment_id: int, signer: str) -> SignerRecord | None:
    """A signer as it is published."""
    text = connection.execute(select(SIGNERS.c.record).where(*_where(environment_id, signer))).scalar_one_or_none()
    return None if text is None else msgspec.json.decode(text, type=SignerRecord)


def put(
    connection: Connection,
    project: str,
    environment: str,
    signer: str,
    document: object,
    *,
    if_match: int | None,
    by: Author,
    at_ns: int,
) -> Edited[SignerDocument]:
    """The signer made or changed. What changes nothing needs no if_match."""
    place = environments.by_key(connection, project, environment, is_locked=True)
    held = _found(connection, place.id, signer)
    if held is None and if_match is not None:
        msg = f"signer '{signer}' does not exist: make it without If-Match"
        raise PreconditionFailed(msg)
    made = _edits.put_signer(signer, document, held, revision=place.row.revision + 1, now_s=at_ns // _S_NS)
    if held is not None and (made is not None or if_match is not None):
        demand_match(if_match, held.revision)
    if made is None:
        return Edited(_held(connection, place, signer), ())
    columns = {"document": made.document.model_dump_json(), "record": msgspec.json.encode(made.record).decode()}
    if held is None:
        created_s = made.document.created_s
        connection.execute(insert(SIGNERS).values(environment_id=place.id, id=signer, created_s=created_s, **columns))
    else:
        connection.execute(update(SIGNERS).where(*_where(place.id, signer)).values(**columns))
    told = log.Told(
        kind=log.SIGNER,
        key=signer,
        flag_id=None,
        action=made.action,
        diff=made.diff,
        notes=(),
        publication=Publication(put_signers={signer: made.record}),
    )
    return Edited(made.document, (log.append(connection, place, told, by=by, at_ns=at_ns),))


def remove(
    connection: Connection,
    project: str,
    environment: str,
    signer: str,
    *,
    if_match: int | None,
    by: Author,
    at_ns: int,
) -> Edited[SignerDocument]:
    """What the signer was."""
    place = environments.by_key(connection, project, environment, is_locked=True)
    held = _held(connection, place, signer)
    demand_match(if_match, held.revision)
    connection.execute(delete(SIGNERS).where(*_where(place.id, signer)))
    told = log.Told(
        kind=log.SIGNER,
        key=signer,
        flag_id=None,
        action=Action.REMOVE,
        diff=differences(held.model_dump(mode="json", exclude=set(_edits.SIGNER_SERVER_MEMBERS)), {}),
        notes=(),
        publication=Publication(delete_signers=(signer,)),
    )
    return Edited(held, (log.append(connection, place, told, by=by, at_ns=at_ns),))


def _held(connection: Connection, place: Numbered, signer: str) -> SignerDocument:
    held = _found(connection, place.id, signer)
    if held is None:
        msg = f"no signer '{signer}' in environment '{place.row.environment.key}'"
        raise NotFound(msg)
    return held


def _found(connection: Connection, environment_id: int, signer: str) -> SignerDocument | None:
    text = connection.execute(select(SIGNERS.c.document).where(*_where(environment_id, signer))).scalar_one_or_none()
    return None if text is None else SignerDocument.model_validate_json(text)


def _where(environment_id: int, signer: str) -> tuple[Any, ...]:
    return SIGNERS.c.environment_id == environment_id, SIGNERS.c.id == signer
