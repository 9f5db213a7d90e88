"""`pennon serve`: the control plane in one process."""

from pathlib import Path

import click

from pennon.cli.extras import extra
from pennon.cli.options import database_option
from pennon.settings import CREDENTIALS_PATH


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8080, show_default=True, help="0 takes a free one.")
@database_option
@click.option(
    "--credentials",
    type=click.Path(dir_okay=False, path_type=Path),
    default=CREDENTIALS_PATH,
    show_default=True,
    help="Where the first start writes an admin and the SDK tokens.",
)
@click.option("--new-credentials", is_flag=True, help="Make new tokens and write them there; the old keep working.")
def serve(host: str, port: int, database: str, credentials: Path, new_credentials: bool) -> None:
    """Run the control plane: API, streams, health and metrics. Ctrl-C or SIGTERM drains and ends it."""
    # Imported here: FastAPI and SQLAlchemy take half a second that no other command should pay.
    with extra("server"):
        from pennon.server import serve as run

    run(host=host, port=port, database=database, credentials=credentials, new_credentials=new_credentials)
