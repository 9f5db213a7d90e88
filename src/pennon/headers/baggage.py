"""W3C Baggage: the header `baggage`, and how it is kept within a budget.

Rules (Candidate Recommendation Snapshot of 2024-05-30, §3):
- A member is key=value with properties after ";". The key is a token; the value is baggage-octets, everything else
  and "%" percent-encoded as UTF-8. "+" is a plus, "=" may stand in a value, invalid UTF-8 becomes U+FFFD.
- Properties are opaque: kept exactly as received.
- Several headers are one list; the order stays, also of members with the same key.
- Members are dropped whole, never cut.
Reading is in two steps, so that what will not be kept is never decoded: the list is counted and split, then each
wanted member is decoded.
"""

import re
from binascii import a2b_qp, b2a_qp
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

import msgspec

from pennon.context import Member
from pennon.headers.grammar import BAGGAGE, OWS, TOKEN, are_token_octets, is_own_key, is_token
from pennon.headers.report import Drop, DropReason, member_drop

# §3.3.2: a platform must propagate 64 members. What stands beyond is not looked at, so that 8 kB of commas or of
# one-letter members cost little. Lower: a conforming caller loses members that our own policy might have kept.
READ_LIMIT_COUNT: Final = 64

# %x21 / %x23-2B / %x2D-3A / %x3C-5B / %x5D-7E
_OCTETS: Final = r"\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e"
_MEMBER: Final = re.compile(rf"({TOKEN})[ \t]*+=[ \t]*+([{_OCTETS}]*+)[ \t]*+(?:;([\x20-\x2b\x2d-\x7e\t]*+))?".encode())
# What stands between two commas. No empty one is at the end, or each start of a long one would be tried.
_NOTHING: Final = b"," + OWS
_PIECE: Final = re.compile(rb"[, \t]*+([^, \t][^,]*+)")
# "%" is a baggage-octet, and the one that must be encoded (§3.3.1.3).
_PLAIN: Final = re.compile(r"[\x21\x23\x24\x26-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*+")
# A list of members that stand in it as they are: nothing percent-encoded, no properties, one "=" in each.
_PLAIN_MEMBER: Final = rf"{TOKEN}=[\x21\x23\x24\x26-\x2b\x2d-\x3a\x3c\x3e-\x5b\x5d-\x7e]*+"
PLAIN_SYNTAX: Final = rf"{_PLAIN_MEMBER}(?:,{_PLAIN_MEMBER})*+"
_PLAIN_LIST: Final = re.compile(PLAIN_SYNTAX)
# MIME's quoted-printable (RFC 2045 §6.7) writes the same escapes with "=", and Python's codec for it reads and writes
# hundreds of them in the time that one takes here. What it writes otherwise, by what is its cause: it breaks lines as
# the text does, escapes a single dot and "=", and not these five. NUL stands for "=" until the escapes are ours.
_FROM_MIME: Final = (
    (b"\r\n", b"=\r\n", b""), (b".", b"=2E", b"."), (b"=", b"=3D", b"\0"),
    (b"%", b"%", b"=25"), (b'"', b'"', b"=22"), (b",", b",", b"=2C"), (b";", b";", b"=3B"), (b"\\", b"\\", b"=5C"),
)  # fmt: skip
_OUR_ESCAPES: Final = bytes.maketrans(b"=\0", b"%=")
_MIME_ESCAPES: Final = bytes.maketrans(b"%", b"=")
# Likewise it takes each "=" for an escape: ours stand aside as an octet that no UTF-8 holds, and where that was escaped
# another is as invalid. It leaves "=" where it escapes nothing, but for the first of two, and one at the end.
_EQUALS: Final = b"\xff"
_PROPERTIES: Final = re.compile(r"[\x20-\x2b\x2d-\x7e\t]*")


class RawMember(msgspec.Struct, frozen=True, gc=False):
    """A member whose key is known and whose value has not been decoded."""

    key: str
    value: bytes
    properties: str


class Baggage(msgspec.Struct, frozen=True):
    """Parsed baggage: its members in order, and what was dropped."""

    members: tuple[Member, ...] = ()
    dropped: tuple[Drop, ...] = ()


def parse_baggage(values: Sequence[bytes]) -> Baggage:
    """The members of all the header's lines, as one list. For any bytes: what is malformed is dropped, member-wise."""
    raw, dropped = split_baggage(values)
    return Baggage(tuple(all_decoded(raw)), tuple(dropped))


def format_baggage(members: Iterable[Member]) -> bytes:
    """The header's value; b"" for no members.

    Raises: ValueError for a member that is not `is_writable`; one that was parsed always is.
    """
    return join_baggage(map(_checked, members))


def join_baggage(members: Iterable[Member]) -> bytes:
    """As `format_baggage`, of members that are known to be writable."""
    members = tuple(members)
    text = "\n".join([member.value for member in members])
    if "\r" in text or text.count("\n") >= len(members):
        return b",".join(map(_written, members))
    # All values for the cost of one.
    return b",".join(map(_with_value, members, _escaped(text, has_lines=True).split(b"\n")))


def plain_baggage(members: Sequence[Member], *, max_bytes: int) -> bytes | None:
    """The header's value at a third of the cost, if every member can stand in it as it is and all fit.

    max_bytes: of the members decoded with the commas between them, which then is as long as on the wire.
    None: there is something to encode, to leave out or to look at: take the long way.
    """
    # A semicolon is never plain.
    text = ",".join([";" if each.properties else f"{each.key}={each.value}" for each in members])
    if len(text) > max_bytes or _PLAIN_LIST.fullmatch(text) is None or text.count("=") != len(members):
        return None
    return text.encode()


def split_baggage(values: Sequence[bytes]) -> tuple[list[RawMember], list[Drop]]:
    """The first 64 members, undecoded, and what was dropped."""
    pieces, dropped = pieces_of(values)
    raw = []
    for piece in pieces:
        member = raw_member(piece)
        if member is None:
            dropped.append(Drop(BAGGAGE, DropReason.MALFORMED))
        else:
            raw.append(member)
    return raw, dropped


def pieces_of(values: Sequence[bytes], limit_count: int = READ_LIMIT_COUNT) -> tuple[list[bytes], list[Drop]]:
    """What stands between the commas, the first ones that are not empty; and what was dropped."""
    wire = values[0] if len(values) == 1 else b",".join(values)
    wire = wire.strip(_NOTHING)
    pieces = [piece.lstrip(OWS) for piece in wire.split(b",", limit_count)]
    if not all(pieces):
        # Empty ones are skipped at no cost in objects: there may be thousands.
        pieces = [match[1] for match in islice(_PIECE.finditer(wire), limit_count + 1)]
    if len(pieces) <= limit_count:
        return pieces, []
    pieces.pop()
    return pieces, [Drop(BAGGAGE, DropReason.TOO_MANY)]


def keys_of(pieces: Sequence[bytes]) -> list[str | None]:
    """The key of each piece, whatever its value is; None if it has none."""
    keys = [piece.partition(b"=")[0] for piece in pieces]
    if all(keys) and are_token_octets(b"".join(keys)):
        # Between two commas there is none.
        return list(b",".join(keys).decode().split(",")) if keys else []
    trimmed = [key.rstrip(OWS) for key in keys]
    return [key.decode() if key and are_token_octets(key) else None for key in trimmed]


def raw_member(piece: bytes) -> RawMember | None:
    """What stands between two commas, without white space before it; None if it is no member."""
    match = _MEMBER.fullmatch(piece)
    if match is None:
        return None
    key, value, properties = match.groups()
    return RawMember(key.decode(), value, properties.rstrip().decode() if properties else "")


def decoded(raw: RawMember) -> Member:
    """The member with its value as text."""
    value = raw.value
    if b"%" not in value:
        return Member(raw.key, value.decode(), raw.properties)
    return Member(raw.key, _unescaped(value).decode("utf-8", "replace"), raw.properties)


def all_decoded(raws: Sequence[RawMember]) -> list[Member]:
    """The same of several, for the cost of one."""
    octets = _unescaped(b"\0".join([raw.value for raw in raws]))
    # One holds a NUL itself, or there are none.
    if octets.count(b"\0") != len(raws) - 1:
        return list(map(decoded, raws))
    texts = octets.decode("utf-8", "replace").split("\0")
    return [Member(raw.key, text, raw.properties) for raw, text in zip(raws, texts, strict=True)]


def least_bytes(raw: RawMember) -> int:
    """What a member takes of the budget at least, which is known before it is decoded."""
    value, properties = raw.value, raw.properties
    # What is no UTF-8 becomes longer, nothing becomes shorter.
    length = len(value) - 2 * value.count(b"%")
    return len(raw.key) + 1 + length + (len(properties) + 1 if properties else 0)


def is_writable(member: Member) -> bool:
    """Whether the member can stand in a header; any value can."""
    properties = member.properties
    return is_token(member.key) and (not properties or _PROPERTIES.fullmatch(properties) is not None)


def decoded_bytes(member: Member) -> int:
    """How much of the budget a member takes: its length with the value as UTF-8, not percent-encoded."""
    value, properties = member.value, member.properties
    length = len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    return len(member.key) + 1 + length + (len(properties) + 1 if properties else 0)


def encoded_bytes(member: Member) -> int:
    """How long a member is on the wire."""
    return len(_written(member))


def fit_baggage(
    members: Sequence[Member],
    *,
    priorities: Mapping[str, int],
    max_bytes: int,
    max_members: int,
    size_bytes: Callable[[Member], int] = decoded_bytes,
) -> Baggage:
    """As many members as the budget allows, in order.

    First go members that alone exceed it; then unknown ones, then known ones of the lowest priority, each from the
    last. priorities: of known keys, 0 is the highest; ours come before all of them. The commas between members count.
    """
    sizes = [size_bytes(member) for member in members]
    total = sum(sizes) + len(sizes) - 1
    if total <= max_bytes and len(sizes) <= max_members:
        return Baggage(tuple(members))
    gone = {place for place, size in enumerate(sizes) if size > max_bytes}
    total -= sum(sizes[place] + 1 for place in gone)
    lowest_first = sorted(
        (place for place in range(len(sizes)) if place not in gone),
        key=lambda place: (_rank(members[place].key, priorities), place),
        reverse=True,
    )
    for place in lowest_first:
        if total <= max_bytes and len(sizes) - len(gone) <= max_members:
            break
        gone.add(place)
        total -= sizes[place] + 1
    return Baggage(
        tuple(member for place, member in enumerate(members) if place not in gone),
        tuple(member_drop(BAGGAGE, members[place].key, DropReason.OVER_BUDGET) for place in sorted(gone)),
    )


def _rank(key: str, priorities: Mapping[str, int]) -> int:
    return -1 if is_own_key(key) else priorities.get(key, len(priorities))


def _checked(member: Member) -> Member:
    if not is_writable(member):
        raise ValueError(f"baggage member {member.key[:64]!r}: the key must be a token, properties printable ASCII")
    return member


def _written(member: Member) -> bytes:
    value = member.value
    return _with_value(member, value.encode() if _PLAIN.fullmatch(value) else _escaped(value))


def _with_value(member: Member, escaped: bytes) -> bytes:
    written = b"%b=%b" % (member.key.encode(), escaped)
    return b"%b;%b" % (written, member.properties.encode()) if member.properties else written


def _escaped(value: str, *, has_lines: bool = False) -> bytes:
    """The value percent-encoded, by what encodes MIME in one go. has_lines: line breaks stay."""
    # Lone surrogates have no UTF-8; encoded like this they reach the reader as U+FFFD, not as an exception here.
    octets = value.encode("utf-8", "surrogatepass")
    escaped = b2a_qp(octets, quotetabs=True, istext=has_lines).replace(b"=\n", b"")
    for cause, found, written in _FROM_MIME:
        if cause in octets:
            escaped = escaped.replace(found, written)
    return escaped.translate(_OUR_ESCAPES)


def _unescaped(value: bytes) -> bytes:
    """What percent-encoded octets are, by what decodes MIME; a "%" that escapes nothing stays."""
    if b"=" not in value:
        octets = a2b_qp(value.translate(_MIME_ESCAPES))
        # Each whole escape is two octets shorter, and nothing else so much.
        if len(octets) + 2 * value.count(b"%") == len(value):
            return octets
    value = value.replace(b"%FF", b"%FE").replace(b"%Ff", b"%FE").replace(b"%fF", b"%FE").replace(b"%ff", b"%FE")
    value = value.replace(b"%3D", b"=").replace(b"%3d", b"=").replace(b"=", _EQUALS)
    value = value.replace(b"%%", b"%25%").replace(b"%%", b"%25%")
    octets = a2b_qp((value + b"25" if value.endswith(b"%") else value).translate(_MIME_ESCAPES))
    return octets.replace(b"=", b"%").replace(_EQUALS, b"=")
