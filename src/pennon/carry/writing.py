"""From a ledger to a member's value."""

from binascii import b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeAlias
from zlib import crc32

import msgspec

from pennon.carry.leaving import entries_leaving
from pennon.carry.wire import BUDGET_BYTES, CRC, CUT, DECISION, FLAGS_GROUP_BYTES, HEAD, REPLAY
from pennon.context import Entry, Ledger

_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")

# Environment, epoch, fingerprint, minute.
_Group: TypeAlias = tuple[int, int, int, int]


class Encoded(msgspec.Struct, frozen=True):
    """What a member says.

    value: "" if there is nothing to say; then no member is sent.
    cut_count: how many decisions did not fit the budget, oldest first.
    """

    value: str
    cut_count: int


def encode(ledger: Ledger, *, budget_bytes: int = BUDGET_BYTES, is_replay: bool = False) -> Encoded:
    """The member's value for a request that leaves: its decisions, and those that arrived and were not replaced.

    budget_bytes: of the value; over it whole decisions go, the oldest first.
    is_replay: the mark travels even where no decision does.
    """
    entries = entries_leaving(ledger)
    if not entries and not is_replay and not ledger.was_cut:
        return Encoded("", 0)
    return encode_entries(entries, was_cut=ledger.was_cut, is_replay=is_replay, budget_bytes=budget_bytes)


def encode_entries(
    entries: Sequence[Entry], *, was_cut: bool = False, is_replay: bool = False, budget_bytes: int = BUDGET_BYTES
) -> Encoded:
    """The value that says these entries, made in this order.

    Of more than fit, those stay that were decided latest, and of one minute those made latest.
    """
    flags = (CUT if was_cut else 0) | (REPLAY if is_replay else 0)
    value = _joined(_grouped(entries), flags)
    if len(value) <= budget_bytes:
        return Encoded(value, 0)
    # What is left of the budget beside the dot and the group that says so.
    kept = _newest_that_fit(entries, budget_bytes - 1 - _text_length(FLAGS_GROUP_BYTES))
    value = _joined(_grouped(kept), flags | CUT)
    # A budget below a flags group is no budget: nothing leaves.
    return Encoded(value if len(value) <= budget_bytes else "", len(entries) - len(kept))


def _grouped(entries: Sequence[Entry]) -> dict[_Group, bytearray]:
    """The bytes of all decisions of a group, by what the group says of them; in the order of the entries."""
    groups: dict[_Group, bytearray] = {}
    for entry in entries:
        group = (entry.environment, entry.epoch, entry.fingerprint, entry.decided_min)
        decisions = groups.get(group)
        if decisions is None:
            groups[group] = bytearray(_decision_bytes(entry))
        else:
            decisions += _decision_bytes(entry)
    return groups


def _decision_bytes(entry: Entry) -> bytes:
    flag_id = entry.flag_id
    return DECISION.pack(flag_id >> 16, flag_id & 0xFFFF, entry.variant_id, entry.origin) + _leb128(entry.revision)


# The flags of a ruleset share few revisions, and those that are asked about together, fewer still.
@lru_cache(maxsize=4_096)
def _leb128(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _joined(groups: dict[_Group, bytearray], flags: int) -> str:
    texts = [_checked(_head_bytes(group) + decisions) for group, decisions in groups.items()]
    if flags:
        texts.append(_checked(bytes((flags,))))
    return b".".join(texts).decode("ascii")


def _head_bytes(group: _Group) -> bytes:
    environment, epoch, fingerprint, minute = group
    return HEAD.pack(
        environment >> 32,
        environment & 0xFFFF_FFFF,
        epoch >> 16,
        epoch & 0xFFFF,
        fingerprint >> 16,
        fingerprint & 0xFFFF,
        minute,
    )


def _checked(body: bytes) -> bytes:
    raw = body + CRC.pack(crc32(body))
    return b2a_base64(raw, newline=False).translate(_TO_URL_SAFE).rstrip(b"=")


def _newest_that_fit(entries: Sequence[Entry], room: int) -> list[Entry]:
    """The latest entries, in their order, whose groups with the dots between them are at most `room` long."""
    kept = []
    sizes: dict[_Group, int] = {}
    length = -1  # no dot stands before the first group
    # Sorting is stable: of one minute, the one made first is the older.
    for index in sorted(range(len(entries)), key=lambda at: entries[at].decided_min)[::-1]:
        entry = entries[index]
        group = (entry.environment, entry.epoch, entry.fingerprint, entry.decided_min)
        size = sizes.get(group)
        if size is None:
            size = HEAD.size + CRC.size
            length += 1
        else:
            length -= _text_length(size)
        size += len(_decision_bytes(entry))
        length += _text_length(size)
        if length > room:
            break
        sizes[group] = size
        kept.append(index)
    return [entries[index] for index in sorted(kept)]


def _text_length(byte_count: int) -> int:
    """Characters of unpadded base64: 4 for 3 bytes, rounded up."""
    return (byte_count * 4 + 2) // 3
