"""The commands of `pennon flags` that void what was decided: kill, its end, and forgetting what is carried."""

from collections.abc import Callable

import click

from pennon.cli import printing
from pennon.cli.api import Api, Resource
from pennon.cli.options import authoring, environment_option, json_option, reason_option


def _kill_command(name: str, done: str, deed: Callable[..., Resource], *, sentence: str) -> click.Command:
    @click.command(name, help=sentence)
    @click.argument("flag")
    @click.option("--all", "everywhere", is_flag=True, help="In every environment.")
    @reason_option
    @json_option
    @environment_option
    @authoring
    def command(api: Api, flag: str, everywhere: bool, reason: str, environment: str, as_json: bool) -> None:
        place = None if everywhere else environment
        changed = deed(api, flag, place, reason=reason).document
        printing.done(as_json, changed, f"{done} {flag!r} in {place or 'every environment'}")

    return command


kill = _kill_command(
    "kill",
    "killed",
    Api.kill,
    sentence="Serve the off variant now, carried decisions included. Killing twice is the same as once.",
)
unkill = _kill_command(
    "unkill",
    "unkilled",
    Api.unkill,
    sentence="Take a kill back. Decisions from before it stay void: units are decided anew.",
)


@click.command("forget-carried")
@click.argument("flag")
@reason_option
@json_option
@environment_option
@authoring
def forget_carried(api: Api, flag: str, reason: str, environment: str, as_json: bool) -> None:
    """Void what was decided of a flag before now, wherever it is carried: units are decided anew."""
    etag = api.settings(flag, environment).etag
    forgotten = api.forget_carried(flag, environment, reason=reason, etag=etag).document
    sentence = f"{environment}: what was decided of {flag!r} before revision {forgotten['void_before']} is void"
    printing.done(as_json, forgotten, sentence)
