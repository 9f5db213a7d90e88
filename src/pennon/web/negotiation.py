"""Reading what a request says it accepts, sends and has seen (RFC 9110 §8 and §12)."""

import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from pennon.web.problem import Malformed

MERGE_PATCH: Final = "application/merge-patch+json"
JSON: Final = "application/json"

_STRONG_ETAG: Final = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
_ETAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def quality_of(accept: str | None, offered: str) -> float:
    """How much a header such as Accept or Accept-Encoding wants `offered`: 0 (not at all) to 1.

    The most specific range decides (§12.5.1). None, an absent header, is 1; a range that cannot be read is skipped.
    """
    if accept is None:
        return 1.0
    best, found = (-1, 0.0), False
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        precision = _precision(name, offered)
        if precision >= 0:
            best, found = max(best, (precision, _weight(parameters)), key=lambda pair: pair[0]), True
    return best[1] if found else 0.0


def demand(request: Request, offered: str) -> None:
    """Raises: HTTPException 406 unless the request accepts `offered`."""
    if not quality_of(request.headers.get("accept"), offered):
        raise HTTPException(406, f"this resource is {offered}, which Accept excludes")


def media_type_of(request: Request, *allowed: str) -> str:
    """Which of the allowed media types the body has. Raises: HTTPException 415."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent not in allowed:
        found = f"content-type is {sent!r}" if sent else "no content-type"
        # RFC 5789 §3.1 and RFC 9110 §15.5.16: say what would have been taken.
        named = {"PATCH": "accept-patch"}.get(request.method, "accept")
        raise HTTPException(415, f"{found}, must be {' or '.join(allowed)}", {named: ", ".join(allowed)})
    return sent


def takes_gzip(request: Request) -> bool:
    """Whether the response may be compressed; only if asked for, so that a plain client gets plain bytes."""
    asked = request.headers.get("accept-encoding")
    return asked is not None and quality_of(asked, "gzip") > 0


def has_seen(request: Request, etag: str) -> bool:
    """Whether If-None-Match names this ETag, or any (weak comparison, §13.1.2)."""
    seen = request.headers.get("if-none-match")
    if seen is None:
        return False
    return seen.strip() == "*" or etag in _ETAG.findall(seen)


def if_match(request: Request) -> int | None:
    """The version that If-Match names; None without one.

    A weak ETag never matches a change (§13.1.1), nor does one that is not ours: both are version 0, which none has.
    Raises: Malformed for "*" and for several: a change names the one version that its author has read.
    """
    named = request.headers.get("if-match")
    if named is None:
        return None
    named = named.strip()
    if named == "*" or "," in named:
        raise Malformed(f'If-Match is {named!r}, must be the one ETag that was read, e.g. "41"')
    inner = named[1:-1]
    is_ours = _STRONG_ETAG.fullmatch(named) and inner.isascii() and inner.isdigit() and len(inner) < 19
    return int(inner) if is_ours else 0


def _precision(range_: str, offered: str) -> int:
    if range_ == offered:
        return 2
    if range_ == f"{offered.partition('/')[0]}/*" and "/" in offered:
        return 1
    return 0 if range_ in {"*/*", "*"} else -1


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
