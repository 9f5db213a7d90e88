"""W3C Trace Context level 2: the headers traceparent and tracestate.

Rules (Candidate Recommendation Draft of 2024-03-28, §3):
- traceparent: version "ff" is invalid; "00" is exactly 55 characters; of a higher version the first 55 are read and
  nothing or "-" follows them. Lower-case hex only. An all-zero trace id or parent id is invalid. Without one valid
  traceparent, tracestate is not read.
- Flags: bit 0 sampled and bit 1 random are kept as received, all others are written as 0. We write version "00".
- tracestate: at most 32 members, several headers are one list in order, empty members are allowed. A tracestate that
  breaks its grammar is dropped whole, and never takes traceparent with it.
- Its size is looked at before it is read: the longest that the grammar allows is 16,447 characters.
- A key that stands twice says two things about one position: its members are dropped, the others stay.
- Above 512 characters whole members go: those longer than 128 first, then from the end.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate, islice
from typing import Final

import msgspec

from pennon.context import SpanId, Trace, TraceId
from pennon.headers.grammar import OWS, TRACEPARENT, TRACESTATE, wire_bytes
from pennon.headers.report import Drop, DropReason, member_drops

SAMPLED: Final = 0x01
RANDOM: Final = 0x02
_KNOWN_FLAGS: Final = SAMPLED | RANDOM

MEMBERS_LIMIT_COUNT: Final = 32
# §3.3.1.5: vendors should propagate at least 512 characters; the requirement is that trace context stays below that.
STATE_LIMIT_CHARS: Final = 512
_LONG_MEMBER_CHARS: Final = 128
# 32 members of 256 + "=" + 256 characters and 31 commas.
_WIRE_LIMIT_BYTES: Final = 16_447

_PARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_USUAL_PARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-3]")
# The same with groups: trace id, parent id, the last digit of the flags.
PARENT_SYNTAX: Final = r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-0([0-3])"
_WRITTEN: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-3]")
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16

# §3.3.1.3.1 key, §3.3.1.3.2 value.
_KEY: Final = r"[a-z0-9][a-z0-9_\-*/@]{0,255}+"
_VALUE: Final = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}+(?<! )"
_MEMBER: Final = re.compile(rf"({_KEY})=({_VALUE})".encode())
# One member, as nearly everybody sends it.
STATE_SYNTAX: Final = f"{_KEY}={_VALUE}"
_LIST: Final = re.compile(rf"{_KEY}={_VALUE}(?:,{_KEY}={_VALUE}){{0,{MEMBERS_LIMIT_COUNT - 1}}}")

# The same for many members at once: what may stand in all their keys, first in a key, and in all their values.
_MEMBER_LIMIT_CHARS: Final = 256
_KEY_OCTETS: Final = b"abcdefghijklmnopqrstuvwxyz0123456789_-*/@"
_FIRST_OCTETS: Final = b"abcdefghijklmnopqrstuvwxyz0123456789"
_VALUE_OCTETS: Final = bytes(set(range(0x20, 0x7F)) - set(b",="))
# No empty one is at the end, or each start of a long one would be tried.
_NOTHING: Final = b"," + OWS
_PIECE: Final = re.compile(rb"[, \t]*+([^, \t][^,]*+)")

TRACE_RESTARTED: Final = Drop(TRACEPARENT, DropReason.RESTARTED)
STATE_RESTARTED: Final = Drop(TRACESTATE, DropReason.RESTARTED)

StateMembers = tuple[tuple[str, str], ...]


class TraceParent(msgspec.Struct, frozen=True, gc=False):
    """A traceparent, parsed. flags: only the bits sampled and random."""

    trace_id: TraceId
    parent_id: SpanId
    flags: int


class TraceState(msgspec.Struct, frozen=True):
    """A tracestate, parsed: its members in order, and what of it was dropped."""

    members: StateMembers = ()
    dropped: tuple[Drop, ...] = ()


class ReadState(msgspec.Struct, frozen=True):
    """A tracestate as it goes on; "" if nothing of it does. dropped: what does not."""

    value: str = ""
    dropped: tuple[Drop, ...] = ()


def parse_traceparent(value: bytes) -> TraceParent | None:
    """The parsed header, or None if it is invalid."""
    value = value.strip(OWS)
    if _USUAL_PARENT.fullmatch(value):
        text = value.decode()
        return TraceParent(TraceId(text[3:35]), SpanId(text[36:52]), int(text[54]))
    match = _PARENT.fullmatch(value)
    if match is None:
        return None
    version, trace, parent, flags, rest = match.groups()
    trace_id, parent_id = TraceId(trace.decode()), SpanId(parent.decode())
    if version == b"ff" or (version == b"00" and rest is not None) or trace_id == _NO_TRACE or parent_id == _NO_SPAN:
        return None
    return TraceParent(trace_id, parent_id, int(flags, 16) & _KNOWN_FLAGS)


def begun_trace(entropy: bytes, span_id: SpanId) -> Trace:
    """A trace that begins here. entropy: its first 16 bytes are random, and become the trace's id."""
    # Not sampled: nobody here has decided to record; all 16 bytes are random.
    return Trace(TraceId(nonzero(entropy[:16].hex())), span_id, None, RANDOM, "")


def nonzero(digits: str) -> str:
    """The id, or 1 in place of 0, which W3C reserves for "none"."""
    return digits if digits.strip("0") else digits[:-1] + "1"


def format_traceparent(trace_id: str, parent_id: str, flags: int) -> bytes:
    """The header, version 00. parent_id: the id of the span that the receiver continues."""
    return b"00-%b-%b-%02x" % (trace_id.encode(), parent_id.encode(), flags & _KNOWN_FLAGS)


def written_traceparent(trace_id: str, parent_id: str, flags: int) -> bytes | None:
    """As `format_traceparent`, or None where that would be no valid header."""
    text = f"00-{trace_id}-{parent_id}-0{flags & _KNOWN_FLAGS}"
    return text.encode() if _WRITTEN.fullmatch(text) else None


def parse_tracestate(values: Sequence[bytes]) -> TraceState:
    """The members of all the header's lines, as one list."""
    if len(values) == 1 and (match := _MEMBER.fullmatch(values[0])):
        return TraceState(((match[1].decode(), match[2].decode()),))
    if wire_bytes(values) > _WIRE_LIMIT_BYTES:
        return _refused(DropReason.TOO_LONG)
    wire = b",".join(values).strip(_NOTHING)
    if wire.count(b",") < MEMBERS_LIMIT_COUNT:
        pieces = wire.split(b",")
    else:
        # Empty members are skipped while the list is split, at no cost in objects.
        pieces = [match[1] for match in islice(_PIECE.finditer(wire), MEMBERS_LIMIT_COUNT + 1)]
        if len(pieces) > MEMBERS_LIMIT_COUNT:
            return _refused(DropReason.TOO_MANY)
    # A value's leading spaces are its own: only what stands before the key and after the value is OWS.
    trimmed = [piece.strip(OWS) for piece in pieces]
    members = [piece.partition(b"=") for piece in trimmed if piece]
    if not members:
        return TraceState()
    keys, _, said = zip(*members, strict=True)
    if not _are_keys(keys) or not _are_values(said):
        return _refused(DropReason.MALFORMED)
    return _without_repeated(list(zip(_texts(keys), _texts(said), strict=True)))


def read_tracestate(values: Sequence[bytes], *, limit_chars: int = STATE_LIMIT_CHARS) -> ReadState:
    """The header as it goes on: parsed, and cut to the limit."""
    if len(values) == 1 and len(values[0]) <= limit_chars and _MEMBER.fullmatch(values[0]):
        return ReadState(values[0].decode())
    parsed = parse_tracestate(values)
    fitted = fit_tracestate(parsed.members, limit_chars=limit_chars)
    return ReadState(format_tracestate(fitted.members), (*parsed.dropped, *fitted.dropped))


def is_ready(state: str, *, limit_chars: int = STATE_LIMIT_CHARS) -> bool:
    """Whether a tracestate of ours or of a tracing library can leave as it is. Both hold each key once."""
    return len(state) <= limit_chars and _LIST.fullmatch(state) is not None


def format_tracestate(members: Iterable[tuple[str, str]]) -> str:
    """The header's value; "" for no members."""
    return ",".join(f"{key}={value}" for key, value in members)


def fit_tracestate(members: StateMembers, *, limit_chars: int = STATE_LIMIT_CHARS) -> TraceState:
    """As many members as the limit allows, in order: longer than 128 characters go first, then from the end."""
    # With the comma behind each.
    sizes = [len(key) + len(value) + 2 for key, value in members]
    excess = sum(sizes) - 1 - limit_chars
    if excess <= 0:
        return TraceState(members)
    places = range(len(sizes) - 1, -1, -1)
    # Sorting keeps the order of those that are alike: from the end.
    longest_first = sorted(places, key=[size - 1 <= _LONG_MEMBER_CHARS for size in sizes].__getitem__)
    freed = list(accumulate([sizes[place] for place in longest_first]))
    gone = sorted(longest_first[: bisect_left(freed, excess) + 1])
    kept = sorted(longest_first[len(gone) :])
    return TraceState(
        tuple([members[place] for place in kept]),
        tuple(member_drops(TRACESTATE, [members[place][0] for place in gone], DropReason.OVER_BUDGET)),
    )


def _are_keys(keys: Sequence[bytes]) -> bool:
    """Whether all are keys (§3.3.1.3.1): a look at all their characters costs a tenth of an expression for each."""
    return (
        all(keys)
        and max(map(len, keys)) <= _MEMBER_LIMIT_CHARS
        and not b"".join(keys).translate(None, _KEY_OCTETS)
        and not bytes([key[0] for key in keys]).translate(None, _FIRST_OCTETS)
    )


def _are_values(values: Sequence[bytes]) -> bool:
    """Whether all are values (§3.3.1.3.2); none of them ends in a space."""
    return (
        all(values)
        and max(map(len, values)) <= _MEMBER_LIMIT_CHARS
        and not b"".join(values).translate(None, _VALUE_OCTETS)
    )


def _texts(octets: Sequence[bytes]) -> list[str]:
    return b",".join(octets).decode("ascii").split(",")


def _refused(reason: DropReason) -> TraceState:
    return TraceState(dropped=(Drop(TRACESTATE, reason),))


def _without_repeated(members: list[tuple[str, str]]) -> TraceState:
    keys = [key for key, _ in members]
    if len(set(keys)) == len(keys):
        return TraceState(tuple(members))
    repeated = {key for key in keys if keys.count(key) > 1}
    return TraceState(
        tuple(member for member in members if member[0] not in repeated),
        tuple(member_drops(TRACESTATE, [key for key in dict.fromkeys(keys) if key in repeated], DropReason.REPEATED)),
    )
