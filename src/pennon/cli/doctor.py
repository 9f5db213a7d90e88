"""`pennon doctor`: what is wrong with a service's surroundings, found by trying."""

import sys
from collections.abc import Sequence
from typing import Final

import click
from rich.console import Console

from pennon.cli import printing
from pennon.cli.loading import contract_of, object_of
from pennon.cli.options import json_option
from pennon.headers import Contract, Downstream

# What is printed into a file or a pipe has no terminal's width.
_WIDTH_CHARS: Final = 80


@click.group(no_args_is_help=True)
def doctor() -> None:
    """Find what is wrong by trying it."""


@doctor.command()
@click.argument("file", required=False)
@click.option("--app", metavar="MODULE:APP", help="Your ASGI or WSGI application: does its door stand outermost?")
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="MODULE:CLIENT",
    help="A client of yours: is all of it wrapped? Repeat.",
)
@click.option("--bootstrap", metavar="HOST:PORT", help="Send records through this broker, by topics made for them.")
@click.option("--live", metavar="URL", help="Really call this declared service, and look at the ids in its response.")
@click.option("--instrument", is_flag=True, help="Probe with OpenTelemetry's installed client instrumentations on.")
@click.option("--full", "in_full", is_flag=True, help="A line for every door, also for those that agree.")
@json_option
@click.pass_context
def propagation(
    click_context: click.Context,
    file: str | None,
    app: str | None,
    clients: Sequence[str],
    bootstrap: str | None,
    live: str | None,
    instrument: bool,
    in_full: bool,
    as_json: bool,
) -> None:
    """Send a probe through every door, and show where what a request carries breaks.

    FILE is a contract: contract.toml, module:attribute or path/to/file.py:attribute; without one, a contract that
    declares one host and one topic. Nothing leaves this machine unless --live or --bootstrap is given: clients are led
    to a stand-in on loopback, whatever host they call.

    Exit codes: 0 nothing is lost · 1 a break was found · 2 it cannot be asked so.
    """
    # Imported here: every client library that is installed comes with it.
    from pennon.cli import propagation as doctoring
    from pennon.cli.propagation import showing

    if instrument:
        doctoring.instrument()
    contract = _EXAMPLE if file is None else contract_of(file)
    if bootstrap and all(each.topic is None for each in contract.downstreams):
        raise click.BadParameter(
            f"{contract.name!r} declares no topic: nothing would go through it", param_hint="--bootstrap"
        )
    examined = doctoring.examine(contract, bootstrap=bootstrap)
    own = [*(doctoring.application(app, object_of(app)) if app else ())]
    own += [finding for each in clients for finding in doctoring.client(each, object_of(each))]
    called = doctoring.called(contract, live) if live else []
    breaks_count = examined.breaks_count + sum(finding.level is doctoring.Level.BREAK for finding in (*own, *called))
    if as_json:
        printing.json_document({"probes": examined, "own": own, "live": called, "breaks": breaks_count})
    else:
        console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_CHARS)
        showing.show(examined, console, in_full=in_full)
        showing.findings(console, "Your own", own)
        showing.findings(console, f"{live}, really called", called)
        console.print(showing.summed_up(breaks_count))
    click_context.exit(1 if breaks_count else 0)


# Where nobody names a contract: what the doors and this environment do is found all the same.
_EXAMPLE: Final = Contract(
    "example",
    version="1",
    owner="pennon",
    downstreams=(Downstream("service", host="service.internal"), Downstream("topic", topic="topic")),
)
