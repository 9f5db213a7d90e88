"""Options that several commands share, spelled once."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pennon.cli.api import Api
from pennon.cli.settings import admin_target

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one document.")
environment_option = click.option(
    "--env", "-e", "environment", default="production", show_default=True, metavar="KEY", help="The environment."
)
database_option = click.option(
    "--database",
    default="sqlite:///.pennon/pennon.db",
    show_default=True,
    metavar="URL",
    help="SQLAlchemy's form; created and migrated if need be.",
)
reason_option = click.option("--reason", default="", help="Why; goes into the history.")
server_option = click.option("--server", metavar="URL", help="The control plane.")
token_option = click.option("--token", metavar="TOKEN", help="Better left to PENNON_TOKEN or the credentials file.")
project_option = click.option("--project", "-p", metavar="KEY", help="The project.")


def authoring(command: Command) -> Command:
    """Give a command the options that name a control plane, and pass it an `Api` as first argument."""

    def with_api(*args: Any, server: str | None, token: str | None, project: str | None, **options: Any) -> Any:
        return command(Api(admin_target(server, token, project)), *args, **options)

    with_api.__name__, with_api.__doc__ = command.__name__, command.__doc__
    with_api.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (server_option, token_option, project_option):
        with_api = option(with_api)
    return with_api  # type: ignore[return-value]
