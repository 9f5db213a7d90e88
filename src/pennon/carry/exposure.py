"""Exposures: the fact that a unit was treated with a variant, and an id by which the same fact counts once."""

from hashlib import sha256
from typing import Final

import msgspec

from pennon.context import Decision, Origin, Unit
from pennon.flags import Flag, FlagRecord, cbor_text

# CBOR (RFC 8949 §3.1): an array of six; unsigned integers are major type 0.
_ARRAY_OF_6: Final = b"\x86"

# 128 bits: among 10**15 exposures two share an id with a probability of 10**-9.
_ID_BYTES: Final = 16


class Exposure(msgspec.Struct, frozen=True):
    """One treatment, as it is reported.

    flag, variant: keys. unit_key: whom it was; the id hides it, an analysis joins by it.
    at_ns: when the code branched, since 1970.
    revision: of the decision; a replica below it may not know the phase yet, so such an exposure waits.
    """

    id: str
    flag: str
    variant: str
    unit_kind: str
    unit_key: str
    phase: int
    at_ns: int
    revision: int


def exposure_of(flag: Flag, decision: Decision, *, is_replay: bool, now_ns: int) -> Exposure | None:
    """The exposure that this use of a decision is, or None if it is none.

    Only experiments' flags expose, and only what a split or a rule decided: units outside coverage look like a control
    arm and would skew the ratio; overridden, killed and replayed decisions are nobody's treatment.
    flag: of a ruleset that is not older than the decision.
    """
    variant, variant_id, unit_key = decision.answer.variant, decision.answer.variant_id, decision.unit_key
    if not flag.exposes or is_replay or decision.origin not in (Origin.SPLIT, Origin.RULE):
        return None
    if variant is None or variant_id is None or unit_key is None:
        return None
    scope = decision.scope
    phase = phase_of(flag.record)
    unit = Unit(scope.unit_kind, unit_key)
    identifier = exposure_id(scope.environment.id, scope.flag_id, phase, unit, variant_id)
    return Exposure(identifier, flag.key, variant, unit.kind, unit.key, phase, now_ns, decision.revision)


def phase_of(record: FlagRecord) -> int:
    """The phase of a flag: that of its latest split, 0 if it has none.

    A carried decision does not say which split made it, so phases are numbered by flag: a split that begins anew takes
    a number that no split of its flag had.
    """
    serves = (record.fallthrough, *(rule.serve for rule in record.rules))
    return max((serve.split.phase for serve in serves if serve.split is not None), default=0)


def exposure_id(environment_id: int, flag_id: int, phase: int, unit: Unit, variant_id: int) -> str:
    """32 hex digits: the first half of SHA-256 over canonical CBOR of these, the unit as kind and key.

    The same treatment has the same id in every service, at every redelivery.
    """
    numbers = b"".join(map(_cbor_unsigned, (environment_id, flag_id, phase)))
    content = _ARRAY_OF_6 + numbers + cbor_text(unit.kind) + cbor_text(unit.key) + _cbor_unsigned(variant_id)
    return sha256(content).digest()[:_ID_BYTES].hex()


def _cbor_unsigned(number: int) -> bytes:
    """The shortest form of an unsigned integer below 2**64."""
    if number < 24:
        return bytes((number,))
    for code, width in ((24, 1), (25, 2), (26, 4)):
        if number < 1 << (8 * width):
            return bytes((code,)) + number.to_bytes(width, "big")
    return b"\x1b" + number.to_bytes(8, "big")
