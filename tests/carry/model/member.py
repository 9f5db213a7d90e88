"""The wire format once more, for reading: what a member says, by docs/reference/wire.md alone."""

import base64
import binascii
import re
import zlib
from typing import NamedTuple

from pennon.context import Origin

_GROUP = re.compile("[A-Za-z0-9_-]+")


class Written(NamedTuple):
    """One decision as it stands on the wire."""

    environment: int
    epoch: int
    fingerprint: int
    minute: int
    flag_id: int
    variant_id: int
    origin: Origin
    revision: int


class Said(NamedTuple):
    """What a member says. bad_count: groups that are not what they must be."""

    decisions: tuple[Written, ...]
    was_cut: bool
    is_replay: bool
    bad_count: int


def said_by(value: str) -> Said:
    """What a value of the member `pennon` says."""
    decisions: list[Written] = []
    flags = bad_count = 0
    for group in value.split(".") if value else []:
        raw = _raw(group)
        if raw is None:
            bad_count += 1
        elif len(raw) == 1:
            flags |= raw[0]
        else:
            decisions += _decisions(raw)
    return Said(tuple(decisions), bool(flags & 1), bool(flags & 2), bad_count)


def _raw(group: str) -> bytes | None:
    if _GROUP.fullmatch(group) is None or len(group) % 4 == 1:
        return None
    try:
        raw = base64.urlsafe_b64decode(group + "=" * (-len(group) % 4))
    except binascii.Error:
        return None
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != group or len(raw) < 5:
        return None
    body, check = raw[:-4], int.from_bytes(raw[-4:], "big")
    return body if zlib.crc32(body) == check else None


def _decisions(body: bytes) -> list[Written]:
    number = int.from_bytes
    environment, epoch, fingerprint = number(body[:5], "big"), number(body[5:8], "big"), number(body[8:11], "big")
    minute, rest, found = number(body[11:15], "big"), body[15:], []
    while rest:
        flag_id, variant_id, origin = number(rest[:3], "big"), rest[3], Origin(rest[4])
        length = next(at for at in range(5, len(rest)) if rest[at] < 0x80) + 1
        revision = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(rest[5:length]))
        found.append(Written(environment, epoch, fingerprint, minute, flag_id, variant_id, origin, revision))
        rest = rest[length:]
    return found
