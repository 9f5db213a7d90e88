"""`pennon signer`: who may sign. Private keys are made here and stay here; the control plane gets the public halves."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from pennon.cli import printing
from pennon.cli.api import Api
from pennon.cli.keys import KEYS_PATH, PrivateKey, note_environments, read_key, write_key
from pennon.cli.options import authoring, environment_option, json_option, reason_option
from pennon.cli.parsing import duration_s_of
from pennon.clock import SYSTEM_CLOCK
from pennon.errors import NotFound, PennonError
from pennon.signing import new_key

# It names a file.
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

_FILE = click.Path(dir_okay=False, path_type=Path)
_everywhere_option = click.option("--all", "everywhere", is_flag=True, help="In every environment.")


@click.group(no_args_is_help=True)
def signer() -> None:
    """Keys that sign overrides and break-glass kills."""


@signer.command()
@click.argument("name")
@click.option("--use", type=click.Choice(["override", "kill"]), required=True, help="What it may sign.")
@click.option("--out", type=_FILE, metavar="FILE", help=f"Where the private key goes, else {KEYS_PATH}/NAME.pem.")
@click.option("--key", type=_FILE, metavar="FILE", help="Register the private key in this file, make none.")
@_everywhere_option
@reason_option
@json_option
@environment_option
@authoring
def create(
    api: Api,
    name: str,
    use: str,
    out: Path | None,
    key: Path | None,
    everywhere: bool,
    reason: str,
    environment: str,
    as_json: bool,
) -> None:
    """Make a key pair, keep the private key in a file (0600), and let the environment believe the public one."""
    if _NAME.fullmatch(name) is None:
        raise click.BadParameter(f"{name!r} must be 1 to 64 of a-z 0-9 . _ -, the first a letter or digit")
    if out is not None and key is not None:
        raise click.UsageError("--out says where a new key goes, --key names one that exists: give one of them")
    path = key or out or KEYS_PATH / f"{name}.pem"
    held = read_key(path) if key else _made(path)
    document = {"name": name, "use": use, "key": held.public, "reason": reason}
    places = _environments(api, environment, everywhere)
    try:
        made = [api.put_signer(place, held.id, document).document for place in places]
        if use == "kill":
            ids = {
                f"{api.project}/{row['key']}": f"{row['id']:010x}" for row in api.environments() if row["key"] in places
            }
            note_environments(path, ids)
    except PennonError:
        click.echo(f"pennon: the key is kept; register it with --key {path}", err=True)
        raise
    told = {"id": held.id, "name": name, "use": use, "key": held.public, "path": str(path), "environments": places}
    printing.done(as_json, told, f"signer {made[0]['id']} may sign {use}s in {', '.join(places)}; its key is in {path}")


@signer.command("list")
@json_option
@environment_option
@authoring
def list_(api: Api, environment: str, as_json: bool) -> None:
    """Every signer of an environment, and until when it is believed."""
    signers = api.signers(environment)
    if as_json:
        printing.json_document(signers)
        return
    now_s = _now_s()
    rows = [
        (one["id"], one["name"], one["use"], printing.moment(one["created_s"]), _believed(one, now_s))
        for one in signers
    ]
    nothing = "no signers yet: pennon signer create NAME --use override"
    printing.listing(("id", "name", "signs", "created", "believed"), rows, nothing=nothing)


@signer.command()
@click.argument("signer_id", metavar="ID")
@click.option("--after", default="24h", show_default=True, help="Until then what it signed is believed; 0s: no longer.")
@_everywhere_option
@reason_option
@json_option
@environment_option
@authoring
def retire(
    api: Api, signer_id: str, after: str, everywhere: bool, reason: str, environment: str, as_json: bool
) -> None:
    """Let a signer end after a while, in which its successor takes over."""
    until_s = _now_s() + duration_s_of(after, "--after")
    retired = {}
    for place in _where(api, signer_id, environment, everywhere):
        held = api.signer(place, signer_id)
        document = {**held.document, "until_s": until_s, "reason": reason}
        retired[place] = api.put_signer(place, signer_id, document, etag=held.etag).document
    sentence = f"signer {signer_id} is believed until {printing.moment(until_s)} in {', '.join(retired)}"
    printing.done(as_json, retired, sentence)


@signer.command()
@click.argument("signer_id", metavar="ID")
@_everywhere_option
@reason_option
@json_option
@environment_option
@authoring
def remove(api: Api, signer_id: str, everywhere: bool, reason: str, environment: str, as_json: bool) -> None:
    """Believe nothing any more that a signer has signed, at once. Its private key stays where it is."""
    removed = {}
    for place in _where(api, signer_id, environment, everywhere):
        etag = api.signer(place, signer_id).etag
        removed[place] = api.remove_signer(place, signer_id, reason=reason, etag=etag).document
    printing.done(as_json, removed, f"signer {signer_id} is removed from {', '.join(removed)}")


def _made(path: Path) -> PrivateKey:
    pem, public = new_key()
    write_key(pem, path)
    return PrivateKey(pem, public)


def _environments(api: Api, environment: str, everywhere: bool) -> list[str]:
    return [row["key"] for row in api.environments()] if everywhere else [environment]


def _where(api: Api, signer_id: str, environment: str, everywhere: bool) -> list[str]:
    """The environments that have it. Raises: NotFound if none of those that are meant does."""
    places = [
        place
        for place in _environments(api, environment, everywhere)
        if any(one["id"] == signer_id for one in api.signers(place))
    ]
    if not places:
        raise NotFound(f"no signer '{signer_id}' in {'any environment' if everywhere else environment}")
    return places


def _believed(one: Mapping[str, Any], now_s: int) -> str:
    if one["until_s"] is None:
        return "until it is removed"
    return f"{'until' if one['until_s'] > now_s else 'not since'} {printing.moment(one['until_s'])}"


def _now_s() -> int:
    return SYSTEM_CLOCK.now_ns() // 1_000_000_000
