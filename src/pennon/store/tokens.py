"""Tokens: made, looked up by the hash of their secret, revoked."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, insert, select, update

from pennon.control import NewToken, Role, TokenRow
from pennon.control.reading import found
from pennon.control.states import Draw
from pennon.control.tokens import ENTROPY_BYTES, is_secret, secret_hash, secret_of
from pennon.control.values import is_text
from pennon.errors import DocumentInvalid, Fault, NotFound, TokenRefused
from pennon.store import environments
from pennon.store.tables import ENVIRONMENTS, TOKENS

_ID_BITS: Final = 64
_NAME_LIMIT_CHARACTERS: Final = 200


def create(
    connection: Connection,
    *,
    name: str,
    role: Role,
    project: str | None,
    environment: str | None,
    at_ns: int,
    draw: Draw,
) -> NewToken:
    """A new token. Raises: DocumentInvalid, NotFound."""
    if faults := tuple(_faults(name, role, project, environment)):
        raise DocumentInvalid(faults)
    environment_id = None
    if project is not None:
        environments.of_project(connection, project)
    if project is not None and environment is not None:
        environment_id = environments.by_key(connection, project, environment).id
    secret = secret_of(role, draw(8 * ENTROPY_BYTES).to_bytes(ENTROPY_BYTES))
    token_id = f"{draw(_ID_BITS):016x}"
    connection.execute(
        insert(TOKENS).values(
            id=token_id,
            name=name,
            role=role.value,
            project=project,
            environment_id=environment_id,
            secret_hash=secret_hash(secret),
            created_ns=at_ns,
            revoked_ns=None,
        )
    )
    return NewToken(TokenRow(token_id, name, role, project, environment, environment_id, at_ns, None), secret)


def by_secret(connection: Connection, secret: str) -> TokenRow:
    """Whose secret it is. Raises: TokenRefused."""
    if not is_secret(secret):
        msg = "not a token: they begin with pn_adm_ or pn_sdk_"
        raise TokenRefused(msg)
    row = connection.execute(_query().where(TOKENS.c.secret_hash == secret_hash(secret))).one_or_none()
    if row is None or row.revoked_ns is not None:
        msg = "the token is unknown or revoked"
        raise TokenRefused(msg)
    return _token(row)


def listed(connection: Connection) -> tuple[TokenRow, ...]:
    """All of them, in the order made."""
    return tuple(_token(row) for row in connection.execute(_query().order_by(TOKENS.c.created_ns, TOKENS.c.id)))


def revoke(connection: Connection, token_id: str, *, at_ns: int) -> TokenRow:
    """The token, refused from now on; revoked twice, the first time stands. Raises: NotFound."""
    where = (TOKENS.c.id == token_id, TOKENS.c.revoked_ns.is_(None))
    connection.execute(update(TOKENS).where(*where).values(revoked_ns=at_ns))
    row = connection.execute(_query().where(TOKENS.c.id == token_id)).one_or_none()
    if row is None:
        msg = f"no token '{token_id}'"
        raise NotFound(msg)
    return _token(row)


def _query() -> Select[Any]:
    joined = TOKENS.outerjoin(ENVIRONMENTS, TOKENS.c.environment_id == ENVIRONMENTS.c.id)
    return select(TOKENS, ENVIRONMENTS.c.key.label("environment")).select_from(joined)


def _token(row: Row[Any]) -> TokenRow:
    return TokenRow(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        project=row.project,
        environment=row.environment,
        environment_id=row.environment_id,
        created_ns=row.created_ns,
        revoked_ns=row.revoked_ns,
    )


def _faults(name: str, role: Role, project: str | None, environment: str | None) -> Iterator[Fault]:
    if not is_text(name, _NAME_LIMIT_CHARACTERS) or not name:
        yield Fault("/name", f"{found(name)} found, must be a text of 1 to {_NAME_LIMIT_CHARACTERS} characters")
    if role is Role.ADMIN and environment is not None:
        yield Fault("/environment", f"{found(environment)} found, must be left out: an admin token has all of them")
    if role is Role.SDK and project is None:
        yield Fault("/project", "missing, must be given: an SDK token is for one environment of one project")
    if role is Role.SDK and environment is None:
        yield Fault("/environment", "missing, must be given: an SDK token is for one environment")
