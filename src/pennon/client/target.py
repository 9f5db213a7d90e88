"""Where a client connects to, from arguments or the environment, with every fault at once."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from pennon.errors import Fault, SettingInvalid
from pennon.settings import SERVER_VARIABLE, TOKEN_VARIABLE

_PORT_MAX: Final = 65_535


class Target(msgspec.Struct, frozen=True):
    """A server and what it knows us by. url: without a trailing slash."""

    url: str
    token: str


def target_of(url: str | None, token: str | None, environ: Mapping[str, str]) -> Target | None:
    """The target; None if neither arguments nor environment name one at all.

    Raises: SettingInvalid with every fault if what they name is unusable.
    """
    url_place = "url" if url is not None else SERVER_VARIABLE
    token_place = "token" if token is not None else TOKEN_VARIABLE
    url = environ.get(SERVER_VARIABLE) if url is None else url
    token = environ.get(TOKEN_VARIABLE) if token is None else token
    if url is None and token is None:
        return None
    faults = [*_url_faults(url_place, url), *_token_faults(token_place, token)]
    if faults or url is None or token is None:
        raise SettingInvalid(faults)
    return Target(url.rstrip("/"), token)


def missing() -> SettingInvalid:
    """The error for a client that nobody told where to connect to."""
    return SettingInvalid(
        [
            Fault("url", f"is missing; pass it or set {SERVER_VARIABLE}, e.g. https://flags.internal"),
            Fault("token", f"is missing; pass it or set {TOKEN_VARIABLE}"),
        ]
    )


def _url_faults(place: str, url: object) -> list[Fault]:
    if url is None:
        return [Fault("url", f"is missing; pass it or set {SERVER_VARIABLE}, e.g. https://flags.internal")]
    if not isinstance(url, str) or not _is_absolute(url):
        return [Fault(place, f"{url!r} is not an absolute URL; e.g. https://flags.internal")]
    if "?" in url or "#" in url or "@" in url:
        return [Fault(place, "must hold no user, query or fragment; e.g. https://flags.internal")]
    return []


def _is_absolute(url: str) -> bool:
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and (port is None or 0 < port <= _PORT_MAX)


def _token_faults(place: str, token: object) -> list[Fault]:
    if token is None:
        return [Fault("token", f"is missing; pass it or set {TOKEN_VARIABLE}")]
    # What is found is never quoted: it may be the good token with a line end behind it.
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
        return [Fault(place, "must be visible ASCII, as `pennon token create` printed it")]
    return []
