"""The page's files, as the app serves them."""

import html
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import Final

_HERE: Final = files("pennon.journeys.page")
_PLACE_OF_TOKEN: Final = "@@PAGE_TOKEN@@"  # noqa: S105 - where the token goes, not the token
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def index_html(page_token: str) -> str:
    """The document, with the token that its scripts send along with changes.

    page_token: any text; it stands in a meta tag, which other origins cannot read.
    """
    return _template().replace(_PLACE_OF_TOKEN, html.escape(page_token))


def static_file(name: str) -> tuple[bytes, str] | None:
    """Content and media type of what stands below `/static/`; None if there is no such file."""
    return _static_files().get(name)


@cache
def _template() -> str:
    return (_HERE / "index.html").read_text(encoding="utf-8")


@cache
def _static_files() -> Mapping[str, tuple[bytes, str]]:
    """All of them, read once: a name that is asked for is looked up here and never becomes a path."""
    return {
        file.name: (file.read_bytes(), _MEDIA_TYPES[PurePath(file.name).suffix])
        for file in (_HERE / "static").iterdir()
        if file.is_file() and PurePath(file.name).suffix in _MEDIA_TYPES
    }
