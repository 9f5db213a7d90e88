"""`pennon eval`: what a service would answer, and why; the SDK itself does it."""

from collections.abc import Sequence
from typing import Any

import click

from pennon.cli import printing
from pennon.cli.options import environment_option, json_option, server_option, token_option
from pennon.cli.settings import sdk_target
from pennon.client import connect
from pennon.context import Unit
from pennon.errors import Unreachable

_READY_TIMEOUT_S = 5.0


@click.command("eval")
@click.argument("flag")
@click.option("--unit", "-u", metavar="KEY", help="The key of the unit, e.g. user-7.")
@click.option("--kind", default="user", show_default=True, help="The unit's kind.")
@click.option("--attribute", "-a", "attributes", multiple=True, metavar="NAME=VALUE", help="Repeat; JSON or text.")
@json_option
@environment_option
@server_option
@token_option
@click.pass_context
def evaluate(
    context: click.Context,
    flag: str,
    unit: str | None,
    kind: str,
    attributes: Sequence[str],
    environment: str,
    server: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Evaluate FLAG for a unit, as a service in this environment would, and say which rule and clause decided."""
    target = sdk_target(server, token, environment)
    with connect(target.server, token=target.token) as client:
        if not client.wait_ready(_READY_TIMEOUT_S):
            raise Unreachable(f"{target.server}: no ruleset within {_READY_TIMEOUT_S:g} s ({client.status_detail})")
        asked = None if unit is None else Unit(kind, unit)
        answer = client.peek(flag, unit=asked, attributes=dict(map(_attribute, attributes)))
        explained = answer.explain()
    if as_json:
        document = {
            "flag": flag,
            "value": answer.value,
            "variant": answer.variant,
            "reason": answer.reason,
            "error": answer.error,
            "rule": answer.rule,
            "revision": answer.revision,
            "explanation": explained,
        }
        printing.json_document(document)
    else:
        click.echo(explained)
    context.exit(0 if answer.error is None else 1)


def _attribute(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE, e.g. plan=pro", param_hint="--attribute")
    return name, printing.value_of(value)
