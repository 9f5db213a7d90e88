"""From a ledger to a member's value."""

from binascii import b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from zlib import crc32

import msgspec

from pennon.carry.leaving import Group, Row, row_of, rows_leaving
from pennon.carry.wire import BUDGET_BYTES, CRC_BYTES, CUT, FLAGS_GROUP_BYTES, HEAD_BYTES, REPLAY
from pennon.context import Entry, Ledger

_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class Encoded(msgspec.Struct, frozen=True):
    """What a member says.

    value: "" if there is nothing to say; then no member is sent.
    cut_count: how many decisions did not fit the budget, oldest first.
    """

    value: str
    cut_count: int


_NOTHING: Final = Encoded("", 0)


def encode(ledger: Ledger, *, budget_bytes: int = BUDGET_BYTES, is_replay: bool = False) -> Encoded:
    """The member's value for a request that leaves: its decisions, and those that arrived and were not replaced.

    budget_bytes: of the value; over it whole decisions go, the oldest first.
    is_replay: the mark travels even where no decision does.
    What was written last is remembered in the ledger, for the request's next call.
    """
    # Everything that changes what leaves: decisions are entered or taken away, entries come from responses. Looked at
    # before the rest, so that what comes meanwhile makes the memory void.
    was_cut = ledger.was_cut
    state = (len(ledger.made), len(ledger.withdrawn), len(ledger.returned), was_cut, is_replay, budget_bytes)
    remembered = ledger.encoded
    if remembered is not None and remembered[0] == state:
        encoded: Encoded = remembered[1]
        return encoded
    encoded = _encoded(rows_leaving(ledger), _flags(was_cut=was_cut, is_replay=is_replay), budget_bytes)
    ledger.encoded = (state, encoded)
    return encoded


def remember_arrived(ledger: Ledger, value: str) -> None:
    """Keep what arrived as what leaves while nothing is added. value: written again, it would be the same text."""
    if len(value) <= BUDGET_BYTES:
        ledger.encoded = ((0, 0, 0, False, False, BUDGET_BYTES), Encoded(value, 0))


def encode_entries(
    entries: Sequence[Entry], *, was_cut: bool = False, is_replay: bool = False, budget_bytes: int = BUDGET_BYTES
) -> Encoded:
    """The value that says these entries, made in this order.

    Of more than fit, those stay that were decided latest, and of one minute those made latest.
    """
    return _encoded(list(map(row_of, entries)), _flags(was_cut=was_cut, is_replay=is_replay), budget_bytes)


def _flags(*, was_cut: bool, is_replay: bool) -> int:
    return (CUT if was_cut else 0) | (REPLAY if is_replay else 0)


def _encoded(rows: Sequence[Row], flags: int, budget_bytes: int) -> Encoded:
    if not rows and not flags:
        return _NOTHING
    value = _joined(rows, flags)
    if len(value) <= budget_bytes:
        return Encoded(value, 0)
    # What is left of the budget beside the dot and the group that says so.
    kept = _newest_that_fit(rows, budget_bytes - 1 - _text_length(FLAGS_GROUP_BYTES))
    value = _joined(kept, flags | CUT)
    # A budget below a flags group is no budget: nothing leaves.
    return Encoded(value if len(value) <= budget_bytes else "", len(rows) - len(kept))


def _joined(rows: Sequence[Row], flags: int) -> str:
    """The groups of these rows, each with all its decisions, in the order of the rows."""
    groups: dict[Group, list[bytes]] = {}
    parts: list[bytes] = []
    before = None
    for row in rows:
        group = row[:4]
        if group != before:  # mostly it is the one before
            before = group
            if group in groups:
                parts = groups[group]
            else:
                environment, epoch, fingerprint, minute = group
                head = environment << 80 | epoch << 56 | fingerprint << 32 | minute
                parts = groups[group] = [head.to_bytes(HEAD_BYTES, "big")]
        parts.append(_decision_bytes(*row[4:]))
    texts = [_checked(b"".join(parts)) for parts in groups.values()]
    if flags:
        texts.append(_checked(bytes((flags,))))
    return b".".join(texts).translate(_TO_URL_SAFE).decode("ascii")


def _checked(body: bytes) -> bytes:
    # Faster than to ask for no newline.
    return b2a_base64(body + crc32(body).to_bytes(CRC_BYTES, "big")).rstrip(b"=\n")


# The flags that are asked about have few variants and fewer revisions.
@lru_cache(maxsize=4_096)
def _decision_bytes(flag_id: int, variant_id: int, origin: int, revision: int) -> bytes:
    out = bytearray((flag_id << 16 | variant_id << 8 | origin).to_bytes(5, "big"))
    while revision > 0x7F:
        out.append(revision & 0x7F | 0x80)
        revision >>= 7
    out.append(revision)
    return bytes(out)


def _newest_that_fit(rows: Sequence[Row], room: int) -> list[Row]:
    """The latest rows, in their order, whose groups with the dots between them are at most `room` long."""
    kept = []
    sizes: dict[Group, int] = {}
    length = -1  # no dot stands before the first group
    # Sorting is stable: of one minute, the one made first is the older.
    for index in sorted(range(len(rows)), key=lambda at: rows[at][3])[::-1]:
        group, decision = rows[index][:4], rows[index][4:]
        size = sizes.get(group)
        if size is None:
            size = HEAD_BYTES + CRC_BYTES
            length += 1
        else:
            length -= _text_length(size)
        size += len(_decision_bytes(*decision))
        length += _text_length(size)
        if length > room:
            break
        sizes[group] = size
        kept.append(index)
    return [rows[index] for index in sorted(kept)]


def _text_length(byte_count: int) -> int:
    """Characters of unpadded base64: 4 for 3 bytes, rounded up."""
    return (byte_count * 4 + 2) // 3
