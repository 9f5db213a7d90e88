"""The jobs as pennon's own ruleset, as the server would send it."""

import json
from collections.abc import Mapping, Sequence

from benchmarks.engine.jobs import ruleset
from benchmarks.peers.formats.common import Document

from pennon.flags import FlagRecord, encode_ruleset, member_hash


def document(flags: Sequence[FlagRecord], members: Mapping[str, Sequence[str]]) -> Document:
    """A ruleset; its segments must hold exactly these members."""
    record = ruleset(*flags)
    for key, segment in record.segments.items():
        hashes = {member_hash(segment.salt, member) for member in members.get(key, ())}
        if hashes != set(segment.members):
            raise ValueError(f"segment {key!r}: its members are not those that the peers are given")
    written: Document = json.loads(encode_ruleset(record))
    return written
