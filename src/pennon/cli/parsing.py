"""What people type, as the API takes it. Each function raises `click.BadParameter`, which names what is allowed."""

import sys
from typing import Any, Final

import click
import msgspec

from pennon.context import Unit
from pennon.flags import BUCKETS

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def duration_s_of(text: str, name: str) -> int:
    """Seconds, from a number and its unit. name: of the option."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and len(number) <= 9 and unit in _UNITS_S):
        raise click.BadParameter(f"{text!r} is not a duration such as 90s, 30m, 24h or 7d", param_hint=name)
    return int(number) * _UNITS_S[unit]


def unit_of(text: str) -> Unit:
    """A unit from KIND:KEY."""
    kind, colon, key = text.partition(":")
    if not (colon and kind and key):
        raise click.BadParameter(f"{text!r} is not KIND:KEY, e.g. user:7", param_hint="--unit")
    return Unit(kind, key)


def variant_of(text: str, type_: str) -> dict[str, Any]:
    """A variant from KEY=VALUE, its value read as its type wants it."""
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE, e.g. blue=blue", param_hint="--variant")
    if type_ == "string":
        return {"key": key, "value": value}
    try:
        return {"key": key, "value": msgspec.json.decode(value.encode())}
    except msgspec.DecodeError:
        raise click.BadParameter(f"{value!r} is not a JSON value of type {type_}", param_hint="--variant") from None


def patch_of(text: str | None) -> dict[str, Any]:
    """The members of a JSON object, from standard input for "-"; none for None."""
    if text is None:
        return {}
    if text == "-":
        text = sys.stdin.read()
    try:
        return msgspec.json.decode(text.encode(), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise click.BadParameter(f"not a JSON object: {error}", param_hint="--patch") from None


def buckets_of(percent: str, name: str) -> int:
    """A share of all buckets, from a percentage with or without its sign. name: of the option."""
    try:
        share = float(percent.removesuffix("%"))
    except ValueError:
        share = -1.0
    if not 0 <= share <= 100:
        raise click.BadParameter(f"{percent!r} is not a percentage from 0 to 100", param_hint=name)
    return round(share * BUCKETS / 100)


def weight_of(text: str) -> dict[str, Any]:
    """A variant's weight from VARIANT=PERCENT."""
    key, equals, percent = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not VARIANT=PERCENT, e.g. blue=50", param_hint="--weight")
    return {"variant": key, "weight": buckets_of(percent, "--weight")}


def age_of(text: str) -> int | None:
    """A whole number of seconds; None for "none"."""
    if text == "none":
        return None
    try:
        return int(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a number of seconds, or none", param_hint="--carry-max-age"
        ) from None
