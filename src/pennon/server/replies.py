"""Documents as responses: JSON, strong ETags, 304 where the reader has it already."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from pennon.control import ChangeRow
from pennon.web.negotiation import JSON, demand, has_seen

# A reader may keep it, and must ask before it uses it again; what it may see depends on its token.
CACHE: Final[Mapping[str, str]] = {"cache-control": "private, no-cache", "vary": "authorization, accept-encoding"}


def etag_of(version: int) -> str:
    """The strong ETag of a resource at this version; what If-Match gives back."""
    return f'"{version}"'


def resource(request: Request, document: BaseModel, version: int) -> Response:
    """One document as it is read: with its ETag, or 304."""
    return _seen_or(request, document.model_dump_json(by_alias=True).encode(), etag_of(version))


def listing(request: Request, items: list[Any], cursor: str | None = None) -> Response:
    """Part of a list. `next_cursor` leads to the next part, null at the end. Its ETag is of its bytes."""
    body = msgspec.json.encode({"items": items, "next_cursor": cursor})
    return _seen_or(request, body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def edited(
    document: BaseModel, version: int, notes: tuple[str, ...], *, status: int = 200, location: str | None = None
) -> Response:
    """One document after an edit. notes: what the edit brings with it, in words, as a member beside the document's."""
    body = msgspec.json.encode({**document.model_dump(mode="json", by_alias=True), "notes": notes})
    headers = {"etag": etag_of(version), "cache-control": "no-store"} | ({"location": location} if location else {})
    return Response(body, status, headers, JSON)


def plain(document: Mapping[str, Any], *, status: int = 200) -> Response:
    """An answer that is no resource: a receipt."""
    return Response(msgspec.json.encode(document), status, {"cache-control": "no-store"}, JSON)


def notes_of(changes: Sequence[ChangeRow]) -> tuple[str, ...]:
    """What the author should know of an edit, each note once however many environments it concerns."""
    return tuple(dict.fromkeys(note for change in changes for note in change.notes))


def moment(at_ns: int) -> str:
    """A time as RFC 3339 writes it, in UTC, to the millisecond."""
    at = datetime.fromtimestamp(at_ns / 1e9, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seen_or(request: Request, body: bytes, etag: str) -> Response:
    demand(request, JSON)
    headers = {"etag": etag, **CACHE}
    if has_seen(request, etag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, JSON)
