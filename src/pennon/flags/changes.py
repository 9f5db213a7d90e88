"""What a delta does to a ruleset: records put and records taken away, by kind."""

from collections.abc import Mapping

import msgspec

from pennon.flags.records import FlagRecord, ReconciledRecord, RevocationRecord, SegmentRecord, SignerRecord


class Put(msgspec.Struct, frozen=True, omit_defaults=True):
    """Records that are added, or replace one of the same key, whole."""

    flags: Mapping[str, FlagRecord] = {}
    segments: Mapping[str, SegmentRecord] = {}
    signers: Mapping[str, SignerRecord] = {}
    revocations: Mapping[str, RevocationRecord] = {}
    reconciled: Mapping[str, ReconciledRecord] = {}


class Delete(msgspec.Struct, frozen=True, omit_defaults=True):
    """Keys of records that are taken away."""

    flags: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    revocations: tuple[str, ...] = ()
    reconciled: tuple[str, ...] = ()
