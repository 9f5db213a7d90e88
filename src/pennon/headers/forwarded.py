"""What proxies say about a request: `Forwarded` (RFC 7239) and `X-Forwarded-For`, read from the right.

Rules:
- Each proxy appends, so the right-most element is the nearest proxy's, and what stands left of a stranger's is the
  stranger's to invent. Hence elements are read from the right, one by one, and the rest is not looked at: a long or
  broken beginning costs nothing and hides nothing.
- RFC 7239 §4: an element is name=value pairs with ";" between them; a name is a token, compared without case, and
  stands once; a value is a token or a quoted string. White space around ";" is allowed here, many write it.
- A comma may stand in a quoted string. Where a piece between commas is no element and has an odd number of quotes, what
  stands before it, from that string's beginning, is put in front. A stranger's text within a proxy's quoted string
  cannot become an element: its quotes are escaped, a piece that begins in there has an odd number of others, and an
  element has an even one.
- §6: a node is an IPv4 address, an IPv6 address in brackets, "unknown", or an obfuscated identifier ("_hidden"), with
  an optional port. `X-Forwarded-For` has no standard: there brackets may be missing.
"""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from pennon.headers.addresses import Address, parse_address
from pennon.headers.grammar import OWS, TOKEN, visible

# The end of all lines together is where the trusted proxies wrote. 2 kB hold eight elements of 256 characters: two long
# addresses and a host take fewer. Each further kB costs 30 µs, where it is all quotes.
_TAIL_BYTES: Final = 2_048
_NOTHING: Final = b"," + OWS
# Two addresses with ports and the longest host name are 371.
_ELEMENT_LIMIT_BYTES: Final = 384
# RFC 7239 defines four parameters; each pair costs, so that extensions beyond as many again are no element.
_PAIRS_LIMIT_COUNT: Final = 8

# An element with more quoted strings that hold commas is none.
_JOINS_LIMIT_COUNT: Final = 4

_QUOTED: Final = r'[^"\\]*+(?:\\.[^"\\]*+)*+'
_PAIRS: Final = re.compile(rf'({TOKEN})=(?:({TOKEN})|"({_QUOTED})")')
_PAIR: Final = rf' *+(?:{TOKEN}=(?:{TOKEN}|"{_QUOTED}"))?+ *+'
_ELEMENT: Final = re.compile(rf"{_PAIR}(?:;{_PAIR}){{0,{_PAIRS_LIMIT_COUNT - 1}}}+;?+")

_PORT: Final = r"(?::(?P<port>[0-9]{1,5}|_[A-Za-z0-9._-]{1,32}))?"
_NODE: Final = re.compile(
    rf"(?:(?P<v4>[0-9.]{{7,15}})|\[(?P<v6>(?=[^\]]*:)[0-9A-Fa-f:.]{{2,45}})\]"
    rf"|(?P<name>(?i:unknown)|_[A-Za-z0-9._-]{{1,64}})){_PORT}"
)
_BARE_V6: Final = re.compile(r"(?=.*:.*:)[0-9A-Fa-f:.]{2,45}")


class NodeKind(StrEnum):
    """What a proxy tells of the one before it."""

    ADDRESS = "address"
    OBFUSCATED = "obfuscated"
    UNKNOWN = "unknown"


class Node(msgspec.Struct, frozen=True):
    """One end of a hop.

    address: None unless the kind is ADDRESS. identifier: "_hidden", or "unknown"; None if the kind is ADDRESS.
    port: digits, or an obfuscated "_name"; None if none was said.
    """

    kind: NodeKind
    address: Address | None = None
    identifier: str | None = None
    port: str | None = None


class ForwardedElement(msgspec.Struct, frozen=True):
    """What one proxy says: who came to it, at which of its interfaces, asking for which host, over which scheme.

    Each as text, unquoted and unchecked; None if it does not say.
    """

    for_node: str | None = None
    by_node: str | None = None
    host: str | None = None
    proto: str | None = None


def parse_forwarded(values: Sequence[bytes]) -> Iterator[ForwardedElement | None]:
    """The elements of all lines from the right, each read when it is asked for. None: malformed, and the end."""
    wire = _tail(values)
    while wire := wire.rstrip(_NOTHING):
        comma = wire.rfind(b",")
        element = parse_element(wire[comma + 1 :].strip(OWS))
        for _ in range(_JOINS_LIMIT_COUNT):
            if element is not None or comma < 0 or not _is_open(wire[comma + 1 :]):
                break
            comma = _comma_before_quote(wire, comma)
            element = parse_element(wire[comma + 1 :].strip(OWS))
        yield element
        if element is None or comma < 0:
            return
        wire = wire[:comma]


def pieces_from_right(values: Sequence[bytes]) -> Iterator[bytes]:
    """What stands between the commas of a list header, all its lines, from the right; without the empty ones."""
    wire = _tail(values)
    while wire := wire.rstrip(_NOTHING):
        wire, _, piece = wire.rpartition(b",")
        yield piece.strip(OWS)


def parse_element(piece: bytes) -> ForwardedElement | None:
    """One element of `Forwarded`; None if it is none."""
    text = visible(piece.replace(b"\t", b" ")) if len(piece) <= _ELEMENT_LIMIT_BYTES else None
    if text is None or _ELEMENT.fullmatch(text) is None:
        return None
    pairs = _PAIRS.findall(text)
    found = {name.lower(): token or _unescaped(quoted) for name, token, quoted in pairs}
    if len(found) < len(pairs):
        return None
    return ForwardedElement(found.get("for"), found.get("by"), found.get("host"), found.get("proto"))


def parse_node(text: str) -> Node | None:
    """A node of `Forwarded`; None if it is none."""
    match = _NODE.fullmatch(text)
    if match is None:
        return None
    if match["name"] is not None:
        is_unknown = not match["name"].startswith("_")
        kind = NodeKind.UNKNOWN if is_unknown else NodeKind.OBFUSCATED
        return Node(kind, None, "unknown" if is_unknown else match["name"], match["port"])
    address = parse_address(match["v4"] or match["v6"])
    return None if address is None else Node(NodeKind.ADDRESS, address, None, match["port"])


def parse_x_forwarded_node(text: str) -> Node | None:
    """A node of `X-Forwarded-For`: as in `Forwarded`, or an IPv6 address without brackets, which then has no port."""
    if _BARE_V6.fullmatch(text) is None:
        return parse_node(text)
    address = parse_address(text)
    return None if address is None else Node(NodeKind.ADDRESS, address)


def _tail(values: Sequence[bytes]) -> bytes:
    """The end of all lines together; what begins before it is not seen."""
    wire = b",".join(values)
    return wire if len(wire) <= _TAIL_BYTES else wire[-_TAIL_BYTES:].partition(b",")[2]


def _is_open(piece: bytes) -> bool:
    """Whether a quoted string began before this piece: it has an odd number of quotes that are not escaped."""
    return piece.replace(rb"\\", b"").replace(rb"\"", b"").count(b'"') % 2 == 1


def _comma_before_quote(wire: bytes, comma: int) -> int:
    """The last comma before the quoted string that this comma stands in; -1 if there is none, or it is far away.

    That string begins at the nearest =" to the left: every quote in it is escaped, and then a backslash is before it.
    """
    start = max(0, len(wire) - _ELEMENT_LIMIT_BYTES)
    return wire.rfind(b",", start, max(start, wire.rfind(b'="', start, comma)))


def _unescaped(quoted: str) -> str:
    """The content of a quoted string; it holds no NUL."""
    return quoted.replace(r"\\", "\0").replace("\\", "").replace("\0", "\\") if "\\" in quoted else quoted
