"""`pennon decode`: a baggage member, a baggage header or a record header, in words."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click
import httpx

from pennon.carry import CARRY_KEY, Decoded, decode
from pennon.cli import printing
from pennon.cli.options import environment_option, json_option, server_option, token_option
from pennon.cli.settings import sdk_target
from pennon.context import Entry
from pennon.errors import PennonError
from pennon.flags import FlagRecord, RulesetRecord, decode_ruleset
from pennon.headers import parse_baggage

# Names are an extra: who decodes without a server at hand should not wait for it.
_NAMES_TIMEOUT_S: Final = 2.0


@click.command("decode")
@click.argument("text", required=False)
@json_option
@environment_option
@server_option
@token_option
@click.pass_context
def decode_(
    context: click.Context, text: str | None, as_json: bool, environment: str, server: str | None, token: str | None
) -> None:
    """Say what TEXT carries; "-" or nothing reads it from standard input.

    TEXT is the value of a `pennon` member, a member (pennon=…), or a whole baggage header, with or without its name.
    Where a server and an SDK token are at hand, flags and variants of that environment are named.
    """
    if text is None or text == "-":
        text = sys.stdin.read()
    values = _values(text.strip())
    decoded = [decode(value) for value in values]
    entries = [entry for each in decoded for entry in each.entries]
    names = _Names(_ruleset(server, token, environment) if entries else None)
    document = _document(decoded, [names.row(entry) for entry in entries])
    if as_json:
        printing.json_document(document)
    else:
        _print(document)
    context.exit(1 if document["malformed"] or not values else 0)


def _values(text: str) -> list[str]:
    name, colon, rest = text.partition(":")
    if colon and name.strip().lower() == "baggage":
        text = rest.strip()
    if "=" not in text:
        return [text] if text else []
    return [member.value for member in parse_baggage([text.encode()]).members if member.key == CARRY_KEY]


def _ruleset(server: str | None, token: str | None, environment: str) -> RulesetRecord | None:
    """What names come from; None where nobody answers."""
    try:
        target = sdk_target(server, token, environment)
        headers = {"authorization": f"Bearer {target.token}"}
        answer = httpx.get(f"{target.server}/v1/sdk/ruleset", headers=headers, timeout=_NAMES_TIMEOUT_S)
        return decode_ruleset(answer.raise_for_status().content)
    except (PennonError, httpx.HTTPError):
        return None


class _Names:
    """Flags and variants by their ids."""

    def __init__(self, ruleset: RulesetRecord | None) -> None:
        self._environment = ruleset.environment.id if ruleset else None
        self._key = ruleset.environment.key if ruleset else ""
        flags: Mapping[str, FlagRecord] = ruleset.flags if ruleset else {}
        self._flags = {flag.id: flag for flag in flags.values()}

    def row(self, entry: Entry) -> dict[str, Any]:
        """An entry for people; a name is None where it is not known."""
        is_ours = entry.environment == self._environment
        flag = self._flags.get(entry.flag_id) if is_ours else None
        variants = {variant.id: variant.key for variant in flag.variants} if flag else {}
        return {
            "flag": flag.key if flag else None,
            "variant": variants.get(entry.variant_id),
            "environment": self._key if is_ours else None,
            "origin": entry.origin.name.lower(),
            "revision": entry.revision,
            "epoch": entry.epoch,
            "decided_at": datetime.fromtimestamp(entry.decided_min * 60, UTC).isoformat(timespec="minutes"),
            "unit_fingerprint": f"{entry.fingerprint:06x}",
            "flag_id": entry.flag_id,
            "variant_id": entry.variant_id,
            "environment_id": f"{entry.environment:010x}",
        }


def _document(decoded: list[Decoded], rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "decisions": rows,
        "was_cut": any(each.was_cut for each in decoded),
        "is_replay": any(each.is_replay for each in decoded),
        "malformed": [fault.value for each in decoded for fault in each.dropped],
    }


def _print(document: dict[str, Any]) -> None:
    for row in document["decisions"]:
        flag = row["flag"] or f"flag {row['flag_id']}"
        variant = row["variant"] or f"variant {row['variant_id']}"
        environment = row["environment"] or f"environment {row['environment_id']}"
        click.echo(
            f"{flag}: {variant}, by {row['origin']} at revision {row['revision']} of {environment} (epoch "
            f"{row['epoch']}), {row['decided_at']}, for the unit with fingerprint {row['unit_fingerprint']}"
        )
    if document["is_replay"]:
        click.echo("marked as a replay: nothing in it counts as an exposure")
    if document["was_cut"]:
        click.echo("a hop dropped decisions for the budget of 512 bytes")
    for fault in document["malformed"]:
        click.echo(f"a group is malformed: {fault}", err=True)
    if not document["decisions"] and not document["malformed"]:
        click.echo("no decisions in it")
