"""The first start: project, environments, and tokens for the people of this machine in the credentials file."""

from pathlib import Path
from typing import Final

import structlog
from msgspec import structs

from pennon.control import Role, Store
from pennon.errors import TokenRefused
from pennon.settings import Credentials, read_credentials, write_credentials

FIRST_PROJECT: Final = "default"
FIRST_ENVIRONMENTS: Final = ("production", "staging")


def prepare(store: Store, *, server: str, path: Path) -> None:
    """At the first start project, environments and tokens; at a later one the file's address brought up to date."""
    if not store.projects():
        renew(store, server=server, path=path)
        return
    log = structlog.get_logger("pennon.server")
    held = read_credentials(path)
    if held is None:
        log.warning("credentials.missing", path=str(path), way_out="pennon serve --new-credentials makes new tokens")
    elif not _is_of(store, held):
        log.warning("credentials.of_another_database", path=str(path), way_out="pennon serve --new-credentials")
    elif held.server != server:
        write_credentials(structs.replace(held, server=server), path)


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
    write_credentials(Credentials(server=server, project=project, admin=admin.secret, sdk=sdk), path)
    structlog.get_logger("pennon.server").info("credentials.written", path=str(path), project=project)


def _is_of(store: Store, held: Credentials) -> bool:
    try:
        store.token(held.admin)
    except TokenRefused:
        return False
    return True
