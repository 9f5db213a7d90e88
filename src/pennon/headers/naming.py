"""Which names a contract may declare: a header that a standard has defined is used, not made anew under another name.

Rules. Names are compared without case, and - and _ are one (PEP 3333: WSGI makes them one). A field of your own bears
neither the name of a standard's header, nor one that differs by a leading "X-" or by dashes alone, nor one of those in
`_LOOK_ALIKES`. Names that pennon only suggests (`x-tenant-id`, `x-region`, …) are yours to declare.
"""

import re
from typing import Final

from pennon.headers import std
from pennon.headers.grammar import HOP_BY_HOP, OWN_PREFIX, is_token
from pennon.headers.standard import StandardField

# Of a name that is declared.
NAME_LIMIT_CHARS: Final = 128


def folded(name: str) -> str:
    """A name as a gateway may see it."""
    return name.lower().replace("_", "-")


def name_fault(name: str) -> str | None:
    """Why a field of your own cannot have this name; None if it can."""
    low = folded(name)
    if not is_token(name) or len(name) > NAME_LIMIT_CHARS:
        return f"{name!r} is not a header name: 1 to {NAME_LIMIT_CHARS} of A-Z a-z 0-9 !#$%&'*+-.^_`|~"
    if low in HOP_BY_HOP or low.startswith("proxy-"):
        return f"{name!r} concerns one connection and is never forwarded (RFC 9110 §7.6.1)"
    if low.startswith(OWN_PREFIX):
        return f"{name!r} is one of pennon's own: they begin with 'pennon'"
    standard = _shadowed(low)
    if standard is None:
        return None
    is_same = low == standard.name
    said = f"{name!r} is {standard.name!r}" if is_same else f"{name!r} does what {standard.name!r} is there for"
    return f"{said}{_defined(standard)}; use {constant_of(standard.name)}"


def constant_of(name: str) -> str:
    """How a contract in Python names a built-in field, e.g. "std.RETRY_AFTER"."""
    constant = _CONSTANTS.get(name)
    return f"std.{constant}" if constant else f"std.BY_NAME[{name!r}]"


def _shadowed(low: str) -> StandardField | None:
    """The built-in field that is meant by a folded name, if it is not the user's to declare."""
    bare = _bare(low)
    if bare in _BY_BARE_NAME:
        return _BY_BARE_NAME[bare]
    for pattern, standard in _LOOK_ALIKES:
        if pattern.fullmatch(low):
            return standard
    return None


def _bare(low: str) -> str:
    return low.removeprefix("x-").replace("-", "")


def _defined(standard: StandardField) -> str:
    return f" ({standard.source})" if standard.source else ""


_CONSTANTS: Final = {value.name: constant for constant, value in vars(std).items() if isinstance(value, StandardField)}
_BY_BARE_NAME: Final = {
    _bare(each.name): each for each in std.ALL if each.owner in std.STANDARDS_OWNERS or each.name in std.HANDLED
}
# What services have called it before there was a standard, or without looking.
_LOOK_ALIKES: Final = tuple(
    (re.compile(pattern), standard)
    for pattern, standard in (
        (r"(?:x-)?(?:trace|span|parent-span)-?id(?:-.*)?|x-trace|x-trace-(?:context|parent)|(?:x-)?b3(?:-.*)?",
         std.TRACEPARENT),
        (r"(?:x-|ot-)?baggage-.*|uberctx-.*", std.BAGGAGE),
        (r"(?:x-)?(?:req|request)-?(?:id|uuid)|x-(?:req|request)", std.REQUEST_ID),
        (r"(?:x-)?(?:correlation|conversation)-?(?:id|uuid)|x-correlation", std.CORRELATION_ID),
        (r"(?:x-)?(?:deadline|expires-at|request-expires)", std.REQUEST_DEADLINE),
        (r"(?:x-)?(?:request-)?time-?out(?:-ms)?", std.REQUEST_TIMEOUT_MS),
        (r"(?:x-)?retry-(?:later|in|delay|time)(?:-.*)?", std.RETRY_AFTER),
        (r"(?:x-)?idempoten(?:cy|ce|t)(?:-(?:key|id|token))?", std.IDEMPOTENCY_KEY),
        (r"(?:x-)?rate-?limit-.*", std.RATELIMIT),
        (r"(?:x-)?(?:expected|if)-(?:version|etag)", std.IF_MATCH),
        (r"(?:x-)?(?:resource-version|entity-tag)", std.ETAG),
        (r"(?:x-)?deprecat(?:ed|ion)(?:-.*)?", std.DEPRECATION),
        (r"(?:x-)?sunset(?:-.*)?", std.SUNSET),
        (r"(?:x-)?(?:client|real)-ip", std.X_FORWARDED_FOR),
    )
)  # fmt: skip
