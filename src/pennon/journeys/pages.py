"""Routes of the page and its files."""

import hashlib
from functools import lru_cache

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pennon.journeys.page import index_html, static_file
from pennon.journeys.services import services_of
from pennon.web.negotiation import has_seen

router = APIRouter(tags=["page"])


@router.get("/")
async def read_page(request: Request) -> Response:
    """The page; it holds the token, so nobody may keep it."""
    document = index_html(services_of(request).page_token)
    return Response(document, media_type="text/html", headers={"cache-control": "no-store"})


@router.get("/static/{name}")
async def read_file(name: str, request: Request) -> Response:
    """One of the page's files, or 304."""
    found = static_file(name)
    if found is None:
        raise HTTPException(404)
    content, media_type = found
    headers = {"etag": _etag_of(content), "cache-control": "no-cache"}
    if has_seen(request, headers["etag"]):
        return Response(None, 304, headers)
    return Response(content, 200, {**headers, "content-type": media_type})


@lru_cache(maxsize=64)
def _etag_of(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
