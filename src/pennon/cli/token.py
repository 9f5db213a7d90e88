"""`pennon token`: keys to the control plane."""

import click

from pennon.cli import printing
from pennon.cli.api import Api
from pennon.cli.options import authoring, json_option


@click.group(no_args_is_help=True)
def token() -> None:
    """Tokens of a project."""


@token.command()
@click.option("--role", type=click.Choice(["admin", "sdk"]), default="sdk", show_default=True, help="What it may do.")
@click.option("--env", "-e", "environment", metavar="KEY", help="The environment of an SDK token.")
@click.option("--name", default="", help="What it is for, e.g. the service's name.")
@json_option
@authoring
def create(api: Api, role: str, environment: str | None, name: str, as_json: bool) -> None:
    """Make a token and print it, once: the server keeps only its hash."""
    if (role == "sdk") != (environment is not None):
        raise click.UsageError("an sdk token needs --env, an admin token takes none")
    created = api.create_token(role=role, environment=environment, name=name).document
    if as_json:
        printing.json_document(created)
    else:
        click.echo(created["token"])
