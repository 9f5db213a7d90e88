"""Which declared downstream a host and port belong to: the most exact declaration wins."""

import re
from collections.abc import Iterable
from typing import Final

from pennon.headers.fields import Downstream

_PORT_LIMIT: Final = 65_535

# RFC 3986 §3.2.2, as far as a declaration needs it: a name or IPv4 address with an optional "*." before it, or an
# IPv6 address in brackets; then an optional port.
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"(?P<host>(?:\*\.)?{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?")

Place = tuple[str, int | None]


def place_of(declared: str) -> Place | None:
    """Host, lower-case and without brackets, and port of a declaration; None if it is none."""
    match = _HOST.fullmatch(declared.lower())
    if match is None:
        return None
    port = None if match["port"] is None else int(match["port"])
    if port is not None and not 0 < port <= _PORT_LIMIT:
        return None
    return match["host"].strip("[]"), port


class HostTable:
    """Downstreams by host."""

    __slots__ = ("_by_place",)

    def __init__(self, downstreams: Iterable[Downstream]) -> None:
        places = ((place_of(each.host), each) for each in downstreams if each.host is not None)
        self._by_place = {place: each for place, each in places if place is not None}

    def find(self, host: str, port: int | None) -> Downstream | None:
        """host:port, then host, then the same for "*." and ever shorter ends of the name."""
        found = self._by_place.get((host, port))
        if found is not None:  # as it is mostly written
            return found
        host = host.lower().strip("[]").rstrip(".")
        found = self._at(host, port)
        while found is None and "." in host:
            host = host.partition(".")[2]
            found = self._at(f"*.{host}", port)
        return found

    def _at(self, host: str, port: int | None) -> Downstream | None:
        return self._by_place.get((host, port)) or self._by_place.get((host, None))
