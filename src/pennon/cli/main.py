"""`pennon`: the group of all commands, how they end, and what they print on trouble."""

import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any, Final

import click

from pennon.cli import (
    break_glass,
    contract,
    decode,
    divergence,
    doctor,
    evaluate,
    flags,
    journeys,
    overrides,
    restore,
    serve,
    signers,
    token,
)
from pennon.errors import Invalid, PennonError, Unreachable

EXIT_REFUSED: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNREACHABLE: Final = 3


class _Group(click.Group):
    """Commands whose refusals become one line on stderr and an exit code, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Invalid as error:
            for fault in error.faults:
                click.echo(f"pennon: {fault}", err=True)
            ctx.exit(EXIT_REFUSED)
        except PennonError as error:
            click.echo(f"pennon: {error}", err=True)
            ctx.exit(EXIT_UNREACHABLE if isinstance(error, Unreachable) else EXIT_REFUSED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pennon", message="pennon %(version)s")
def cli() -> None:
    """Feature flags whose decisions travel with the request.

    Commands find their server in --server, PENNON_SERVER or .pennon/credentials (which `pennon serve` writes), their
    token in --token, PENNON_TOKEN or the same file.

    Exit codes: 0 done · 1 refused, or an answer with an error · 2 wrong usage · 3 no server answered.
    """


_COMMANDS: Final[tuple[Callable[..., Any], ...]] = (
    serve.serve,
    restore.restore,
    flags.flags,
    evaluate.evaluate,
    decode.decode_,
    journeys.journeys,
    token.token,
    signers.signer,
    overrides.override,
    break_glass.break_glass,
    divergence.divergence,
    doctor.doctor,
    contract.contract,
)
for _command in _COMMANDS:
    cli.add_command(_command)  # type: ignore[arg-type]  # click's decorators return commands, typed as callables here


def run() -> None:
    """Run the command line and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A mark that a pipe's or a console's encoding lacks (ASCII, cp1252) is no reason to end with a traceback.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(cli.main(prog_name="pennon", standalone_mode=True))
