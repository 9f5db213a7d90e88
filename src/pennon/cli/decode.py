"""`pennon decode`: a baggage member, a baggage header or a record header, in words."""

from datetime import UTC, datetime
from typing import Any

import click

from pennon.carry import CARRY_KEY, Decoded, decode
from pennon.cli import printing
from pennon.cli.options import json_option
from pennon.context import Entry
from pennon.headers import parse_baggage


@click.command("decode")
@click.argument("text", required=False)
@json_option
@click.pass_context
def decode_(context: click.Context, text: str | None, as_json: bool) -> None:
    """Say what TEXT carries; "-" or nothing reads it from standard input.

    TEXT is the value of a `pennon` member, a member (pennon=…), or a whole baggage header, with or without its name.
    """
    if text is None or text == "-":
        text = click.get_text_stream("stdin").read()
    values = _values(text.strip())
    decoded = [decode(value) for value in values]
    entries = [entry for each in decoded for entry in each.entries]
    faults = [str(fault) for each in decoded for fault in each.dropped]
    if as_json:
        printing.json_document(_document(decoded, entries, faults))
    else:
        _print(decoded, entries, faults)
    context.exit(1 if faults or not values else 0)


def _values(text: str) -> list[str]:
    name, colon, rest = text.partition(":")
    if colon and name.strip().lower() == "baggage":
        text = rest.strip()
    if "=" not in text:
        return [text] if text else []
    return [member.value for member in parse_baggage([text.encode()]).members if member.key == CARRY_KEY]


def _document(decoded: list[Decoded], entries: list[Entry], faults: list[str]) -> dict[str, Any]:
    return {
        "decisions": [_row(entry) for entry in entries],
        "was_cut": any(each.was_cut for each in decoded),
        "is_replay": any(each.is_replay for each in decoded),
        "malformed": faults,
    }


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "environment": f"{entry.environment:010x}",
        "epoch": entry.epoch,
        "unit_fingerprint": f"{entry.fingerprint:06x}",
        "decided_at": datetime.fromtimestamp(entry.decided_min * 60, UTC).isoformat(timespec="minutes"),
        "flag_id": entry.flag_id,
        "variant_id": entry.variant_id,
        "origin": entry.origin.name.lower(),
        "revision": entry.revision,
    }


def _print(decoded: list[Decoded], entries: list[Entry], faults: list[str]) -> None:
    for row in map(_row, entries):
        click.echo(
            f"flag {row['flag_id']}: variant {row['variant_id']} by {row['origin']} at revision {row['revision']}, "
            f"for unit ~{row['unit_fingerprint']}, {row['decided_at']}, "
            f"environment {row['environment']} epoch {row['epoch']}"
        )
    if any(each.is_replay for each in decoded):
        click.echo("marked as a replay: nothing in it counts as an exposure")
    if any(each.was_cut for each in decoded):
        click.echo("a hop dropped decisions for the budget of 512 bytes")
    for fault in faults:
        click.echo(f"malformed: {fault}", err=True)
    if not entries and not faults:
        click.echo("no decisions in it")
