"""What proxies say about a request: `Forwarded` (RFC 7239) and `X-Forwarded-For`, read from the right.

Rules:
- Each proxy appends, so the right-most element is the nearest proxy's, and what stands left of a stranger's is the
  stranger's to invent. Hence elements are read from the right, one by one, and the rest is not looked at: a long or
  broken beginning costs nothing and hides nothing.
- RFC 7239 §4: an element is name=value pairs with ";" between them; a name is a token, compared without case, and
  stands once; a value is a token or a quoted string. White space around ";" is allowed here, many write it.
- A comma may stand in a quoted string. Where a piece between commas has an odd number of quotes, what stands before it,
  from that string's beginning, is put in front. A stranger's text within a proxy's quoted string cannot become an
  element: its quotes are escaped, a piece that begins in there has an odd number of others, and an element has an even
  one. What is escaped is covered up first, so that each quote which is left begins or ends a string.
- §6: a node is an IPv4 address, an IPv6 address in brackets, "unknown", or an obfuscated identifier ("_hidden"), with
  an optional port. `X-Forwarded-For` has no standard: there brackets may be missing.
"""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from pennon.headers.addresses import Address, parse_address
from pennon.headers.grammar import OWS, TOKEN

# The end of all lines together is where the trusted proxies wrote. 2 kB hold eight elements of 256 characters: two long
# addresses and a host take fewer.
_TAIL_BYTES: Final = 2_048
# Of it no more than so many backslashes: each costs 20 ns to cover, and nobody's host has any.
_ESCAPES_LIMIT_COUNT: Final = 128
# In place of what is not seen: neither element nor node, so that a chain which reaches so far is known to nobody. Else
# a proxy of ours would pass for the client where what it repeats is long.
_UNSEEN: Final = b"\0,"
_NOTHING: Final = b"," + OWS
# Two addresses with ports and the longest host name are 371.
_ELEMENT_LIMIT_BYTES: Final = 384
# RFC 7239 defines four parameters; each pair costs, so that extensions beyond as many again are no element.
_PAIRS_LIMIT_COUNT: Final = 8

# An element with more quoted strings that hold commas is none.
_JOINS_LIMIT_COUNT: Final = 4

# Of a text whose escapes are covered. Three groups a pair: name, token, content of a quoted string.
_PAIR: Final = rf' *+(?:({TOKEN})=(?:({TOKEN})|"([^"]*+)"))?+ *+'
_ELEMENT: Final = re.compile(rf"{_PAIR}{f'(?:;{_PAIR})?+' * (_PAIRS_LIMIT_COUNT - 1)};?+".encode())
_GROUPS_OF_PAIR: Final = 3
# Not visible: no element holds it as it came.
_COVER: Final = b"\1\1"
_VISIBLE: Final = bytes(range(0x20, 0x7F))

_PORT: Final = r"(?::([0-9]{1,5}|_[A-Za-z0-9._-]{1,32}))?"
# IPv4, IPv6, identifier, port.
_NODE: Final = re.compile(
    rf"(?:([0-9.]{{7,15}})|\[((?=[^\]]*:)[0-9A-Fa-f:.]{{2,45}})\]"
    rf"|((?i:unknown)|_[A-Za-z0-9._-]{{1,64}})){_PORT}"
)
_BARE_V6: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}+")
# One is a port's.
_V6_COLONS_LEAST_COUNT: Final = 2


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


class ForwardedElement:
    """What one proxy says, each as text, unquoted and unchecked; None if it does not say.

    Of most elements only `for_node` is ever asked for: what is said is unquoted when it is.
    """

    __slots__ = ("_names", "_pairs", "_piece")

    def __init__(self, piece: bytes, pairs: re.Match[bytes], names: Sequence[bytes]) -> None:
        self._piece = piece
        self._pairs = pairs
        self._names = names

    @property
    def for_node(self) -> str | None:
        """Who came to it."""
        return self._said(b"for")

    @property
    def by_node(self) -> str | None:
        """At which of its interfaces."""
        return self._said(b"by")

    @property
    def host(self) -> str | None:
        """Which host was asked for."""
        return self._said(b"host")

    @property
    def proto(self) -> str | None:
        """Over which scheme."""
        return self._said(b"proto")

    def _said(self, name: bytes) -> str | None:
        """The value of a parameter, as token or as quoted string."""
        if name not in self._names:
            return None
        token = _GROUPS_OF_PAIR * self._names.index(name) + 2
        text = self._pairs[token]
        if text is not None:
            return text.decode()
        start, end = self._pairs.span(token + 1)
        return _unescaped(self._piece[start:end].decode())


def parse_forwarded(values: Sequence[bytes]) -> Iterator[ForwardedElement | None]:
    """The elements of all lines from the right, each read when it is asked for. None: malformed, and the end."""
    wire = _tail(values).replace(b"\t", b" ")
    if wire.count(b"\\") > _ESCAPES_LIMIT_COUNT:
        wire = _seen_from(wire, len(wire.rsplit(b"\\", _ESCAPES_LIMIT_COUNT)[0]))
    covered = wire.replace(rb"\\", _COVER).replace(rb"\"", _COVER)
    while covered := covered.rstrip(_NOTHING):
        comma = _comma_before_last(covered)
        element = _element_of(wire[comma + 1 : len(covered)], covered[comma + 1 :])
        yield element
        if element is None or comma < 0:
            return
        covered = covered[:comma]


def pieces_from_right(values: Sequence[bytes]) -> Iterator[bytes]:
    """What stands between the commas of a list header, all its lines, from the right; without the empty ones."""
    wire = _tail(values)
    while wire := wire.rstrip(_NOTHING):
        wire, _, piece = wire.rpartition(b",")
        yield piece.strip(OWS)


def parse_node(text: str) -> Node | None:
    """A node of `Forwarded`; None if it is none."""
    match = _NODE.fullmatch(text)
    if match is None:
        return None
    v4, v6, name, port = match.groups()
    if name is not None:
        is_obfuscated = name.startswith("_")
        kind = NodeKind.OBFUSCATED if is_obfuscated else NodeKind.UNKNOWN
        return Node(kind, None, name if is_obfuscated else "unknown", port)
    address = parse_address(v4 or v6)
    return None if address is None else Node(NodeKind.ADDRESS, address, None, port)


def parse_x_forwarded_node(text: str) -> Node | None:
    """A node of `X-Forwarded-For`: as in `Forwarded`, or an IPv6 address without brackets, which then has no port."""
    if _BARE_V6.fullmatch(text) is None or text.count(":") < _V6_COLONS_LEAST_COUNT:
        return parse_node(text)
    address = parse_address(text)
    return None if address is None else Node(NodeKind.ADDRESS, address)


def _tail(values: Sequence[bytes]) -> bytes:
    """The end of all lines together."""
    wire = values[0] if len(values) == 1 else b",".join(values)
    return wire if len(wire) <= _TAIL_BYTES else _seen_from(wire, len(wire) - _TAIL_BYTES)


def _seen_from(wire: bytes, start: int) -> bytes:
    """What begins there, or behind it."""
    return _UNSEEN + wire[start:].partition(b",")[2]


def _comma_before_last(covered: bytes) -> int:
    """The comma before the last element; -1 if there is none, or it is far away.

    Where it would stand in a quoted string, that string begins at the nearest quote to the left.
    """
    comma = covered.rfind(b",")
    start = max(0, len(covered) - _ELEMENT_LIMIT_BYTES)
    for _ in range(_JOINS_LIMIT_COUNT):
        if comma < 0 or covered.count(b'"', comma) % 2 == 0:
            break
        comma = covered.rfind(b",", start, max(start, covered.rfind(b'"', start, comma)))
    return comma


def _element_of(piece: bytes, covered: bytes) -> ForwardedElement | None:
    """One element; None if it is none. covered: the same with its escapes covered."""
    # White space at the ends is the pairs', and counts for nothing.
    if len(piece.strip(OWS)) > _ELEMENT_LIMIT_BYTES or piece.translate(None, _VISIBLE):
        return None
    match = _ELEMENT.fullmatch(covered)
    if match is None:
        return None
    names = b",".join(match.groups(b"")[::_GROUPS_OF_PAIR]).lower().split(b",")
    # Empty ones are pairs that are not there.
    is_each_once = len(set(names)) == len(names) - max(names.count(b"") - 1, 0)
    return ForwardedElement(piece, match, names) if is_each_once else None


def _unescaped(quoted: str) -> str:
    """The content of a quoted string; it holds no NUL."""
    return quoted.replace(r"\\", "\0").replace("\\", "").replace("\0", "\\") if "\\" in quoted else quoted
