"""Which members of a baggage header are let in, and whose.

Rules. The header's size is looked at before its members, a member's key before its value: what will not be kept is
never decoded. Ours are taken from verified senders alone. What was decoded holds no line break, and fits what its key
is declared for; a stranger's properties, of which nobody has declared any, are taken off. What is kept has a budget;
what is beyond it is not decoded either.
"""

import re
from collections.abc import Sequence
from operator import itemgetter
from typing import Final, TypeAlias

import msgspec

from pennon.context import Member
from pennon.headers.allowlist import AllowList
from pennon.headers.baggage import (
    READ_LIMIT_COUNT,
    RawMember,
    all_decoded,
    decoded,
    decoded_bytes,
    keys_of,
    least_bytes,
    pieces_of,
    raw_member,
)
from pennon.headers.fields import BaggagePolicy, UnknownMembers
from pennon.headers.grammar import BAGGAGE, OWN_PREFIX, OWS, is_own_key
from pennon.headers.report import NAMED_LIMIT_COUNT, Drop, DropReason, member_drop, member_drops

# Decoded, a value with one of these makes two log lines, or two headers, of one.
_UNSAFE: Final = re.compile("[\r\n\0]")
# Ours as we write them: nothing to decode.
_OURS: Final = re.compile(rf"({OWN_PREFIX}[A-Za-z0-9]*+)=([A-Za-z0-9._\-]*+)".encode())
_OWN_OCTETS: Final = OWN_PREFIX.encode()
# We write one. Of more so many are read where there is more baggage than is kept; decoding what each holds costs 3 µs.
_OURS_LIMIT_COUNT: Final = 4
_OWN_RANK: Final = -1
_RANK: Final = itemgetter(0)
# Rank, place in the header, and key of a member.
_Ranked: TypeAlias = tuple[int, int, str]
_UNKNOWN_RANK: Final = 1_000_000
_MALFORMED: Final = Drop(BAGGAGE, DropReason.MALFORMED)
# Its own name, because looking a member up in its enum costs as much as dropping it.
_NOT_TRUSTED: Final = DropReason.NOT_TRUSTED
# So many members are read in vain, because they are malformed or do not fit; then the others are not.
_PATIENCE_COUNT: Final = 8
# About 50 kB at most.
_REMEMBERED_COUNT: Final = 256
_REMEMBERED_BYTES: Final = 64


class Admitted(msgspec.Struct, frozen=True):
    """What was let in: the members that are not ours, and ours, in order; and what was not.

    is_too_long: the header is longer than the policy allows; nothing of it was read.
    """

    members: tuple[Member, ...] = ()
    ours: tuple[Member, ...] = ()
    dropped: tuple[Drop, ...] = ()
    is_too_long: bool = False


NOTHING: Final = Admitted()


def admit(
    values: Sequence[bytes],
    policy: BaggagePolicy,
    allow: AllowList,
    *,
    is_trusted: bool,
    remembered: dict[bytes, Member],
    limit_count: int = READ_LIMIT_COUNT,
) -> Admitted:
    """The members of all the header's lines that this sender may bring.

    allow: what the policy allows. remembered: members of declared keys as they were read of such senders, by what stood
    between the commas; a few values that come again and again. It grows to a limit. limit_count: of how many
    members the keys are looked at, where they cannot all be kept.
    """
    wire = values[0] if len(values) == 1 else b",".join(values)
    if len(wire) > policy.wire_max_bytes:
        return Admitted(is_too_long=True)
    # Decoded, a member is no longer: what fits as it is fits decoded.
    if len(wire) <= policy.max_bytes and wire.count(b",") < policy.max_members:
        return _all_of(wire, policy, allow, is_trusted=is_trusted, remembered=remembered)
    pieces, dropped = pieces_of(values, limit_count)
    if dropped and is_trusted:
        pieces = _with_ours(pieces, wire)
    members: list[Member] = []
    ours: list[Member] = []
    for member in _some_of(pieces, policy, allow, dropped, is_trusted=is_trusted):
        (ours if is_own_key(member.key) else members).append(member)
    return Admitted(tuple(members), tuple(ours), tuple(dropped))


def _with_ours(pieces: list[bytes], wire: bytes) -> list[bytes]:
    """The same, with members of ours wherever they stand: we write them last."""
    ours: list[bytes] = []
    at = wire.find(_OWN_OCTETS)
    while at >= 0 and len(ours) < _OURS_LIMIT_COUNT:
        begin, end = wire.rfind(b",", 0, at) + 1, wire.find(b",", at)
        if not wire[begin:at].strip(OWS):
            ours.append(wire[at:] if end < 0 else wire[at:end])
        at = -1 if end < 0 else wire.find(_OWN_OCTETS, end)
    return [*ours, *(piece for piece in pieces if not piece.startswith(_OWN_OCTETS))] if ours else pieces


def _all_of(
    wire: bytes, policy: BaggagePolicy, allow: AllowList, *, is_trusted: bool, remembered: dict[bytes, Member]
) -> Admitted:
    """The members of a header that is within the budget."""
    members: list[Member] = []
    ours: list[Member] = []
    dropped: list[Drop] = []
    for piece in wire.split(b","):
        member = remembered.get(piece)
        if member is not None:
            members.append(member)
            continue
        match = _OURS.fullmatch(piece)
        if match is not None:
            if is_trusted:
                ours.append(Member(match[1].decode(), match[2].decode()))
            else:
                dropped.append(member_drop(BAGGAGE, match[1].decode(), _NOT_TRUSTED))
            continue
        member = _read(piece.lstrip(OWS), policy, allow, dropped, is_trusted=is_trusted)
        if member is None:
            continue
        if is_own_key(member.key):
            ours.append(member)
            continue
        members.append(member)
        if member.key in allow and len(piece) <= _REMEMBERED_BYTES and not dropped:
            if len(remembered) >= _REMEMBERED_COUNT:
                remembered.clear()
            remembered[piece] = member
    return Admitted(tuple(members), tuple(ours), tuple(dropped))


def _read(
    piece: bytes, policy: BaggagePolicy, allow: AllowList, dropped: list[Drop], *, is_trusted: bool
) -> Member | None:
    """The member, if there is one and this sender may bring it."""
    if not piece:
        return None
    raw = raw_member(piece)
    if raw is None:
        dropped.append(_MALFORMED)
        return None
    keeps_unknown = is_trusted and policy.on_unknown is UnknownMembers.KEEP_IN_MESH
    reason = _unwanted(_rank(raw.key, allow), is_trusted=is_trusted, keeps_unknown=keeps_unknown)
    if reason is None:
        return _fitting(raw, decoded(raw), allow, dropped, is_trusted=is_trusted)
    dropped.append(member_drop(BAGGAGE, raw.key, reason))
    return None


def _some_of(
    pieces: Sequence[bytes],
    policy: BaggagePolicy,
    allow: AllowList,
    dropped: list[Drop],
    *,
    is_trusted: bool,
) -> list[Member]:
    """The members of one that may be over it: keys are looked at first, and what will not be kept is not read.

    First ours, then known ones by their rank, then unknown ones; each from the first, until the budget is used up.
    """
    ours: list[_Ranked] = []
    known: list[_Ranked] = []
    unknown: list[_Ranked] = []
    malformed_count = 0
    keys = keys_of(pieces)
    for place, (key, rank) in enumerate(zip(keys, allow.ranks(keys), strict=True)):
        if key is None:
            malformed_count += 1
        elif key[: len(OWN_PREFIX)] == OWN_PREFIX:
            ours.append((_OWN_RANK, place, key))
        elif rank is None:
            unknown.append((_UNKNOWN_RANK, place, key))
        else:
            known.append((rank, place, key))
    known.sort(key=_RANK)
    keeps_unknown = is_trusted and policy.on_unknown is UnknownMembers.KEEP_IN_MESH
    wanted: list[_Ranked] = []
    for ranked in (ours, known, unknown):
        reason = _unwanted(ranked[0][0], is_trusted=is_trusted, keeps_unknown=keeps_unknown) if ranked else None
        if reason is None:
            wanted += ranked
        else:
            _drop(dropped, [key for _, _, key in ranked], reason)
    if len(ours) > _OURS_LIMIT_COUNT and is_trusted:
        _drop(dropped, [key for _, _, key in ours[_OURS_LIMIT_COUNT:]], DropReason.TOO_MANY)
        del wanted[_OURS_LIMIT_COUNT : len(ours)]
    members = _best_of(wanted, pieces, policy, allow, dropped, is_trusted=is_trusted)
    if malformed_count:
        dropped.append(Drop(BAGGAGE, DropReason.MALFORMED, malformed_count))
    return members


def _best_of(
    ranked: Sequence[_Ranked],
    pieces: Sequence[bytes],
    policy: BaggagePolicy,
    allow: AllowList,
    dropped: list[Drop],
    *,
    is_trusted: bool,
) -> list[Member]:
    """As many members as the budget allows, in the order in which they came. ranked: rank, place and key of each."""
    kept: list[tuple[int, Member]] = []
    room_bytes = policy.max_bytes + 1
    patience = _PATIENCE_COUNT
    raws, members = _read_ahead(ranked, pieces, policy)
    for number, (_, place, key) in enumerate(ranked):
        if len(kept) == policy.max_members or not room_bytes or not patience:
            reason = DropReason.OVER_BUDGET if patience else DropReason.TOO_MANY
            _drop(dropped, [each for _, _, each in ranked[number:]], reason)
            break
        raw = raws[number] if number < len(raws) else raw_member(pieces[place])
        if raw is None:
            dropped.append(_MALFORMED)
            patience -= 1
            continue
        size_bytes = least_bytes(raw) if len(pieces[place]) >= room_bytes else 0
        if size_bytes < room_bytes:
            member = _fitting(raw, members.get(number) or decoded(raw), allow, dropped, is_trusted=is_trusted)
            if member is None:
                patience -= 1
                continue
            size_bytes = decoded_bytes(member)
            if size_bytes < room_bytes:
                kept.append((place, member))
                room_bytes -= size_bytes + 1
                continue
        dropped.append(member_drop(BAGGAGE, key, DropReason.OVER_BUDGET))
        patience -= 1
        if size_bytes <= policy.max_bytes:
            # Those behind it matter less; one that alone exceeds the budget stands in nobody's way.
            room_bytes = 0
    kept.sort()
    return [member for _, member in kept]


def _read_ahead(
    ranked: Sequence[_Ranked], pieces: Sequence[bytes], policy: BaggagePolicy
) -> tuple[list[RawMember | None], dict[int, Member]]:
    """As many members as may be kept, None where one is malformed; and those that may fit, by their number, as text."""
    raws = [raw_member(pieces[place]) for _, place, _ in ranked[: policy.max_members]]
    wanted: dict[int, RawMember] = {}
    room_bytes = policy.max_bytes
    for number, raw in enumerate(raws):
        if raw is not None and (size_bytes := least_bytes(raw)) <= room_bytes:
            room_bytes -= size_bytes
            wanted[number] = raw
    return raws, dict(zip(wanted, all_decoded(list(wanted.values())), strict=True)) if wanted else {}


def _fitting(
    raw: RawMember, member: Member, allow: AllowList, dropped: list[Drop], *, is_trusted: bool
) -> Member | None:
    """The decoded member, if its value may stand there; of a stranger without properties."""
    if member.properties and not is_trusted:
        dropped.append(member_drop(BAGGAGE, f"{member.key};", _NOT_TRUSTED))
        member = Member(member.key, member.value)
    # Undecoded, no value holds a line break, and each of the three is written so.
    reason = DropReason.UNSAFE if b"%0" in raw.value and _UNSAFE.search(member.value) else None
    reason = reason or allow.unfit(member.key, member.value)
    if reason is None:
        return member
    dropped.append(member_drop(BAGGAGE, member.key, reason))
    return None


def _drop(dropped: list[Drop], keys: Sequence[str], reason: DropReason) -> None:
    """Tell of members, the first by name."""
    dropped += member_drops(BAGGAGE, keys, reason, limit_count=NAMED_LIMIT_COUNT - len(dropped))


def _rank(key: str, allow: AllowList) -> int:
    """How important a key is: ours, then those that are allowed in their order, then the others."""
    return _OWN_RANK if key.startswith(OWN_PREFIX) else allow.get(key, _UNKNOWN_RANK)


def _unwanted(rank: int, *, is_trusted: bool, keeps_unknown: bool) -> DropReason | None:
    """Why a member whose key has this rank is not even decoded; None if it is wanted."""
    if rank == _OWN_RANK:
        return None if is_trusted else _NOT_TRUSTED
    return None if keeps_unknown or rank != _UNKNOWN_RANK else DropReason.UNKNOWN
