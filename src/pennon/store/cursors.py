"""Pages and cursors. A cursor is the last item's place in its order, in base64url so that nobody builds on its form."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from pennon.control import PAGE_LIMIT_COUNT, Page
from pennon.errors import DocumentInvalid, Fault

T = TypeVar("T")


def page(found: Sequence[T], limit: int, place_of: Callable[[T], str]) -> Page[T]:
    """The first `limit` of what was found, and a cursor if there was one more."""
    items = tuple(found[:limit])
    return Page(items, cursor_of(place_of(items[-1])) if len(found) > limit else None)


def cursor_of(place: str) -> str:
    """The cursor of a place."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def place_of(cursor: str) -> str:
    """The place of a cursor. Raises: DocumentInvalid."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _foreign() from None


def number_of(cursor: str) -> int:
    """The number that is the place of a cursor. Raises: DocumentInvalid."""
    place = place_of(cursor)
    # 18 digits fit the column.
    if not (place.isascii() and place.isdigit() and len(place) <= 18):
        raise _foreign()
    return int(place)


def place_in(*parts: str) -> str:
    """The place of several texts, in an order by all of them."""
    return msgspec.json.encode(parts).decode()


def parts_of(cursor: str, count: int) -> tuple[str, ...]:
    """The texts of a place that has so many. Raises: DocumentInvalid."""
    try:
        parts = msgspec.json.decode(place_of(cursor), type=tuple[str, ...])
    except msgspec.MsgspecError:
        raise _foreign() from None
    if len(parts) != count:
        raise _foreign()
    return parts


def checked(limit: int) -> int:
    """The limit, if it is one. Raises: DocumentInvalid."""
    if not 1 <= limit <= PAGE_LIMIT_COUNT:
        raise DocumentInvalid([Fault("/limit", f"{limit} found, must be from 1 to {PAGE_LIMIT_COUNT}")])
    return limit


def _foreign() -> DocumentInvalid:
    return DocumentInvalid([Fault("/cursor", "not a cursor, must be one that an earlier page gave")])
