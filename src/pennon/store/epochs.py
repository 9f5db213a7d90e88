"""A new epoch: the numbering of environments begins anew, because it may have gone back."""

import msgspec
from sqlalchemy import Connection, update

from pennon.control import Action, Author, ChangeRow, Difference, Publication
from pennon.store import environments, log
from pennon.store.environments import Numbered
from pennon.store.tables import ENVIRONMENTS

_NOTE = "a new epoch: no decision carried from before applies, and every replica takes a snapshot"


def begin(connection: Connection, project: str | None, *, by: Author, seen: int, at_ns: int) -> tuple[ChangeRow, ...]:
    """One change for each environment of the project (None: of all). See `pennon.control.Store.begin_epoch`."""
    projects = [one.key for one in environments.projects(connection)] if project is None else [project]
    places = [place for key in projects for place in environments.of_project(connection, key, is_locked=True)]
    return tuple(_begun(connection, place, by=by, seen=seen, at_ns=at_ns) for place in places)


def _begun(connection: Connection, place: Numbered, *, by: Author, seen: int, at_ns: int) -> ChangeRow:
    before = place.row.epoch
    epoch = max(before + 1, environments.epoch_at(at_ns), seen + 1)
    connection.execute(update(ENVIRONMENTS).where(ENVIRONMENTS.c.id == place.id).values(epoch=epoch))
    told = log.Told(
        kind=log.ENVIRONMENT,
        key=place.row.environment.key,
        flag_id=None,
        action=Action.NEW_EPOCH,
        diff=(Difference("/epoch", before, epoch),),
        notes=(_NOTE,),
        publication=Publication(),
    )
    numbered = msgspec.structs.replace(place, row=msgspec.structs.replace(place.row, epoch=epoch))
    return log.append(connection, numbered, told, by=by, at_ns=at_ns)
