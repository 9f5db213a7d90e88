"""Divergence: what this replica would have said where a carried decision held, and why the two differ.

A sampled few are compared; nothing is decided by it. Many of one cause tell which part of a fleet is behind, which
service does not know an attribute that another decides by, or where decisions are lost on the way.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from pennon.carry.fingerprint import fingerprint_of
from pennon.context import Decision, Ledger, Reason
from pennon.flags import Flag, Ruleset

# What was not decided here by rules.
_GIVEN: Final = frozenset({Reason.CARRIED, Reason.KILLED, Reason.OVERRIDE})


class Divergence(StrEnum):
    """How a carried decision compares with what would have been decided here."""

    AGREED = "agreed"
    """The same variant."""
    REVISION_SKEW = "revision_skew"
    """The flag was another when it was decided: one of the two replicas is behind, or time has passed."""
    MISSING_ATTRIBUTE = "missing_attribute"
    """The same flag, but an attribute that it asks about is missing here."""
    DROPPED = "dropped"
    """Decided here, after some hop had dropped decisions for the budget."""
    UNKNOWN_FLAG = "unknown_flag"
    """What arrived is about a flag that does not exist here."""
    OTHER = "other"
    """None of these: an attribute with another value, or another set of units."""


class DivergenceCount(msgspec.Struct, frozen=True):
    """So many sampled decisions came out so. flag: "" for flags that the process does not know."""

    flag: str
    cause: Divergence
    count: int


def divergence_of(
    flag: Flag, decision: Decision, attributes: Mapping[str, object], units: Mapping[str, str]
) -> Divergence:
    """How a decision that was carried in compares with what the flag says now.

    decision: one whose reason is CARRIED; overrides and kills differ on purpose. Raises: what `attributes` raises when
    it is read.
    """
    answer = flag.answer(decision.unit_key, attributes, units)
    if answer.variant_id == decision.answer.variant_id:
        return Divergence.AGREED
    if decision.revision != max(answer.revision, flag.scope.floor):
        return Divergence.REVISION_SKEW
    return Divergence.MISSING_ATTRIBUTE if flag.missing_attributes(attributes) else Divergence.OTHER


def was_dropped(ledger: Ledger, decision: Decision) -> bool:
    """Whether a decision was made here that may have been made upstream and dropped there for the budget."""
    scope, unit_key = decision.scope, decision.unit_key
    if not (ledger.was_cut and scope.carry) or unit_key is None or decision.answer.reason in _GIVEN:
        return False
    environment = scope.environment
    fingerprint = fingerprint_of(environment.salt, scope.unit_kind, unit_key)
    arrived = ledger.arrived.get((environment.id, scope.flag_id), ())
    return all(entry.fingerprint != fingerprint for entry in arrived)


def unknown_flags(ledger: Ledger, ruleset: Ruleset) -> int:
    """How many flags of this environment and epoch have arrived decided that this ruleset does not know."""
    here = ruleset.environment.id
    return sum(
        environment == here
        and any(entry.epoch == ruleset.epoch for entry in entries)
        and ruleset.flag_by_id(flag_id) is None
        for (environment, flag_id), entries in list(ledger.arrived.items())
    )
