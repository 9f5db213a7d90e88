"""`pennon override`: signed tokens that let a tester see a variant. They are signed here; the control plane audits."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from pennon.carry import OverrideClaims, jwt_claims_of
from pennon.cli import printing
from pennon.cli.api import Api
from pennon.cli.keys import PrivateKey, key_for, read_key
from pennon.cli.options import authoring, environment_option, json_option, reason_option
from pennon.cli.parsing import duration_s_of, unit_of
from pennon.clock import SYSTEM_CLOCK
from pennon.errors import NotFound
from pennon.signing import OVERRIDE_TYPE, sign

# 64 random bits: no two overrides meet, and it can be read out. It is no secret: without a signature it opens nothing.
_ID_BYTES = 8


@click.group(no_args_is_help=True)
def override() -> None:
    """Signed tokens that set a flag's variant for one unit, for a while."""


@override.command()
@click.option("--flag", required=True, help="The flag; it must allow overrides.")
@click.option("--variant", required=True, help="What the unit is to get.")
@click.option("--unit", required=True, metavar="KIND:KEY", help="Who is to get it, e.g. user:7.")
@click.option("--ttl", default="1h", show_default=True, help="How long it holds, at most 7d.")
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The private key, else the one in .pennon/keys that the environment believes.",
)
@reason_option
@json_option
@environment_option
@authoring
def create(
    api: Api,
    flag: str,
    variant: str,
    unit: str,
    ttl: str,
    key: Path | None,
    reason: str,
    environment: str,
    as_json: bool,
) -> None:
    """Sign a token and print it, once: to be sent as the request header Pennon-Override."""
    meant, ttl_s, now_s = unit_of(unit), duration_s_of(ttl, "--ttl"), SYSTEM_CLOCK.now_ns() // 1_000_000_000
    held = read_key(key) if key else key_for("override", api.signers(environment), now_s=now_s)
    claims = OverrideClaims(
        id=secrets.token_hex(_ID_BYTES),
        key_id=held.id,
        environment=_id_of(api, environment),
        flag=flag,
        variant=variant,
        unit_kind=meant.kind,
        unit_key=meant.key,
        issued_s=now_s,
        until_s=now_s + ttl_s,
    )
    token = _signed(claims, held)
    # Registered before it is shown: a token that nobody can audit or revoke is not given out.
    registered = api.put_override(environment, claims.id, _document(claims, reason)).document
    if as_json:
        printing.json_document({**registered, "token": token})
        return
    until = printing.moment(claims.until_s)
    click.echo(f"override {claims.id}: {flag} = {variant} for {unit} in {environment}, until {until}", err=True)
    click.echo(token)


@override.command("list")
@json_option
@environment_option
@authoring
def list_(api: Api, environment: str, as_json: bool) -> None:
    """Every override that was made for an environment, the last first."""
    overrides = list(api.overrides(environment))
    if as_json:
        printing.json_document(overrides)
        return
    now_s = SYSTEM_CLOCK.now_ns() // 1_000_000_000
    rows = [
        (
            one["id"],
            one["flag"],
            one["variant"],
            f"{one['unit_kind']}:{one['unit_key']}",
            _state(one, now_s),
            one["who"],
            one["why"],
        )
        for one in overrides
    ]
    columns = ("id", "flag", "variant", "unit", "state", "who", "why")
    printing.listing(columns, rows, nothing=f"no overrides in {environment}")


@override.command()
@click.argument("override_id", metavar="ID")
@reason_option
@json_option
@environment_option
@authoring
def revoke(api: Api, override_id: str, reason: str, environment: str, as_json: bool) -> None:
    """Take a token back: it is believed nowhere any more. Revoking twice is the same as once."""
    revoked = api.revoke_override(environment, override_id, reason=reason).document
    printing.done(as_json, revoked, f"override {override_id} is revoked in {environment}")


@override.command()
@click.option("--id", "override_id", metavar="ID", help="Of one token.")
@json_option
@environment_option
@authoring
def uses(api: Api, override_id: str | None, environment: str, as_json: bool) -> None:
    """Which token set which variant in which service, how often, and when."""
    found = list(api.override_uses(environment, override_id))
    if as_json:
        printing.json_document(found)
        return
    rows = [
        (
            use["id"],
            use["flag"],
            use["variant"],
            use["service"],
            use["count"],
            printing.moment(use["first_ms"] / 1_000),
            printing.moment(use["last_ms"] / 1_000),
        )
        for use in found
    ]
    columns = ("id", "flag", "variant", "service", "uses", "first", "last")
    printing.listing(columns, rows, nothing=f"no uses reported in {environment}")


def _signed(claims: OverrideClaims, key: PrivateKey) -> str:
    return sign(jwt_claims_of(claims), key.pem, key_id=key.id, typ=OVERRIDE_TYPE)


def _document(claims: OverrideClaims, reason: str) -> dict[str, Any]:
    return {
        "signer": claims.key_id,
        "flag": claims.flag,
        "variant": claims.variant,
        "unit_kind": claims.unit_kind,
        "unit_key": claims.unit_key,
        "issued_s": claims.issued_s,
        "until_s": claims.until_s,
        "reason": reason,
    }


def _id_of(api: Api, environment: str) -> int:
    for row in api.environments():
        if row["key"] == environment:
            return int(row["id"])
    raise NotFound(f"no environment '{environment}' in this project")


def _state(one: Mapping[str, Any], now_s: int) -> str:
    if one["revoked_s"] is not None:
        return f"revoked {printing.moment(one['revoked_s'])}"
    return f"{'until' if one['until_s'] > now_s else 'expired'} {printing.moment(one['until_s'])}"
