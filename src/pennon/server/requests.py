"""What an author's request says beside the document: the reason, the version, the page."""

from typing import Annotated, Any, Final

from fastapi import Query
from starlette.requests import Request

from pennon.control import PAGE_LIMIT_COUNT, Author, TokenRow
from pennon.errors import DocumentInvalid, Fault
from pennon.web import BODY_LIMIT_BYTES, read_json
from pennon.web.negotiation import JSON, MERGE_PATCH, media_type_of

REASON_LIMIT_CHARACTERS: Final = 1_000

Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT_COUNT)]
Cursor = Annotated[str | None, Query(max_length=400)]


async def document_of(request: Request, token: TokenRow, *, limit_bytes: int = BODY_LIMIT_BYTES) -> tuple[Any, Author]:
    """The document that was sent, without its member `reason`, and the author with that reason.

    Raises: HTTPException 415 and 413; Malformed; DocumentInvalid if the reason is not a text.
    """
    media_type_of(request, *((MERGE_PATCH, JSON) if request.method == "PATCH" else (JSON,)))
    return _split(await read_json(request, limit_bytes=limit_bytes), token)


async def reason_of(request: Request, token: TokenRow) -> Author:
    """The author of an edit without a document. Body and content type are optional: no kill waits for form."""
    document, author = _split(await read_json(request), token)
    if document is not None and not isinstance(document, dict):
        raise DocumentInvalid([Fault("", 'must be empty or an object such as {"reason": "…"}')])
    if document:
        raise DocumentInvalid(Fault(f"/{name}", "unknown; only 'reason' is allowed") for name in document)
    return author


def _split(document: Any, token: TokenRow) -> tuple[Any, Author]:
    if not isinstance(document, dict):
        return document, Author(token.name)
    why = document.pop("reason", "")
    if not isinstance(why, str) or len(why) > REASON_LIMIT_CHARACTERS:
        allowed = f"must be a text of at most {REASON_LIMIT_CHARACTERS} characters"
        raise DocumentInvalid([Fault("/reason", allowed)])
    return document, Author(token.name, why)
