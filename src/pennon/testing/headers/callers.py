"""Who asks: a caller that the boundary verifies, and a stranger.

A boundary is asked, not guessed: an address counts as a verified caller's only if its `verify` says so.
"""

from functools import partial
from typing import Final

import msgspec

from pennon.headers import Boundary, Inbound
from pennon.testing.headers.driving import Lines

# Where services stand: loopback, the private networks (RFC 1918, RFC 4193), shared address space (RFC 6598).
_NEAR: Final = ("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "::1", "fd00::1")
# RFC 5737 §3: an address that nobody has.
_FAR: Final = "203.0.113.7"


class Caller(msgspec.Struct, frozen=True):
    """Somebody who asks. headers: what proves who it is, where the boundary's callables want more than an address."""

    address: str
    headers: tuple[tuple[str, str], ...] = ()


class Callers(msgspec.Struct, frozen=True):
    """Who can ask at a boundary. verified: None where nobody is believed; stranger: None where everybody is."""

    verified: Caller | None
    stranger: Caller | None

    def each(self) -> tuple[Caller, ...]:
        """Those that there are."""
        return tuple(caller for caller in (self.verified, self.stranger) if caller is not None)


def callers_at(boundary: Boundary, *, verified: Caller | None = None, stranger: Caller | None = None) -> Callers:
    """Who can ask at this boundary; those that are not given are looked for among usual addresses.

    Raises: ValueError if a mesh has a verifier and no verified caller is known, or if it takes one for the other.
    """
    believes = partial(_believes, boundary)
    if stranger is None:
        found = Caller(_FAR)
        stranger = None if believes(found) else found
    elif believes(stranger):
        raise ValueError(f"stranger: the boundary verifies {stranger.address!r}")
    if boundary.is_public or boundary.verify is None:
        if verified is not None:
            raise ValueError("verified: this boundary verifies nobody")
        return Callers(None, stranger)
    if verified is None:
        verified = next((caller for caller in map(Caller, _NEAR) if believes(caller)), None)
        if verified is None:
            tried = ", ".join(_NEAR)
            raise ValueError(f"verified: the boundary verifies none of {tried}; say who is: Caller(address, headers)")
    elif not believes(verified):
        raise ValueError(f"verified: the boundary does not verify {verified.address!r} with what it brings")
    return Callers(verified, stranger)


def _believes(boundary: Boundary, caller: Caller) -> bool:
    return boundary.believes(_inbound_of(caller.address, caller.headers), unasked=False)


def _inbound_of(address: str, headers: Lines) -> Inbound:
    return Inbound(
        address=address,
        method="GET",
        path="/",
        topic=None,
        headers=tuple([(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]),
        source={},
    )
