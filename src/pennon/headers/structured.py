"""Structured fields (RFC 9651) that this room reads and writes; http-sf parses and serialises them.

Rules:
- What does not parse is its `DropReason`, never an exception. Sizes and separators are counted first.
- Parameters that a field's specification does not name are ignored (RFC 9651 §3.1.2); a value of another type is
  malformed.
- `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07) is a String, in quotes. Many send it bare: it is read
  either way and written quoted.
- `Deprecation` (RFC 9745) is a Date. The forms of its drafts, `true` and an HTTP date, are malformed.
- `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10) are Lists of Strings with parameters; one
  malformed member makes the field malformed, and a malformed field is ignored.
http-sf takes 30 ms to import, hence on first use.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from pennon.context import IdempotencyKey
from pennon.headers.grammar import OWS, agree, wire_bytes
from pennon.headers.report import DropReason

# The budget of the requirements: fewer than 128 bytes, quotes included.
KEY_LIMIT_BYTES: Final = 127
# Twelve policies. Each separator costs up to 3 µs to parse, each escape a third of one.
_LIST_LIMIT_BYTES: Final = 256
_SEPARATORS_LIMIT_COUNT: Final = 32
_ITEM_LIMIT_BYTES: Final = 64

# A String without escapes, which nearly all keys are; and what of visible ASCII cannot be mistaken for anything else.
_QUOTED: Final = re.compile(rb'"([ !#-\[\]-~]+)"')
_BARE: Final = re.compile(rb"[!#-+\--:<-\[\]-~]+")
_KEY: Final = re.compile(r"[ -~]+")

# The years 1 to 9999: what a reader's date type holds.
_DATES_S: Final = range(-62_135_596_800, 253_402_300_800)

Found = TypeVar("Found")


class QuotaPolicy(msgspec.Struct, frozen=True):
    """One policy of `RateLimit-Policy`.

    quota: how much may be used in a window. window_s: how long that is; None: not said.
    unit: what is counted: "requests" unless said. partition: whose quota it is; None: not said.
    """

    name: str
    quota: int
    window_s: int | None = None
    unit: str = "requests"
    partition: bytes | None = None


class QuotaLeft(msgspec.Struct, frozen=True):
    """What is left of one policy, in `RateLimit`. reset_s: until when that holds; None: not said."""

    name: str
    remaining: int
    reset_s: int | None = None
    partition: bytes | None = None


def parse_idempotency_key(values: Sequence[bytes]) -> IdempotencyKey | DropReason:
    """The key, without quotes: 1 or more of printable ASCII."""
    if not agree(values):
        return DropReason.REPEATED
    value = values[0].strip(OWS)
    if len(value) > KEY_LIMIT_BYTES:
        return DropReason.TOO_LONG
    if match := _QUOTED.fullmatch(value):
        return IdempotencyKey(match[1].decode())
    if _BARE.fullmatch(value):
        return IdempotencyKey(value.decode())
    key = _item(value, str) if value.startswith(b'"') else DropReason.MALFORMED
    if isinstance(key, DropReason):
        return key
    return IdempotencyKey(key) if key else DropReason.MALFORMED


def format_idempotency_key(key: str) -> bytes:
    """The header's value, quoted.

    Raises: ValueError if the key is empty or not printable ASCII.
    """
    if _KEY.fullmatch(key) is None:
        raise ValueError("idempotency key: must be 1 or more of printable ASCII")
    return b'"%b"' % key.replace("\\", r"\\").replace('"', r"\"").encode()


def parse_deprecation(values: Sequence[bytes]) -> int | DropReason:
    """Since when the resource is deprecated, or from when on it will be: seconds since 1970."""
    if not agree(values):
        return DropReason.REPEATED
    value = values[0].strip(OWS)
    if len(value) > _ITEM_LIMIT_BYTES:
        return DropReason.TOO_LONG
    found = _item(value, datetime)
    return found if isinstance(found, DropReason) else round(found.timestamp())


def format_deprecation(at_s: int) -> bytes:
    """The header's value. at_s: since 1970.

    Raises: ValueError outside the years 1 to 9999.
    """
    if at_s not in _DATES_S:
        raise ValueError(f"deprecation: {at_s} s since 1970 is not within the years 1 to 9999")
    return b"@%d" % at_s


def parse_ratelimit_policy(values: Sequence[bytes]) -> tuple[QuotaPolicy, ...] | DropReason:
    """The policies of all lines, in order."""
    return _list(values, _policy)


def parse_ratelimit(values: Sequence[bytes]) -> tuple[QuotaLeft, ...] | DropReason:
    """What is left by policy, of all lines, in order."""
    return _list(values, _left)


def format_ratelimit_policy(policies: Sequence[QuotaPolicy]) -> bytes:
    """The header's value; b"" for no policies.

    Raises: ValueError for a name or unit that is not printable ASCII, or a number of more than 15 digits.
    """
    return _written_list(
        (each.name, {"q": each.quota, "w": each.window_s, "qu": _unless_usual(each.unit), "pk": each.partition})
        for each in policies
    )


def format_ratelimit(left: Sequence[QuotaLeft]) -> bytes:
    """The header's value; b"" for nothing. Raises: as `format_ratelimit_policy`."""
    return _written_list((each.name, {"r": each.remaining, "t": each.reset_s, "pk": each.partition}) for each in left)


def _policy(name: str, parameters: dict[str, Any]) -> QuotaPolicy | None:
    quota, window_s = _natural(parameters, "q"), _natural(parameters, "w")
    unit, partition = parameters.get("qu", "requests"), parameters.get("pk")
    if quota is None or not isinstance(unit, str) or ("w" in parameters and window_s is None):
        return None
    return QuotaPolicy(name, quota, window_s, unit, partition) if isinstance(partition, bytes | None) else None


def _left(name: str, parameters: dict[str, Any]) -> QuotaLeft | None:
    remaining, reset_s = _natural(parameters, "r"), _natural(parameters, "t")
    partition = parameters.get("pk")
    if remaining is None or ("t" in parameters and reset_s is None):
        return None
    return QuotaLeft(name, remaining, reset_s, partition) if isinstance(partition, bytes | None) else None


def _natural(parameters: dict[str, Any], key: str) -> int | None:
    """An Integer of 0 or more; a Boolean is none."""
    found = parameters.get(key)
    return found if type(found) is int and found >= 0 else None


def _item(value: bytes, kind: type[Found]) -> Found | DropReason:
    """The bare item, if it is of this kind."""
    from http_sf import parse

    try:
        found = parse(value, tltype="item")
    except ValueError:
        return DropReason.MALFORMED
    bare = found[0] if isinstance(found, tuple) else found
    return bare if isinstance(bare, kind) else DropReason.MALFORMED


def _list(
    values: Sequence[bytes], member: Callable[[str, dict[str, Any]], Found | None]
) -> tuple[Found, ...] | DropReason:
    """The members of a list of Strings with parameters."""
    from http_sf import parse

    if wire_bytes(values) > _LIST_LIMIT_BYTES:
        return DropReason.TOO_LONG
    wire = b",".join(values)
    if wire.count(b",") + wire.count(b";") > _SEPARATORS_LIMIT_COUNT:
        return DropReason.TOO_MANY
    try:
        found: Any = parse(wire, tltype="list")
    except ValueError:
        return DropReason.MALFORMED
    members = [member(name, parameters) if isinstance(name, str) else None for name, parameters in found]
    whole = tuple(each for each in members if each is not None)
    return whole if len(whole) == len(members) else DropReason.MALFORMED


def _written_list(members: Iterable[tuple[str, Mapping[str, int | str | bytes | None]]]) -> bytes:
    from http_sf import ser

    items: Any = [
        (name, {key: value for key, value in parameters.items() if value is not None}) for name, parameters in members
    ]
    return ser(items).encode() if items else b""


def _unless_usual(unit: str) -> str | None:
    return None if unit == "requests" else unit
