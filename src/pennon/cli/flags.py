"""`pennon flags`: what a release manager does all day."""

from collections.abc import Sequence
from typing import Any

import click

from pennon.cli import lane, parsing, printing
from pennon.cli.api import Api
from pennon.cli.options import authoring, environment_option, json_option, reason_option
from pennon.flags import BUCKETS

_PATCH = click.option(
    "--patch",
    metavar="JSON",
    help='A merge patch of the rest, e.g. \'{"rules": [...]}\'; "-" reads it from standard input.',
)


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
    named = [parsing.variant_of(text, type_) for text in variants]
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
    printing.done(as_json, created, f"created {flag!r} in every environment, serving its off variant")


@flags.command()
@click.argument("flag")
@click.option("--at", type=click.Choice(["consume", "publish"]), help="Which side of a topic decides it.")
@click.option("--carry-max-age", "max_age", metavar="SECONDS", help="Older carried decisions do not apply; or: none.")
@click.option("--overridable/--not-overridable", "is_overridable", default=None, help="By signed override tokens.")
@_PATCH
@reason_option
@json_option
@authoring
def edit(
    api: Api,
    flag: str,
    at: str | None,
    max_age: str | None,
    is_overridable: bool | None,
    patch: str | None,
    reason: str,
    as_json: bool,
) -> None:
    """Change what the project says of a flag; published in every environment."""
    change = parsing.patch_of(patch)
    if at is not None:
        change["at"] = at
    if max_age is not None:
        change["carry_max_age_s"] = parsing.age_of(max_age)
    if is_overridable is not None:
        change["overridable"] = is_overridable
    if not change:
        raise click.UsageError("nothing to change: give --at, --carry-max-age, --overridable or --patch")
    edited = _patched_flag(api, flag, change, reason)
    printing.done(as_json, edited, f"changed {flag!r} in every environment (version {edited['version']})")


@flags.command("set")
@click.argument("flag")
@click.option("--on/--off", "is_on", default=None, help="Whether rules and fallthrough are followed at all.")
@click.option("--serve", metavar="VARIANT", help="Serve this variant where no rule matches.")
@_PATCH
@reason_option
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
    change = parsing.patch_of(patch)
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
@reason_option
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
    split: dict[str, Any] = {"coverage": parsing.buckets_of(percent, "PERCENT")}
    if rest is not None:
        split["rest"] = rest
    if weights:
        split["weights"] = [parsing.weight_of(text) for text in weights]
    elif not settings.document["fallthrough"].get("split"):
        split["weights"] = _default_weights(api.flag(flag).document, settings.document)
    change = {"fallthrough": {"variant": None, "split": split}}
    _patch_settings(api, flag, environment, change, reason=reason, as_json=as_json, etag=settings.etag)


@flags.command()
@click.argument("flag")
@click.option("--restore", is_flag=True, help="Bring it back.")
@reason_option
@json_option
@authoring
def archive(api: Api, flag: str, restore: bool, reason: str, as_json: bool) -> None:
    """Take a flag out of every environment; its key stays taken, its history stays readable."""
    changed = _patched_flag(api, flag, {"archived": not restore}, reason)
    printing.done(as_json, changed, f"{'restored' if restore else 'archived'} {flag!r}")


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


for _command in (lane.kill, lane.unkill, lane.forget_carried):
    flags.add_command(_command)


def _patched_flag(api: Api, flag: str, change: dict[str, Any], reason: str) -> dict[str, Any]:
    change |= {"reason": reason} if reason else {}
    return api.patch_flag(flag, change, etag=api.flag(flag).etag).document


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
    printing.done(
        as_json, patched, f"{environment}: {flag!r} {printing.serves(patched)} (revision {patched['revision']})"
    )


def _default_weights(flag: dict[str, Any], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything to the one variant that is not the off variant; with several, the author must say how they divide."""
    others = [variant["key"] for variant in flag["variants"] if variant["key"] != settings["off"]]
    if len(others) != 1:
        example = " ".join(f"--weight {key}={100 // max(len(others), 1)}" for key in others)
        raise click.UsageError(f"{flag['key']!r} has {len(others)} variants beside {settings['off']!r}: add {example}")
    return [{"variant": others[0], "weight": BUCKETS}]
