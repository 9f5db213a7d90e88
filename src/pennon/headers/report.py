"""What a crossing says about itself: names and reasons, never values."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

# A stranger chooses the keys of its baggage; longer names than this are cut before they are reported.
_NAME_LIMIT_CHARS: Final = 64

# So many of a list's members, or of the headers that nobody has declared, are named where they are dropped; of the
# others the report says how many they were. Each name costs half a microsecond, and a stranger chooses how many.
NAMED_LIMIT_COUNT: Final = 16

# Of a request that is late (RFC 9110 §15.6.5).
LATE_STATUS: Final = 504


class DropReason(StrEnum):
    """Why something did not cross. A closed set: it is the label of `pennon.headers.dropped`."""

    UNKNOWN = "unknown"
    """A header or baggage member that nobody has declared, where such do not count."""
    NOT_TRUSTED = "not_trusted"
    """Something that only a verified caller may send."""
    MISPLACED = "misplaced"
    """Valid elsewhere: an override is read at a public boundary only, an actor belongs to whom it acts for."""
    NOMINATED = "nominated"
    """`Connection` names it: it was for one connection alone (RFC 9110 §7.6.1)."""
    RESTARTED = "restarted"
    """A trace was begun here: a stranger's is not continued, and a tracestate belongs to its traceparent."""
    MALFORMED = "malformed"
    """It breaks its syntax."""
    BUSINESS_ID = "business_id"
    """An id that is to be opaque, and holds one of the business."""
    UNSAFE = "unsafe"
    """Decoded, it holds CR, LF or NUL."""
    REPEATED = "repeated"
    """It came several times where once is allowed, and the copies differ or must not be there."""
    CONTRADICTED = "contradicted"
    """Another header, which comes before it, says something else."""
    SKEWED = "skewed"
    """A time that only clocks which differ can explain."""
    TOO_LONG = "too_long"
    """Longer than its own limit; not read."""
    TOO_MANY = "too_many"
    """Beyond the number that is read."""
    NOT_FORWARDED = "not_forwarded"
    """It came in for this hop alone, and was copied onto a message that leaves."""
    OVER_BUDGET = "over_budget"
    """Valid, but the budget of all together was used up."""
    MISSING = "missing"
    """A required field that did not come, or did not count."""


class Drop(msgspec.Struct, frozen=True, gc=False):
    """One thing that did not cross.

    name: the header's, lower-case; of a list's member "<header>:<key>", e.g. "baggage:promo" (cut at 64 characters).
    count: above 1 only where several are told in one, under the list's name: members that are malformed, and those
        beyond the first that are named.
    """

    name: str
    reason: DropReason
    count: int = 1


class Limit(StrEnum):
    """Which limit a request broke. A closed set: it is the label of `pennon.headers.observed`."""

    HEADERS = "headers"
    """Too many headers, or too many bytes of them, all together."""
    CUSTOM = "custom"
    """Too many bytes in the fields that no standard defines."""
    BAGGAGE = "baggage"
    """Too many bytes of baggage as it came."""
    UNKNOWN = "unknown"
    """A header that nobody has declared."""
    MISSING = "missing"
    """A required field that did not come, or did not count."""
    LATE = "late"
    """Too little time left."""


class Refusal(msgspec.Struct, frozen=True):
    """An HTTP request that must be answered with this status and not be handled. For a record it means nothing.

    status: 431 (RFC 6585 §5), 400 or 504, or what the contract says. field: the header at fault, "headers" for all
        together, "custom" for the fields that no standard defines.
    limit: what it went over, with its unit, e.g. "8192 bytes"; "" where there is none: nobody has declared the header,
        or it is missing.
    is_missing: the header is required, and did not come or did not count.
    """

    status: int
    field: str
    limit: str = ""
    is_missing: bool = False

    @property
    def broken(self) -> Limit:
        """Which limit it is for."""
        if self.is_missing:
            return Limit.MISSING
        if self.status == LATE_STATUS:
            return Limit.LATE
        return Limit(self.field) if self.limit else Limit.UNKNOWN


class Report(msgspec.Struct, frozen=True):
    """What a crossing took from the headers it found, what it added, and what it dropped and why.

    took, added: header names, lower-case, in the order they were dealt with.
    observed: why the request would have been refused, were its contract's limits enforced.
    """

    took: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    dropped: tuple[Drop, ...] = ()
    observed: Refusal | None = None


def header_drop(name: bytes, reason: DropReason) -> Drop:
    """The drop of a header that nobody has declared, so that its name may be anything."""
    return Drop(name.decode("ascii", "replace")[:_NAME_LIMIT_CHARS], reason)


def member_drop(header: str, key: str, reason: DropReason) -> Drop:
    """The drop of one member of a list header."""
    return Drop(f"{header}:{key}"[:_NAME_LIMIT_CHARS], reason)


def member_drops(
    header: str, keys: Sequence[str], reason: DropReason, *, limit_count: int = NAMED_LIMIT_COUNT
) -> list[Drop]:
    """The drops of several members, for one reason. limit_count: of how many each is named; the others are counted."""
    named = [Drop(f"{header}:{key}"[:_NAME_LIMIT_CHARS], reason) for key in keys[: max(limit_count, 0)]]
    if len(named) < len(keys):
        named.append(Drop(header, reason, len(keys) - len(named)))
    return named
