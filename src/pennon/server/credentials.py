"""The file that `serve` leaves for the people and demos of this machine: where the server is, and tokens for it.

The database holds hashes only; this file is the one place where the first tokens stand. Mode 0600, written whole or
not at all.
"""

import os
from pathlib import Path
from typing import Final

import msgspec
import structlog

from pennon.control import Role, Store
from pennon.errors import Fault, SettingInvalid, TokenRefused

FIRST_PROJECT: Final = "default"
FIRST_ENVIRONMENTS: Final = ("production", "staging")


class Credentials(msgspec.Struct, frozen=True):
    """server: its base URL. sdk: environment key -> SDK token."""

    server: str
    project: str
    admin: str
    sdk: dict[str, str]


def prepare(store: Store, *, server: str, path: Path) -> None:
    """At the first start project, environments and tokens; at a later one the file's address brought up to date."""
    if not store.projects():
        renew(store, server=server, path=path)
        return
    log = structlog.get_logger("pennon.server")
    held = _read(path)
    if held is None:
        log.warning("credentials.missing", path=str(path), way_out="pennon serve --new-credentials makes new tokens")
    elif not _is_of(store, held):
        log.warning("credentials.of_another_database", path=str(path), way_out="pennon serve --new-credentials")
    elif held.server != server:
        _write(path, msgspec.structs.replace(held, server=server))


def renew(store: Store, *, server: str, path: Path) -> None:
    """New tokens for the first project, written to the file; an earlier file is kept beside it as `….old`.

    Tokens made before keep working until they are revoked.
    """
    projects = [project.key for project in store.projects()]
    if not projects:
        store.create_project(FIRST_PROJECT, environments=FIRST_ENVIRONMENTS)
        projects = [FIRST_PROJECT]
    project = FIRST_PROJECT if FIRST_PROJECT in projects else projects[0]
    admin = store.create_token(name="credentials file", role=Role.ADMIN, project=project, environment=None)
    sdk = {
        row.environment.key: store.create_token(
            name="credentials file", role=Role.SDK, project=project, environment=row.environment.key
        ).secret
        for row in store.environments(project)
    }
    if path.exists():
        path.replace(path.with_name(path.name + ".old"))
    _write(path, Credentials(server=server, project=project, admin=admin.secret, sdk=sdk))
    structlog.get_logger("pennon.server").info("credentials.written", path=str(path), project=project)


def _is_of(store: Store, held: Credentials) -> bool:
    try:
        store.token(held.admin)
    except TokenRefused:
        return False
    return True


def _read(path: Path) -> Credentials | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingInvalid([Fault("", f"{path}: cannot be read as credentials: {error}")]) from error


def _write(path: Path, credentials: Credentials) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    # Born with its mode: a file that is made first and closed afterwards can be read in between.
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(credentials)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
