"""Ids of the business, which no request or correlation id may hold: the patterns by which a contract knows them.

An opaque id gives nothing away wherever it is logged and sent; "ORD-1234" says whose order it is. Rules:
- A pattern is searched within an id. It is a sequence of characters and classes, each with a quantifier or without, and
  alternatives of such sequences; "^" and "$" mean the id's ends. It has no groups.
- So its work is bounded: an id has 128 characters at most, and a sequence's quantifiers can match in 128 ways together
  at most; one at its very end does not count, which has nothing behind it to try again for. All sequences together
  have 256 ways at most.
- It is found in no id that pennon makes, or those would be dropped as well.
"""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from hashlib import sha256
from math import prod
from typing import Final

from pennon.errors import Fault
from pennon.headers.grammar import CORRELATION_ID, OWS, REQUEST_ID
from pennon.headers.ids import (
    CORRELATION_ID_PREFIX,
    ID_LIMIT_CHARS,
    ID_SYNTAX,
    REQUEST_ID_PREFIX,
    new_correlation_id,
    new_request_id,
)
from pennon.headers.report import Drop, DropReason

# What is dearest to search for, in what just does not match: 0.12 ms, and all of it together twice as much.
_WAYS_LIMIT_COUNT: Final = 128
_ALL_WAYS_LIMIT_COUNT: Final = 256
_BRANCHES_LIMIT_COUNT: Final = 16

_PART: Final = re.compile(
    r"(?:\\[dw.]|\[(?:[A-Za-z0-9._:\-]|\\[dw.\-])++\]|[A-Za-z0-9._:\-])"
    r"(?:(?P<many>[*+])|(?P<maybe>\?)|\{(?P<least>[0-9]{1,3})(?P<range>,(?P<most>[0-9]{1,3})?)?\})?"
)
# Which pattern is found in one of a hundred ids that we make is found in one of so many.
_MADE_COUNT: Final = 512
_MS_NS: Final = 1_000_000
_IDS: Final = frozenset({REQUEST_ID.encode(), CORRELATION_ID.encode()})
_LINE_ENDS: Final = r"(?![^\n])"


def business_id_faults(patterns: Sequence[str], path: str) -> Iterator[Fault]:
    """Everything that is wrong with the patterns."""
    if isinstance(patterns, str):
        yield Fault(path, f"{patterns!r} is one text; give a list of patterns")
        return
    faults = {number: message for number, each in enumerate(patterns) if (message := _fault_in(each)) is not None}
    for number, message in faults.items():
        yield Fault(f"{path}/{number}", f"{patterns[number]!r} {message}")
    if faults:
        return
    branches = [branch for pattern in patterns for branch in pattern.split("|")]
    if len(branches) > _BRANCHES_LIMIT_COUNT:
        yield Fault(path, f"{len(branches)} patterns and alternatives; {_BRANCHES_LIMIT_COUNT} are looked for at most")
    elif sum(map(_ways_in, branches)) > _ALL_WAYS_LIMIT_COUNT:
        yield Fault(path, "have too many ways to match all together: say how often each part comes, {2,4}")


def business_id_guard(patterns: Sequence[str]) -> str:
    """An expression that matches at an id's beginning if it holds one of these, which have no faults."""
    branches = [_anchored(branch) for pattern in patterns for branch in pattern.split("|")]
    # What is no id as a whole is not searched: it may be long.
    return f"(?={ID_SYNTAX}{_LINE_ENDS})(?:{'|'.join(branches)})"


def ids_to_leave_out(
    headers: Iterable[tuple[bytes, bytes]], holds_business_id: Callable[[str], object], removed: Container[bytes]
) -> list[Drop]:
    """Of what somebody set by hand: the ids that hold one of the business.

    headers: names lower-case. removed: the names of what comes off anyhow.
    """
    found = {
        name.decode()
        for name, value in headers
        if name in _IDS and name not in removed and holds_business_id(value.strip(OWS).decode("latin-1"))
    }
    return [Drop(name, DropReason.BUSINESS_ID) for name in sorted(found)]


def _fault_in(pattern: object) -> str | None:
    if not isinstance(pattern, str) or not pattern:
        return "is not a regular expression with something in it"
    for branch in pattern.split("|"):
        message = _fault_in_branch(branch)
        if message is not None:
            return message
    try:
        found = re.compile(business_id_guard([pattern])).match
    except re.error as error:
        return f"is not a regular expression: {error}"
    made = next(filter(found, _made()), None)
    return None if made is None else f"is found in ids that pennon makes, such as {made!r}: say more of what it is like"


def _fault_in_branch(branch: str) -> str | None:
    body = _body_of(branch)
    if not body:
        return "has a part that is empty, and is found everywhere"
    read = sum(len(part[0]) for part in _parts_of(body))
    if read < len(body):
        return f"cannot be searched at {body[read : read + 8]!r}: characters, classes, quantifiers; no groups"
    if _ways_in(branch) > _WAYS_LIMIT_COUNT:
        return "has too many ways to match: say how often each part comes, {2,4}"
    return None


def _parts_of(body: str) -> list[re.Match[str]]:
    """A body's characters and classes with their quantifiers, up to what is none."""
    parts: list[re.Match[str]] = []
    part = _PART.match(body)
    while part is not None:
        parts.append(part)
        part = _PART.match(body, part.end())
    return parts


def _ways_in(branch: str) -> int:
    """In how many ways a branch can be tried at one place of an id."""
    ways = [_ways_of(part) for part in _parts_of(_body_of(branch))]
    # Nothing stands behind the last: it takes what it can get, once.
    return prod(ways if branch.endswith("$") else ways[:-1])


def _ways_of(part: re.Match[str]) -> int:
    """In how many ways a part's quantifier can match."""
    if part["many"]:
        return ID_LIMIT_CHARS
    if part["maybe"]:
        return 2
    if not part["range"]:
        return 1
    return min(ID_LIMIT_CHARS, max(1, int(part["most"]) - int(part["least"]) + 1)) if part["most"] else ID_LIMIT_CHARS


def _body_of(branch: str) -> str:
    return branch.removeprefix("^").removesuffix("$")


def _anchored(branch: str) -> str:
    """The branch as it stands at an id's beginning, of which the end is a line's."""
    before = "" if branch.startswith("^") else f".{{0,{ID_LIMIT_CHARS}}}"
    after = _LINE_ENDS if branch.endswith("$") else ""
    return f"{before}{_body_of(branch)}{after}"


def _made() -> Iterator[str]:
    """Ids as we make them: of digits alone too, as bad luck would have it, and as they mostly are."""
    yield from (REQUEST_ID_PREFIX + digit * 32 for digit in "09af")
    yield from (CORRELATION_ID_PREFIX + digit * 26 for digit in "09AZ")
    for number in range(_MADE_COUNT):
        random = sha256(b"%d" % number).digest()
        yield new_request_id(random[:16])
        yield new_correlation_id(int.from_bytes(random[:6]) * _MS_NS, random[6:16])
