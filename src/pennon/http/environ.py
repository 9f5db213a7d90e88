"""A WSGI environ's headers, as far as they can be told: PEP 3333 folds their names and joins their lines.

`X-Tenant-Id` and `X_Tenant_Id` both arrive as `HTTP_X_TENANT_ID`, and two lines of one name as one, with a comma. What
can be done about the first is in `tells_names_apart`. The second is undone where the header has one value and no comma
in it, so that a repeated one is judged as it is by ASGI; a declared field whose syntax allows a comma is taken as it
stands. How many lines there were is not known: only their names and all their bytes are counted.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from pennon.headers import Contract
from pennon.headers.std import FORWARDING

_PREFIX: Final = "HTTP_"
# The two that have no prefix. A server may set them to "", which is as if they were absent.
_BARE: Final = {"CONTENT_TYPE": b"content-type", "CONTENT_LENGTH": b"content-length"}

# Of one value each, in which there is no comma; of the others that we know, "," stands between the members of a list.
_SINGLE: Final = frozenset({b"traceparent", b"x-request-id", b"x-correlation-id", b"pennon-override"})

# Commas that are taken for joints: a line of nothing else is not thousands of headers. Copies beyond differ from it.
_JOINED_LIMIT_COUNT: Final = 8

# Servers that keep names with underscores away, and from which major version on; 0 where the environ does not tell.
# gunicorn's may be told otherwise (`header_map`, `forwarder_headers`); whoever does that tells the door as well.
KNOWN_SERVERS: Final = {"gunicorn": 22, "waitress": 0, "Werkzeug": 3, "gevent": 2}
_SOFTWARE: Final = re.compile(r"([A-Za-z]+)(?:/(\d+))?")


def tells_names_apart(environ: dict[str, Any]) -> bool:
    """Whether the server is known to drop names with an underscore, so that none passes for one with a dash."""
    found = _SOFTWARE.match(str(environ.get("SERVER_SOFTWARE", "")))
    if found is None:
        return False
    least = KNOWN_SERVERS.get(found[1])
    return least is not None and int(found[2] or 0) >= least


class Reading:
    """How the environs of a contract's requests are read.

    doubtful: names whose value counts from some senders only, and that a twin with underscores could be taken for.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        # Declared with an underscore, a name arrives as any other; a contract holds no two that differ only by it.
        self._declared = {wire.replace(b"_", b"-"): wire for wire in contract.slots if b"_" in wire}
        accepted = () if contract.deadline is None else contract.deadline.accept
        self._deadlines = frozenset(str(form).encode() for form in accepted)
        self.doubtful = frozenset(
            wire
            for wire, name in contract.slots.items()
            if (b"-" in wire or b"_" in wire) and self._counts_from_some(name)
        )

    def headers_in(self, environ: dict[str, Any]) -> Iterator[tuple[bytes, bytes]]:
        """Name, lower-case, and value of each header; lines that were joined are not taken apart."""
        for key, value in environ.items():
            name = self.name_of(key)
            if name is not None and isinstance(value, str) and (value or key not in _BARE):
                # WSGI's text is Latin-1 by definition; what is none would raise in any server, and says nothing here.
                yield name, value.encode("latin-1", "replace")

    def name_of(self, key: str) -> bytes | None:
        """The header that a key of an environ is for; None if it is for none."""
        if not key.startswith(_PREFIX):
            return _BARE.get(key)
        name = key[len(_PREFIX) :].replace("_", "-").lower().encode("latin-1", "replace")
        return self._declared.get(name, name)

    def lines_of(self, name: bytes, value: bytes) -> list[bytes]:
        """The lines that a value was joined from, where that can be told."""
        if b"," not in value:
            return [value]
        if name in self._deadlines:
            # All of them: the soonest counts, wherever it stands. One more than may be there gets the request refused.
            return value.split(b",", self._contract.budgets.total_count)
        return value.split(b",", _JOINED_LIMIT_COUNT) if self._is_single(name, value) else [value]

    def _counts_from_some(self, name: str) -> bool:
        """Whether it is believed by who says it: a field that not everybody may set, and what proxies write."""
        declared = self._contract.fields_by_name.get(name)
        return name in FORWARDING if declared is None else not declared[0].is_open

    def _is_single(self, name: bytes, value: bytes) -> bool:
        declared = self._contract.fields_by_name.get(self._contract.slots.get(name, ""))
        if declared is None:
            return name in _SINGLE
        field, syntax = declared
        return len(value) > field.max_length or syntax.fullmatch(value.decode("latin-1").strip(" \t")) is None


def key_of(name: bytes) -> str:
    """The key of a header that has a prefix."""
    return _PREFIX + name.decode("latin-1").replace("-", "_").upper()
