"""The change log as a chain: each row's hash goes into the next one's, so that an edited, lost or added row shows.

What is hashed is the row's canonical JSON as it was written, so that a later version of pennon, whose records have more
members, reads and verifies it alike. Who can write the whole database can also rewrite the whole chain; against that
only a hash noted elsewhere helps.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pennon.control.ports import Change
from pennon.errors import Fault

GENESIS: Final = "0" * 64


class Link(msgspec.Struct, frozen=True):
    """One row as it is kept. revision: as it is indexed. body: `canonical` of the change."""

    revision: int
    body: bytes
    previous_hash: str
    hash: str


def canonical(change: Change) -> bytes:
    """The change as JSON, members of objects sorted: what is kept and hashed."""
    return msgspec.json.encode(change, order="sorted")


def hash_of(previous_hash: str, body: bytes) -> str:
    """SHA-256 over the previous hash, as ASCII, and the row's canonical JSON; lower-case hex."""
    return hashlib.sha256(previous_hash.encode() + body).hexdigest()


def linked(previous_hash: str, change: Change) -> Link:
    """The change as the next link."""
    body = canonical(change)
    return Link(change.revision, body, previous_hash, hash_of(previous_hash, body))


def broken_links(links: Iterable[Link], *, revision: int, head_hash: str) -> Iterator[Fault]:
    """What is wrong with a chain, oldest link first.

    revision, head_hash: where the chain must end; kept with the environment.

    Paths are "/<revision>".
    """
    previous_hash, expected = GENESIS, 1
    for link in links:
        yield from _faults(link, previous_hash, expected)
        previous_hash, expected = link.hash, link.revision + 1
    if expected != revision + 1:
        yield Fault(f"/{revision}", f"the log ends at revision {expected - 1}, must end at {revision}")
    elif previous_hash != head_hash:
        yield Fault(f"/{revision}", f"hash {previous_hash} found, must be the environment's {head_hash}")


def _faults(link: Link, previous_hash: str, expected: int) -> Iterator[Fault]:
    path = f"/{link.revision}"
    if link.revision != expected:
        yield Fault(path, f"follows revision {expected - 1}, must follow {link.revision - 1}")
    if link.previous_hash != previous_hash:
        yield Fault(path, f"previous hash {link.previous_hash} found, must be {previous_hash}")
    if link.hash != (found := hash_of(link.previous_hash, link.body)):
        yield Fault(path, f"the row's hash is {found}, must be the kept {link.hash}")
    if (revision := _Revision.of(link.body)) != link.revision:
        yield Fault(path, f"the row says revision {revision}, must be the indexed {link.revision}")


class _Revision(msgspec.Struct):
    revision: int

    @classmethod
    def of(cls, body: bytes) -> int | None:
        try:
            return msgspec.json.decode(body, type=cls).revision
        except msgspec.MsgspecError:
            return None
