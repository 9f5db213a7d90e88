"""Who stands at a door: a boundary, what it is asked about, and the first verifier."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from pennon.context import Identity
from pennon.headers.addresses import Networks
from pennon.headers.carrier import Headers

_NOBODY: Final = Identity()


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """A request or record as a boundary's callables see it. What stands in its headers is a claim, not a fact.

    address: of the peer, None if unknown (a record has none). topic: None for HTTP.
    source: the ASGI scope, or the record. service: the name of the contract under which a record is read.
    """

    address: str | None
    method: str | None
    path: str | None
    topic: str | None
    headers: Headers
    source: Any
    service: str = ""

    def header(self, name: str) -> str | None:
        """A header's value, without surrounding white space; None if absent.

        Several lines are joined by ", " (RFC 9110 §5.2), so that nobody reads the first of two credentials. Bytes that
        are not UTF-8 become U+FFFD.
        """
        wanted = name.lower().encode()
        values = [value for key, value in self.headers if value is not None and key.lower() == wanted]
        return b", ".join(values).decode("utf-8", "replace").strip() if values else None


@dataclass(frozen=True, slots=True)
class Boundary:
    """Made by `public` or `mesh`; there is no default.

    identity: what is known of a caller, from what has been verified, and then nothing else counts (it gives None for
        nobody); None: what the identity headers say that the contract declares, of a verified caller alone.
    verify: whether this caller is one of ours; None: at an HTTP door nobody is, a topic's writers are.
    """

    is_public: bool
    identity: Callable[[Inbound], Identity | None] | None = None
    verify: Callable[[Inbound], bool] | None = None

    def believes(self, inbound: Inbound, *, unasked: bool) -> bool:
        """Whether this caller is one of ours. unasked: what holds in a mesh without a verifier.

        Raises: what the verifier does; TypeError if it says neither yes nor no: a coroutine would count as a yes.
        """
        if self.is_public:
            return False
        if self.verify is None:
            return unasked
        found = self.verify(inbound)
        if found is True or found is False:
            return found
        raise TypeError(f"verify: gave a {type(found).__name__}; must be a plain function that gives True or False")

    def identity_of(self, inbound: Inbound, *, is_trusted: bool) -> Identity | None:
        """What is known of the caller; None if there is nobody to ask.

        In a mesh it may read plain headers, so it is not asked about anybody unverified: nothing is known of them.
        Raises: what the callable does; TypeError if it gives no Identity.
        """
        if self.identity is None:
            return None
        if not (is_trusted or self.is_public):
            return _NOBODY
        found = self.identity(inbound)
        if found is None:
            # Not as if nobody had been asked: then headers would say it.
            return _NOBODY
        if isinstance(found, Identity):
            return found
        raise TypeError(f"identity: gave a {type(found).__name__}; must be a plain function that gives an Identity")


def public(*, identity: Callable[[Inbound], Identity | None] | None = None) -> Boundary:
    """Callers are strangers: what they say about trace, ids, decisions and internal fields is not believed."""
    return Boundary(is_public=True, identity=identity)


def mesh(
    *,
    verify: Callable[[Inbound], bool] | None = None,
    identity: Callable[[Inbound], Identity | None] | None = None,
) -> Boundary:
    """Callers are ours if `verify` says so; one that it does not know is treated as at a public boundary."""
    return Boundary(is_public=False, identity=identity, verify=verify)


def networks(*cidrs: str) -> Callable[[Inbound], bool]:
    """A verifier: the peer's address lies in one of these networks, e.g. "10.0.0.0/8" or "::1".

    IPv4 in IPv6 (::ffff:10.0.0.1) counts as IPv4. An address that is none belongs to no network.
    Raises: SettingInvalid with every network that is none, or if none is given.
    """
    trusted = Networks(cidrs)
    return lambda inbound: trusted.hold_text(inbound.address)
