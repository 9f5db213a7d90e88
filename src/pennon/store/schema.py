"""Bringing a database to this version's tables."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from pennon.errors import Fault, SettingInvalid

MIGRATIONS: Final = Path(__file__).with_name("migrations")


def bring_up_to_date(connection: Connection) -> None:
    """Run what migrations are missing, inside the caller's transaction.

    Raises: SettingInvalid if the database was made by a newer version.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_current_head()
    found = MigrationContext.configure(connection).get_current_revision()
    if found == newest:
        return
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        message = (
            f"database: its schema is {found!r}, this version of pennon knows up to {newest!r}; "
            "start a pennon at least as new as the one that wrote it"
        )
        raise SettingInvalid([Fault("", message)])
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
