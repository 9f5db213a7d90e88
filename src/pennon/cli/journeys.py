"""`pennon journeys`: the page on which journeys are seen."""

import click

from pennon.cli.extras import extra
from pennon.cli.options import environment_option, project_option, server_option, token_option
from pennon.cli.settings import admin_target


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on. There is no login.")
@click.option("--port", default=4318, show_default=True, help="0 takes a free one; 4318 is where OTLP over HTTP goes.")
@click.option("--without-flags", is_flag=True, help="Only journeys: no control plane is asked.")
@environment_option
@server_option
@token_option
@project_option
def journeys(
    host: str,
    port: int,
    without_flags: bool,
    environment: str,
    server: str | None,
    token: str | None,
    project: str | None,
) -> None:
    """Receive spans over OTLP/HTTP and show them as journeys, beside the flags of one environment.

    Point any OpenTelemetry SDK at it: OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318.
    """
    # Imported here, as the server is: no other command should pay for it.
    with extra("journeys"):
        from pennon.journeys import serve as run

    target = None if without_flags else admin_target(server, token, project)
    run(
        host=host,
        port=port,
        server=target.server if target else None,
        token=target.token if target else None,
        project=target.project if target else "default",
        environment=environment,
        on_started=lambda url: click.echo(f"journeys: {url}"),
    )
