"""Projects and environments, and the numbering of each environment."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, insert, select

from pennon.context import Environment
from pennon.control import EnvironmentRow, Project
from pennon.control.chain import GENESIS
from pennon.control.reading import found
from pennon.control.states import Draw
from pennon.control.values import is_key
from pennon.errors import AlreadyExists, DocumentInvalid, Fault, NotFound
from pennon.store.tables import ENVIRONMENTS, PROJECTS

_ID_BITS: Final = 40
_SALT_BITS: Final = 64

# 2020-01-01 in minutes since 1970: where epochs are counted from, so that they fit 24 bits until 2051.
_EPOCH_START_MIN: Final = 26_297_280
_NS_PER_MIN: Final = 60_000_000_000


class Numbered(msgspec.Struct, frozen=True):
    """An environment with its numbering; locked, if it was read for an edit."""

    row: EnvironmentRow
    head_hash: str

    @property
    def id(self) -> int:
        """Its 40 bits."""
        return self.row.environment.id


def epoch_at(now_ns: int) -> int:
    """The epoch of a numbering that begins now: minutes since 2020-01-01."""
    return now_ns // _NS_PER_MIN - _EPOCH_START_MIN


def projects(connection: Connection) -> tuple[Project, ...]:
    """All projects, by key."""
    rows = connection.execute(select(PROJECTS).order_by(PROJECTS.c.key))
    return tuple(Project(row.key, row.created_ns) for row in rows)


def create_project(
    connection: Connection, key: str, environments: Sequence[str], *, now_ns: int, draw: Draw
) -> tuple[EnvironmentRow, ...]:
    """The new project's environments. Raises: AlreadyExists, DocumentInvalid."""
    if faults := tuple(_key_faults(key, environments)):
        raise DocumentInvalid(faults)
    if _has_project(connection, key):
        msg = f"project '{key}' exists already"
        raise AlreadyExists(msg)
    connection.execute(insert(PROJECTS).values(key=key, created_ns=now_ns))
    taken = set(connection.execute(select(ENVIRONMENTS.c.id)).scalars())
    for position, name in enumerate(environments):
        while (environment_id := draw(_ID_BITS)) in taken:
            pass
        taken.add(environment_id)
        connection.execute(
            insert(ENVIRONMENTS).values(
                id=environment_id,
                project=key,
                key=name,
                salt=f"{draw(_SALT_BITS):016x}",
                position=position,
                epoch=epoch_at(now_ns),
                revision=0,
                head_hash=GENESIS,
            )
        )
    return tuple(one.row for one in of_project(connection, key))


def of_project(connection: Connection, project: str, *, is_locked: bool = False) -> tuple[Numbered, ...]:
    """A project's environments in the order made. is_locked: nobody else numbers them until the transaction ends."""
    query = select(ENVIRONMENTS).where(ENVIRONMENTS.c.project == project).order_by(ENVIRONMENTS.c.position)
    rows = connection.execute(query.with_for_update() if is_locked else query)
    found_rows = tuple(_numbered(row) for row in rows)
    if not found_rows and not _has_project(connection, project):
        msg = f"no project '{project}'"
        raise NotFound(msg)
    return found_rows


def by_key(connection: Connection, project: str, environment: str, *, is_locked: bool = False) -> Numbered:
    """One environment of a project."""
    query = select(ENVIRONMENTS).where(ENVIRONMENTS.c.project == project, ENVIRONMENTS.c.key == environment)
    row = connection.execute(query.with_for_update() if is_locked else query).one_or_none()
    if row is None:
        msg = f"no environment '{environment}' in project '{project}'"
        raise NotFound(msg)
    return _numbered(row)


def by_id(connection: Connection, environment_id: int) -> Numbered:
    """One environment by its 40 bits."""
    row = connection.execute(select(ENVIRONMENTS).where(ENVIRONMENTS.c.id == environment_id)).one_or_none()
    if row is None:
        msg = f"no environment with id {environment_id}"
        raise NotFound(msg)
    return _numbered(row)


def _numbered(row: Row[Any]) -> Numbered:
    environment = Environment(row.id, row.key, row.salt)
    return Numbered(EnvironmentRow(row.project, environment, row.epoch, row.revision), row.head_hash)


def _has_project(connection: Connection, key: str) -> bool:
    return connection.execute(select(PROJECTS.c.key).where(PROJECTS.c.key == key)).one_or_none() is not None


def _key_faults(key: object, environments: Sequence[object]) -> Iterator[Fault]:
    phrase = "must be 1 to 64 of a-z 0-9 . _ -, the first a letter or digit"
    if not is_key(key):
        yield Fault("/key", f"{found(key)} found, {phrase}")
    if not environments:
        yield Fault("/environments", "none found, must be at least one")
    for i, name in enumerate(environments):
        if not is_key(name):
            yield Fault(f"/environments/{i}", f"{found(name)} found, {phrase}")
        elif name in environments[:i]:
            yield Fault(f"/environments/{i}", f"{found(name)} stands there already, must be unique")
