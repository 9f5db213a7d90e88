"""From a segment to a function that says whether a unit is in it."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from mmh3 import mmh3_x64_128_stupledigest

from pennon.flags.bucketing import utf8_of
from pennon.flags.clauses import Attributes, Holds, Test, Units, Unusable, all_hold, attributes_of, compiled_clause
from pennon.flags.records import SegmentClause, SegmentRecord

_Result = TypeVar("_Result")

_MEMBER: Final = re.compile(r"[0-9a-f]{16}")


class Segment(msgspec.Struct, frozen=True):
    """A compiled segment, shared by all clauses that name it.

    prefix: what is hashed before a unit key. members: h1 of each, signed, which is what mmh3 gives fastest.
    attributes: those that its rules ask about.
    """

    unit_kind: str
    prefix: bytes
    members: frozenset[int]
    rules: tuple[tuple[Test, ...], ...]
    attributes: frozenset[str]


def compiled_segment(record: SegmentRecord) -> Segment:
    """Its members as a set and its rules as functions. Raises: Unusable."""
    if ":" in record.salt:
        msg = f"segment {record.key!r}: salt {record.salt!r} holds ':'"
        raise Unusable(msg)
    return Segment(
        record.unit,
        utf8_of(record.salt + ":"),
        frozenset(_member_h1(record, member) for member in record.members),
        tuple(tuple(compiled_clause(clause, _refused) for clause in clauses) for clauses in record.rules),
        attributes_of(clause for clauses in record.rules for clause in clauses),
    )


def on_segment(segment: Segment, *, flag_unit_kind: str, is_wanted: bool) -> Holds:
    """Whether the unit is in the segment (`is_wanted`) or is not.

    Without a unit of the segment's kind nobody can say whether it is listed: then the clause is false, negated or not,
    unless a rule of the segment holds. A segment that lists nobody needs no unit.
    """
    is_listed = _listed_of_kind(segment, flag_unit_kind)

    def is_in(key: str | None, attributes: Attributes, units: Units) -> bool:
        return is_listed(key, attributes, units) or any(
            all_hold(rule, key, attributes, units) for rule in segment.rules
        )

    holds = is_in if segment.rules else is_listed
    return holds if is_wanted else _negated(holds, segment, flag_unit_kind)


def listed(segment: Segment, one: _Result, other: _Result) -> Callable[[str | None, Attributes, Units], _Result]:
    """`one` for a unit key of the segment's kind that it lists, else `other`, as a function that is total."""
    prefix, members = segment.prefix, segment.members

    # Bytes and never text go to mmh3: given a lone surrogate, 5.3 reads through a null pointer.
    def look_up(key: str | None, _attributes: Attributes, _units: Units) -> _Result:
        try:
            if not key:
                return other
            return one if mmh3_x64_128_stupledigest(prefix + key.encode())[0] in members else other
        except Exception:  # noqa: BLE001 - total: what a caller hands in as a key must not raise here
            return look_up_rare(key)

    def look_up_rare(key: object) -> _Result:
        """One with lone surrogates, or no text."""
        if not isinstance(key, str):
            return other
        return one if mmh3_x64_128_stupledigest(prefix + utf8_of(str.__str__(key)))[0] in members else other

    return look_up


def _listed_of_kind(segment: Segment, flag_unit_kind: str) -> Holds:
    is_listed, kind = listed(segment, one=True, other=False), segment.unit_kind
    if kind == flag_unit_kind:
        return is_listed
    return lambda _key, attributes, units: is_listed(units.get(kind), attributes, units)


def _negated(is_in: Holds, segment: Segment, flag_unit_kind: str) -> Holds:
    needs_unit, kind = bool(segment.members), segment.unit_kind

    def is_out(key: str | None, attributes: Attributes, units: Units) -> bool:
        if is_in(key, attributes, units):
            return False
        unit = key if kind == flag_unit_kind else units.get(kind)
        return not needs_unit or (isinstance(unit, str) and bool(unit))

    return is_out


def _member_h1(record: SegmentRecord, member: str) -> int:
    if _MEMBER.fullmatch(member) is None:
        msg = f"segment {record.key!r}: member {member!r} is not 16 lower-case hex digits"
        raise Unusable(msg)
    return int.from_bytes(bytes.fromhex(member), signed=True)


def _refused(clause: SegmentClause) -> Holds:
    msg = f"a segment's rule names segment {clause.segment!r}; rules of segments hold no segment clause"
    raise Unusable(msg)
