"""Whose request it is: the client's address, scheme and host behind trusted proxies.

Rules:
- Nothing that a peer outside the trusted networks says counts.
- From a trusted peer the chain is walked from the right: whom a trusted proxy names is believed, and if that is a
  trusted proxy too, so is what it said before. The first that is not trusted is the client; if all are, the left-most.
- The client's scheme and host are those that the outermost trusted proxy saw, so they stand in the same element.
- Where the chain ends in "unknown", an obfuscated identifier or something malformed, nobody trusted knows the address:
  it is None. It is never the nearest proxy's instead, whose address may open doors.
- A proxy that writes one of `Forwarded` and `X-Forwarded-*` may pass the other on as the client sent it. Hence it is
  said which of the two ours write (`reads`); where that is both, `Forwarded` comes first: its word counts, and what
  contradicts it is reported.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final

import msgspec
from msgspec import structs

from pennon.context import Forwarded
from pennon.errors import Fault, SettingInvalid
from pennon.headers.addresses import Address, Networks, parse_address
from pennon.headers.forwarded import (
    ForwardedElement,
    Node,
    parse_forwarded,
    parse_node,
    parse_x_forwarded_node,
    pieces_from_right,
)
from pennon.headers.report import Drop, DropReason
from pennon.headers.values import listed

FORWARDED: Final = "forwarded"
X_FORWARDED_FOR: Final = "x-forwarded-for"
X_FORWARDED_PROTO: Final = "x-forwarded-proto"
X_FORWARDED_HOST: Final = "x-forwarded-host"
X_FORWARDED_PORT: Final = "x-forwarded-port"

# More than five proxies of our own in a row nobody has: CDN, firewall, balancer, ingress, sidecar.
MAX_ELEMENTS: Final = 8

_PORT: Final = re.compile(r"[0-9]{1,5}")
_PORT_LIMIT: Final = 65_535
# RFC 3986 §3.1; longer ones than this nobody serves.
_PROTO: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}")
# RFC 9110 §7.2: host and optional port, of the characters that names and addresses are written in.
_HOST: Final = re.compile(r"(?P<host>[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?")


class ForwardedSource(StrEnum):
    """The headers in which proxies tell."""

    FORWARDED = "forwarded"
    X_FORWARDED = "x-forwarded"


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """Whose word counts about the client.

    networks: where our proxies stand, e.g. "10.0.0.0/8". reads: which headers they write; the others are a client's.
    max_elements: how much of a chain is read; where proxies write both headers, of both together.
    Raises: SettingInvalid with every fault found.
    """

    networks: Sequence[str]
    _: KW_ONLY
    reads: Sequence[ForwardedSource]
    max_elements: int = MAX_ELEMENTS
    trusted: Networks = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "networks", listed(self.networks))
        object.__setattr__(self, "reads", listed(self.reads))
        faults = []
        try:
            object.__setattr__(self, "trusted", Networks(self.networks))
        except SettingInvalid as refusal:
            faults = [Fault(f"/networks{fault.path}", fault.message) for fault in refusal.faults]
        allowed = ", ".join(ForwardedSource)
        if not self.reads:
            faults.append(Fault("/reads", f"names nothing; give one or both of {allowed}"))
        for number, source in enumerate(self.reads):
            if source not in _NAMES_OF:
                faults.append(Fault(f"/reads/{number}", f"{source!r} is not one of {allowed}"))
        if self.max_elements < 1:
            faults.append(Fault("/max_elements", f"{self.max_elements!r} is not an integer of at least 1"))
        if faults:
            raise SettingInvalid(faults)


class Behind(msgspec.Struct, frozen=True):
    """What the proxies say.

    client: who asks, as far as somebody trusted knows; None: nobody trusted speaks, the peer itself asks.
    hops: the trusted proxies' addresses, from the nearest outwards.
    took: the headers that counted. dropped: those that did not, and why.
    elements: how many were looked at, of all headers together.
    """

    client: Forwarded | None = None
    hops: tuple[Address, ...] = ()
    took: tuple[str, ...] = ()
    dropped: tuple[Drop, ...] = ()
    elements: int = 0


class _Claim(msgspec.Struct, frozen=True):
    """What one proxy says of the request that came to it, unchecked. None: it does not say."""

    proto: str | None = None
    host: str | None = None
    port: str | None = None


class _Walk(msgspec.Struct, frozen=True):
    """How a walk ended.

    place: of the outermost trusted proxy's word, 0 the nearest's. node: who came to it. hops: passed on the way.
    fault: why nobody knows.
    """

    place: int
    node: Node | None
    hops: tuple[Address, ...]
    fault: DropReason | None = None


def client_behind(peer: str | None, found: Mapping[str, Sequence[bytes]], proxies: TrustedProxies | None) -> Behind:
    """Who asks.

    peer: the address of who is connected to us, None if unknown. found: lower-case name -> the values of its lines.
    proxies: None: there are none, the peer is the client.
    """
    present = [name for name in _NAMES if found.get(name)]
    address = parse_address(peer)
    if proxies is None or address is None or not proxies.trusted.hold(address):
        return Behind(dropped=_drops(present, DropReason.NOT_TRUSTED))
    told: list[Behind] = []
    limit = proxies.max_elements
    for source, names in _NAMES_OF.items():
        if source in proxies.reads and any(name in present for name in names):
            told.append(_told(address, names, found, proxies.trusted, limit))
            # Whoever writes both goes the same way in both. The second is only compared: it gets what the first left.
            limit = max(limit - len(told[0].hops), 1)
    unread = [name for name in present if not any(name in _NAMES_OF[source] for source in proxies.reads)]
    not_read = _drops(unread, DropReason.NOT_TRUSTED)
    if not told:
        # It speaks for nobody: what a proxy of ours asks for itself.
        return Behind(dropped=not_read)
    first = told[0]
    if len(told) > 1:
        contradicted = [name for name in told[1].took if _contradicts(name, first.client, told[1].client)]
        first = _with_drops(first, contradicted, DropReason.CONTRADICTED)
        first = structs.replace(first, elements=first.elements + told[1].elements)
    return structs.replace(first, dropped=first.dropped + not_read) if not_read else first


def _drops(names: Sequence[str], reason: DropReason) -> tuple[Drop, ...]:
    return tuple([Drop(name, reason) for name in names])


def _with_drops(told: Behind, names: Sequence[str], reason: DropReason) -> Behind:
    return structs.replace(told, dropped=told.dropped + _drops(names, reason)) if names else told


def _told(
    peer: Address, names: Sequence[str], found: Mapping[str, Sequence[bytes]], trusted: Networks, limit: int
) -> Behind:
    """What these headers tell of whom a trusted peer speaks for. limit: of how many elements are read."""
    is_standard = names[0] == FORWARDED
    elements: list[ForwardedElement] = []
    nodes = _standard_nodes(found[FORWARDED], elements) if is_standard else _x_nodes(found)
    walk = _walk(nodes, trusted, limit)
    hops = (peer, *walk.hops)
    took = tuple([name for name in names if found.get(name)])
    if walk.fault is not None:
        return Behind(Forwarded(None), hops, took, (Drop(names[0], walk.fault),), len(hops))
    claim = _standard_claim(elements, walk.place) if is_standard else _x_claim(found, walk.place)
    address, identifier = _named(walk.node)
    proto = claim.proto.lower() if claim.proto is not None and _PROTO.fullmatch(claim.proto) else None
    host, port = _host_and_port(claim)
    checked = (
        (X_FORWARDED_PROTO, claim.proto, proto),
        (X_FORWARDED_HOST, claim.host, host),
        (X_FORWARDED_PORT, claim.port, port),
    )
    malformed = [
        FORWARDED if is_standard else name for name, said, kept in checked if said is not None and kept is None
    ]
    told = Behind(Forwarded(address, identifier, proto, host, port), hops, took, elements=len(hops))
    return _with_drops(told, malformed, DropReason.MALFORMED)


def _walk(nodes: Iterator[Node | DropReason | None], trusted: Networks, limit: int) -> _Walk:
    """From the right to the first that is not trusted, or to the end."""
    hops: list[Address] = []
    node: Node | None = None
    for place, named in enumerate(nodes):
        if isinstance(named, DropReason) or place == limit:
            return _Walk(place, None, tuple(hops), named if isinstance(named, DropReason) else DropReason.TOO_MANY)
        node = named
        if node is None or node.address is None or not trusted.hold(node.address):
            return _Walk(place, node, tuple(hops))
        hops.append(node.address)
    return _Walk(max(len(hops) - 1, 0), node, tuple(hops[:-1]))


def _standard_nodes(values: Sequence[bytes], elements: list[ForwardedElement]) -> Iterator[Node | DropReason | None]:
    """Whom each proxy names, from the right; None: it does not say. The elements are left in `elements`."""
    for element in parse_forwarded(values):
        if element is None:
            yield DropReason.MALFORMED
            return
        elements.append(element)
        text = element.for_node
        node = None if text is None else parse_node(text)
        yield DropReason.MALFORMED if node is None and text is not None else node


def _standard_claim(elements: Sequence[ForwardedElement], place: int) -> _Claim:
    return _Claim(elements[place].proto, elements[place].host) if elements else _Claim()


def _x_nodes(found: Mapping[str, Sequence[bytes]]) -> Iterator[Node | DropReason | None]:
    """Likewise; without `X-Forwarded-For` the nearest says nothing, and it is the last."""
    lines = found.get(X_FORWARDED_FOR)
    if not lines:
        yield None
        return
    for piece in pieces_from_right(lines):
        yield parse_x_forwarded_node(piece.decode("latin-1")) or DropReason.MALFORMED


def _x_claim(found: Mapping[str, Sequence[bytes]], place: int) -> _Claim:
    """What is said at this place."""
    said = [_piece_at(place, found.get(name, ())) for name in (X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT)]
    return _Claim(*said)


def _piece_at(place: int, values: Sequence[bytes]) -> str | None:
    """A value that stands alone holds for the whole chain; of several, each for its own element."""
    pieces = list(islice(pieces_from_right(values), max(place + 1, 2)))
    if len(pieces) == 1:
        return pieces[0].decode("latin-1")
    return pieces[place].decode("latin-1") if place < len(pieces) else None


def _named(node: Node | None) -> tuple[str | None, str | None]:
    """Address and identifier."""
    if node is None:
        return None, None
    return None if node.address is None else str(node.address), node.identifier


def _host_and_port(claim: _Claim) -> tuple[str | None, int | None]:
    """Host, lower-case, and port, which may stand with it or apart."""
    match = _HOST.fullmatch(claim.host) if claim.host is not None else None
    host = match["host"].lower() if match is not None else None
    digits = claim.port if claim.port is not None else match and match["port"]
    is_port = digits is not None and _PORT.fullmatch(digits) is not None and 0 < int(digits) <= _PORT_LIMIT
    return host, int(digits) if digits is not None and is_port else None


def _contradicts(name: str, client: Forwarded | None, other: Forwarded | None) -> bool:
    """Whether the other's word in this header is not the client's; silence contradicts nobody."""
    if client is None or other is None:
        return False
    said, otherwise = _WORDS[name](client), _WORDS[name](other)
    return said is not None and otherwise is not None and said != otherwise


_NAMES_OF: Final[Mapping[ForwardedSource, Sequence[str]]] = {
    ForwardedSource.FORWARDED: (FORWARDED,),
    ForwardedSource.X_FORWARDED: (X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT),
}
_NAMES: Final = tuple(name for names in _NAMES_OF.values() for name in names)
_WORDS: Final[Mapping[str, Callable[[Forwarded], object]]] = {
    X_FORWARDED_FOR: lambda client: client.address or client.identifier,
    X_FORWARDED_PROTO: lambda client: client.proto,
    X_FORWARDED_HOST: lambda client: client.host,
    X_FORWARDED_PORT: lambda client: client.port,
}
