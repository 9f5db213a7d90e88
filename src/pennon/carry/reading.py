"""From a member's value to its entries. Never raises, whatever the value is."""

from binascii import Error as NotBase64
from binascii import a2b_base64
from enum import StrEnum
from struct import Struct
from typing import Final, TypeAlias
from zlib import crc32

import msgspec

from pennon.carry.entries import with_entry
from pennon.carry.wire import ALPHABET, CRC_BYTES, CUT, FLAGS_GROUP_BYTES, HEAD_BYTES, ORIGINS, REPLAY, REVISION_BITS
from pennon.context import Entry

Arrived: TypeAlias = dict[tuple[int, int], tuple[Entry, ...]]

# `struct` has no width of 5 and none of 3. The head in halves of environment, epoch and fingerprint; then the minute.
_HEAD: Final = Struct(">BIBHBHI")
# Flag and variant in one, origin, and the first byte of the revision. There are four more bytes behind, the checksum's
# if no others, so that the second one can be read with it: most revisions have two.
_TO_REVISION: Final = Struct(">IBB")
_AND_ONE_MORE: Final = Struct(">IBBB")
_CHECKSUM: Final = Struct(">I")
_SHORTEST_GROUP_BYTES: Final = HEAD_BYTES + _TO_REVISION.size + CRC_BYTES
_ORIGINS: Final = ORIGINS
_ORIGIN_COUNT: Final = len(ORIGINS)
_SHIFTS: Final = tuple(range(7, REVISION_BITS, 7))

# Into the alphabet that Python's decoder knows, and the three signs of it that are not ours into one it refuses.
_FROM_URL_SAFE: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_TRANSLATED: Final = ALPHABET.encode().translate(_FROM_URL_SAFE)
# By the length of a group modulo 4: the padding that the decoder wants, and the last characters whose trailing bits
# are zero. A remainder of 1 is no length; the decoder refuses it.
_PADDING: Final = (b"", b"", b"==", b"=")
_LAST: Final = (_TRANSLATED, _TRANSLATED, _TRANSLATED[::16], _TRANSLATED[::4])


class GroupFault(StrEnum):
    """Why a group was dropped; the first of these that holds, in this order."""

    ENCODING = "encoding"
    """Empty, a foreign character, an impossible length, or trailing bits that are not zero."""
    LENGTH = "length"
    """Neither a flags group nor long enough for one decision."""
    CHECKSUM = "checksum"
    """The CRC-32 is another."""
    DECISION = "decision"
    """An unknown origin, a revision not in its shortest form or too long, or a decision that does not end in time."""


class Decoded(msgspec.Struct, frozen=True):
    """What a member said.

    arrived: its entries as a ledger takes them: (environment id, flag id) -> entries, those of one epoch and unit by
        ascending revision, else in wire order.
    was_cut: some hop dropped decisions for the budget.
    is_replay: a record is being processed again on purpose.
    dropped: one fault for each group that was not taken, in wire order.
    is_plain: one group and no more, of as many flags as decisions: written again it is the same text.
    """

    arrived: Arrived
    was_cut: bool
    is_replay: bool
    dropped: tuple[GroupFault, ...]
    is_plain: bool = False

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, those of one environment and flag together."""
        return tuple(entry for entries in self.arrived.values() for entry in entries)


def decode(value: str) -> Decoded:
    """What a member's value carries. Several members are read as one: join their values with "."."""
    arrived: Arrived = {}
    faults: list[GroupFault] = []
    flags = 0
    count = 0
    # A character that is not ASCII becomes "?", which is as foreign.
    groups = value.encode("ascii", "replace").translate(_FROM_URL_SAFE).split(b".") if value else ()
    for group in groups:
        raw = _bytes_of(group)
        if raw is None:
            faults.append(GroupFault.ENCODING)
        elif len(raw) != FLAGS_GROUP_BYTES and len(raw) < _SHORTEST_GROUP_BYTES:
            faults.append(GroupFault.LENGTH)
        elif crc32(raw[:-CRC_BYTES]) != _CHECKSUM.unpack_from(raw, -CRC_BYTES)[0]:
            faults.append(GroupFault.CHECKSUM)
        elif len(raw) == FLAGS_GROUP_BYTES:
            # Bits that this version does not know are left alone: a later version takes another key.
            flags |= raw[0]
        else:
            entries = _entries_of(raw)
            if entries is None:
                faults.append(GroupFault.DECISION)
                continue
            count = len(entries)
            for entry in entries:
                # Of one environment, epoch, unit, flag and revision the first entry wins.
                flag = (entry.environment, entry.flag_id)
                earlier = arrived.get(flag)
                arrived[flag] = (entry,) if earlier is None else with_entry(earlier, entry)
    is_plain = len(groups) == 1 and 0 < count == len(arrived)
    return Decoded(arrived, bool(flags & CUT), bool(flags & REPLAY), tuple(faults), is_plain)


def _bytes_of(group: bytes) -> bytes | None:
    """The bytes of a group, or None if it is not base64url in the one spelling that is allowed."""
    remainder = len(group) & 3
    if not group or group[-1] not in _LAST[remainder]:
        return None
    try:
        return a2b_base64(group + _PADDING[remainder], strict_mode=True)
    except NotBase64:
        return None


def _entries_of(raw: bytes) -> list[Entry] | None:
    """The decisions of a group whose checksum was right, or None if one of them is malformed."""
    environment_high, environment_low, epoch_high, epoch_low, unit_high, unit_low, minute = _HEAD.unpack_from(raw)
    environment = environment_high << 32 | environment_low
    epoch = epoch_high << 16 | epoch_low
    fingerprint = unit_high << 16 | unit_low
    entries = []
    at, end = HEAD_BYTES, len(raw) - CRC_BYTES
    unpack, shortest = _AND_ONE_MORE.unpack_from, _TO_REVISION.size
    while at < end:
        if end - at < shortest:
            return None
        flag_and_variant, origin, revision, second = unpack(raw, at)
        at += shortest
        if revision > 0x7F:
            if 0 < second <= 0x7F and at < end:
                revision += second - 1 << 7  # as `_long_revision` would
                at += 1
            else:
                revision, at = _long_revision(raw, revision, at, end)
        if revision < 0 or origin >= _ORIGIN_COUNT:
            return None
        flag_id, variant_id = flag_and_variant >> 8, flag_and_variant & 0xFF
        entries.append(Entry(environment, epoch, fingerprint, minute, flag_id, variant_id, _ORIGINS[origin], revision))
    return entries


def _long_revision(raw: bytes, revision: int, at: int, end: int) -> tuple[int, int]:
    """A LEB128 number from its second byte on, and where it ends; -1 if it does not end well."""
    for shift in _SHIFTS:
        if at == end:
            break
        byte = raw[at]
        at += 1
        # Less one: the byte before said with its highest bit, which is this one's lowest, that this one follows.
        revision += byte - 1 << shift
        if byte <= 0x7F:
            # A last byte of zero says nothing: the number has a shorter form.
            return (revision if byte else -1), at
    return -1, at
