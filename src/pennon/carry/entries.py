"""Entries, one by one: what each is about, and in which order several stand.

House rule: a ledger may hold several entries about one place. They stand by ascending revision, and the first that is
valid where it is asked for holds; a kill stands above all others (docs/decisions/0005).
"""

from typing import Final, TypeAlias

from pennon.carry.fingerprint import fingerprint_of
from pennon.context import Decision, Entry, Origin

MINUTE_NS: Final = 60_000_000_000

# Its own name, because looking a member up in its enum costs as much as building an entry.
KILL: Final = Origin.KILL

# Environment, epoch, flag, fingerprint: what a decision is about.
Place: TypeAlias = tuple[int, int, int, int]


def place_of(entry: Entry) -> Place:
    """What an entry is about."""
    return entry.environment, entry.epoch, entry.flag_id, entry.fingerprint


def place_of_decision(decision: Decision) -> Place | None:
    """What a decision is about; None if it names no unit."""
    scope, unit_key = decision.scope, decision.unit_key
    if unit_key is None:
        return None
    environment = scope.environment
    fingerprint = fingerprint_of(environment.salt, scope.unit_kind, unit_key)
    return environment.id, scope.epoch, scope.flag_id, fingerprint


def with_entry(entries: tuple[Entry, ...], entry: Entry) -> tuple[Entry, ...]:
    """A flag's entries and one more, those about one place by ascending revision.

    Of one place and revision the first stays, and beside it a kill.
    """
    place, revision, is_kill = place_of(entry), entry.revision, entry.origin is KILL
    at = len(entries)
    for index, each in enumerate(entries):
        if place_of(each) != place:
            continue
        if each.revision == revision and (each.origin is KILL or not is_kill):
            return entries
        if each.revision > revision:
            at = index
            break
    return (*entries[:at], entry, *entries[at:])
