"""`pennon flags`: what a release manager does all day."""

import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from pennon.cli import printing
from pennon.cli.api import Api
from pennon.cli.options import authoring, environment_option, json_option
from pennon.flags import BUCKETS

_REASON = click.option("--reason", default="", help="Why; goes into the history.")
_EVERYWHERE = click.option("--all", "everywhere", is_flag=True, help="In every environment.")


@click.group(no_args_is_help=True)
def flags() -> None:
    """Create, change, kill and look at flags."""


@flags.command("list")
@json_option
@environment_option
@authoring
def list_(api: Api, environment: str, as_json: bool) -> None:
    """Every flag of the project, and what one environment serves of it."""
    rows = [(flag, api.settings(flag["key"], environment).document) for flag in api.flags()]
    if as_json:
        printing.json_document([{"flag": flag, "settings": settings} for flag, settings in rows])
    else:
        printing.flag_table(environment, rows)


@flags.command()
@click.argument("flag")
@json_option
@environment_option
@authoring
def show(api: Api, flag: str, environment: str, as_json: bool) -> None:
    """One flag, and what one environment serves of it."""
    document, settings = api.flag(flag).document, api.settings(flag, environment).document
    if as_json:
        printing.json_document({"flag": document, "settings": settings})
    else:
        printing.flag_page(environment, document, settings)


@flags.command()
@click.argument("flag")
@click.option(
    "--type",
    "type_",
    type=click.Choice(["boolean", "string", "integer", "float", "json"]),
    default="boolean",
    show_default=True,
    help="Type of the variants' values.",
)
@click.option("--variant", "-v", "variants", multiple=True, metavar="KEY=VALUE", help="Repeat; JSON or plain text.")
@click.option("--unit", default="user", show_default=True, help="The kind of unit it buckets by.")
@click.option("--description", default="", help="For people.")
@click.option("--tag", "tags", multiple=True, help="Repeat.")
@click.option("--exposes", is_flag=True, help="An experiment's flag: evaluations count as exposures.")
@json_option
@authoring
def create(
    api: Api,
    flag: str,
    type_: str,
    variants: Sequence[str],
    unit: str,
    description: str,
    tags: Sequence[str],
    exposes: bool,
    as_json: bool,
) -> None:
    """Create a flag; everywhere it begins by serving its off variant.

    A boolean flag has the variants on and off unless others are named; of the others the last one is the off variant.
    """
    named = [_variant(text, type_) for text in variants]
    if not named and type_ == "boolean":
        named = [{"key": "on", "value": True}, {"key": "off", "value": False}]
    document = {
        "key": flag,
        "type": type_,
        "unit": unit,
        "description": description,
        "tags": list(tags),
        "variants": named,
        "exposes": exposes,
    }
    created = api.create(document).document
    _done(as_json, created, f"created {flag!r} in every environment, serving its off variant")


@flags.command("set")
@click.argument("flag")
@click.option("--on/--off", "is_on", default=None, help="Whether rules and fallthrough are followed at all.")
@click.option("--serve", metavar="VARIANT", help="Serve this variant where no rule matches.")
@click.option(
    "--patch",
    metavar="JSON",
    help='A merge patch of the settings, e.g. \'{"rules": [...]}\'; "-" reads it from standard input.',
)
@_REASON
@json_option
@environment_option
@authoring
def set_(
    api: Api,
    flag: str,
    is_on: bool | None,
    serve: str | None,
    patch: str | None,
    reason: str,
    environment: str,
    as_json: bool,
) -> None:
    """Change what an environment serves of a flag."""
    change = _patch_of(patch)
    if is_on is not None:
        change["on"] = is_on
    if serve is not None:
        change["fallthrough"] = {"variant": serve, "split": None}
    if not change:
        raise click.UsageError("nothing to set: give --on, --off, --serve or --patch")
    _patch_settings(api, flag, environment, change, reason=reason, as_json=as_json)


@flags.command()
@click.argument("flag")
@click.argument("percent", metavar="PERCENT")
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="VARIANT=PERCENT",
    help="Repeat, sum 100: how covered units divide. Changing weights begins a new phase.",
)
@click.option("--rest", metavar="VARIANT", help="What units outside get; else the off variant.")
@_REASON
@json_option
@environment_option
@authoring
def ramp(
    api: Api,
    flag: str,
    percent: str,
    weights: Sequence[str],
    rest: str | None,
    reason: str,
    environment: str,
    as_json: bool,
) -> None:
    """Roll a flag out to a share of its units: PERCENT is 0 to 100, such as 25 or 0.5%.

    Ramping up takes nobody out; ramping down and up again returns the same units to the same variants.
    """
    settings = api.settings(flag, environment)
    split: dict[str, Any] = {"coverage": _buckets(percent, "PERCENT")}
    if rest is not None:
        split["rest"] = rest
    if weights:
        split["weights"] = [_weight(text) for text in weights]
    elif not settings.document["fallthrough"].get("split"):
        split["weights"] = _default_weights(api.flag(flag).document, settings.document)
    change = {"fallthrough": {"variant": None, "split": split}}
    _patch_settings(api, flag, environment, change, reason=reason, as_json=as_json, etag=settings.etag)


@flags.command()
@click.argument("flag")
@_EVERYWHERE
@_REASON
@json_option
@environment_option
@authoring
def kill(api: Api, flag: str, everywhere: bool, reason: str, environment: str, as_json: bool) -> None:
    """Serve the off variant now, carried decisions included. Killing twice is the same as once."""
    place = None if everywhere else environment
    killed = api.kill(flag, place, reason=reason).document
    _done(as_json, killed, f"killed {flag!r} in {place or 'every environment'}")


@flags.command()
@click.argument("flag")
@_EVERYWHERE
@_REASON
@json_option
@environment_option
@authoring
def unkill(api: Api, flag: str, everywhere: bool, reason: str, environment: str, as_json: bool) -> None:
    """Take a kill back. Decisions from before it stay void: units are decided anew."""
    place = None if everywhere else environment
    unkilled = api.unkill(flag, place, reason=reason).document
    _done(as_json, unkilled, f"unkilled {flag!r} in {place or 'every environment'}")


@flags.command()
@click.argument("flag")
@click.option("--restore", is_flag=True, help="Bring it back.")
@_REASON
@json_option
@authoring
def archive(api: Api, flag: str, restore: bool, reason: str, as_json: bool) -> None:
    """Take a flag out of every environment; its key stays taken, its history stays readable."""
    patch: dict[str, Any] = {"archived": not restore} | ({"reason": reason} if reason else {})
    changed = api.patch_flag(flag, patch, etag=api.flag(flag).etag).document
    _done(as_json, changed, f"{'restored' if restore else 'archived'} {flag!r}")


@flags.command()
@click.argument("flag")
@json_option
@environment_option
@authoring
def history(api: Api, flag: str, environment: str, as_json: bool) -> None:
    """Who changed what, when and why; newest first."""
    rows = list(api.history(flag, environment))
    if as_json:
        printing.json_document(rows)
    else:
        printing.history_table(flag, environment, rows)


def _patch_settings(
    api: Api,
    flag: str,
    environment: str,
    change: dict[str, Any],
    *,
    reason: str,
    as_json: bool,
    etag: str | None = None,
) -> None:
    etag = etag or api.settings(flag, environment).etag
    patched = api.patch_settings(flag, environment, change | ({"reason": reason} if reason else {}), etag=etag).document
    _done(as_json, patched, f"{environment}: {flag!r} {printing.serves(patched)} (revision {patched['revision']})")


def _done(as_json: bool, document: dict[str, Any], sentence: str) -> None:
    if as_json:
        printing.json_document(document)
    else:
        click.echo(sentence)


def _variant(text: str, type_: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE, e.g. blue=blue", param_hint="--variant")
    if type_ == "string":
        return {"key": key, "value": value}
    try:
        return {"key": key, "value": msgspec.json.decode(value.encode())}
    except msgspec.DecodeError:
        raise click.BadParameter(f"{value!r} is not a JSON value of type {type_}", param_hint="--variant") from None


def _patch_of(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    if text == "-":
        text = sys.stdin.read()
    try:
        return msgspec.json.decode(text.encode(), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise click.BadParameter(f"not a JSON object: {error}", param_hint="--patch") from None


def _buckets(percent: str, name: str) -> int:
    try:
        share = float(percent.removesuffix("%"))
    except ValueError:
        share = -1.0
    if not 0 <= share <= 100:
        raise click.BadParameter(f"{percent!r} is not a percentage from 0 to 100", param_hint=name)
    return round(share * BUCKETS / 100)


def _weight(text: str) -> dict[str, Any]:
    key, equals, percent = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not VARIANT=PERCENT, e.g. blue=50", param_hint="--weight")
    return {"variant": key, "weight": _buckets(percent, "--weight")}


def _default_weights(flag: dict[str, Any], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything to the one variant that is not the off variant; with several, the author must say how they divide."""
    others = [variant["key"] for variant in flag["variants"] if variant["key"] != settings["off"]]
    if len(others) != 1:
        example = " ".join(f"--weight {key}={100 // max(len(others), 1)}" for key in others)
        raise click.UsageError(f"{flag['key']!r} has {len(others)} variants beside {settings['off']!r}: add {example}")
    return [{"variant": others[0], "weight": BUCKETS}]
