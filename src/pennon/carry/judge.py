"""Which answer holds for a unit in a request: killed, else made already, else carried here, else decided now.

The order of an ask is killed > made at this floor > arrived > evaluate. What the last two give enters the ledger, and
what the ledger then holds is the answer. Floors are in `Flag.scope`, which is part of the ledger's key: after a kill
nothing made before it is found again.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Final

from pennon.carry.fingerprint import fingerprint_of
from pennon.carry.leaving import MINUTE_NS
from pennon.context import LEDGER_LIMIT_COUNT, Answer, Decision, Entry, Ledger, Origin, Reason, Scope
from pennon.flags import Flag, Ruleset


class Note(StrEnum):
    """What the caller counts: each departure from "the first decision holds", and each sign of being behind."""

    AHEAD = "ahead"
    """An entry is newer than this ruleset. Resync."""
    NEWER_EPOCH = "newer_epoch"
    """An entry was numbered after a restore that this ruleset has not seen. Not applied. Resync."""
    OTHER_EPOCH = "other_epoch"
    """An entry was numbered before a restore. Not applied."""
    UNKNOWN_VARIANT = "unknown_variant"
    """A newer entry names a variant that is not here yet. Answered locally, forwarded as it came. Resync."""
    DELETED_VARIANT = "deleted_variant"
    """An entry names a variant that is gone. Decided anew."""
    VOID = "void"
    """An entry lies below the flag's floor: killed, unkilled, re-phased or archived since. Decided anew."""
    FINGERPRINT = "fingerprint"
    """What arrived for this flag is about other units."""
    LEDGER_FULL = "ledger_full"
    """Too many decisions in one request; this one is not remembered."""


# The notes after which a client fetches what it has missed (at a bounded rate).
RESYNC_NOTES: Final = frozenset({Note.AHEAD, Note.NEWER_EPOCH, Note.UNKNOWN_VARIANT})

# What a carried answer says, by its origin's number.
_REASONS: Final = tuple(
    {Origin.KILL: Reason.KILLED, Origin.OVERRIDE: Reason.OVERRIDE}.get(origin, Reason.CARRIED) for origin in Origin
)


def decide(
    flag: Flag,
    ruleset: Ruleset,
    ledger: Ledger,
    unit_key: str | None,
    attributes: Mapping[str, object],
    units: Mapping[str, str],
    now_ns: int,
    note: Callable[[Note], object],
) -> Decision:
    """The decision that holds for this unit, entered in the ledger unless it is an ERROR.

    flag: of this ruleset. unit_key: of the flag's kind; None if the ask names none.
    now_ns: wall clock. note: is called with each thing to count; almost never.
    A hit needs no call: `ledger.made.get((flag.scope.key, unit_key))` is the same decision.
    """
    if ledger.arrived or flag.is_killed:
        held = _held_before_deciding(flag, ruleset, ledger, unit_key, attributes, units, now_ns, note)
        if held is not None:
            return held
    # The rest is `_local` and `Ledger.enter`, written out: this runs at every first use of a flag in a request.
    scope = flag.scope
    answer = flag.answer(unit_key, attributes, units)
    origin, revision = answer.origin, answer.revision
    if revision < scope.floor:
        revision = scope.floor
    decision = Decision(answer, scope, unit_key, now_ns, origin, revision)
    if origin is None:
        return decision
    made = ledger.made
    if ledger.is_sealed or len(made) >= LEDGER_LIMIT_COUNT:
        return _unremembered(ledger, decision, note)
    return made.setdefault((scope.key, unit_key), decision)


def _held_before_deciding(
    flag: Flag,
    ruleset: Ruleset,
    ledger: Ledger,
    unit_key: str | None,
    attributes: Mapping[str, object],
    units: Mapping[str, str],
    now_ns: int,
    note: Callable[[Note], object],
) -> Decision | None:
    """What a kill or a carried entry says; None if neither says anything that holds here."""
    entry = _carried_entry(flag.scope, ruleset, ledger, unit_key, note)
    if flag.is_killed:
        # Where a kill raised no floor (a ruleset that nobody's server made), what was made before it must not win.
        killed = _local(flag, unit_key, attributes, units, now_ns)
        held = ledger.enter(killed)
        return held if held.origin is Origin.KILL else killed
    if entry is None:
        return None
    variant = flag.variant_by_id(entry.variant_id)
    if variant is None and entry.revision > ruleset.revision:
        note(Note.UNKNOWN_VARIANT)
        return _without_the_variant(flag, entry, unit_key, attributes, units, now_ns)
    if variant is None:
        note(Note.DELETED_VARIANT)
        return None
    origin, revision = entry.origin, entry.revision
    answer = Answer(flag.key, variant.value, variant.key, variant.id, _REASONS[origin], origin, None, revision)
    return ledger.enter(Decision(answer, flag.scope, unit_key, entry.decided_min * MINUTE_NS, origin, revision))


def _carried_entry(
    scope: Scope, ruleset: Ruleset, ledger: Ledger, unit_key: str | None, note: Callable[[Note], object]
) -> Entry | None:
    """The entry that applies here: of this epoch and unit, not below the floor; a kill before any other."""
    entries = ledger.arrived.get((scope.environment.id, scope.flag_id))
    if entries is None:
        return None
    fingerprint = None if unit_key is None else fingerprint_of(scope.environment.salt, scope.unit_kind, unit_key)
    first, epoch, floor = entries[0], scope.epoch, scope.floor
    if (
        len(entries) == 1
        and first.fingerprint == fingerprint
        and first.epoch == epoch
        and floor <= first.revision <= ruleset.revision
    ):
        return first  # almost always: nothing to weigh, nothing to note
    valid = [
        entry
        for entry in entries
        if entry.fingerprint == fingerprint and entry.epoch == epoch and entry.revision >= floor
    ]
    notes = {each for entry in entries for each in _notes_on(entry, scope, ruleset.revision, fingerprint)}
    for each in sorted(notes - {Note.FINGERPRINT} if valid else notes):
        note(each)
    return next((entry for entry in valid if entry.origin is Origin.KILL), valid[0] if valid else None)


def _notes_on(entry: Entry, scope: Scope, revision: int, fingerprint: int | None) -> Iterator[Note]:
    if entry.epoch != scope.epoch:
        yield Note.NEWER_EPOCH if entry.epoch > scope.epoch else Note.OTHER_EPOCH
        return
    if entry.revision > revision:
        yield Note.AHEAD
    if entry.fingerprint != fingerprint:
        yield Note.FINGERPRINT
    elif entry.revision < scope.floor:
        yield Note.VOID


def _without_the_variant(
    flag: Flag,
    entry: Entry,
    unit_key: str | None,
    attributes: Mapping[str, object],
    units: Mapping[str, str],
    now_ns: int,
) -> Decision:
    """An answer that is not entered, so that the arrived entry is the one that leaves.

    A kill serves the off variant that is known here: that somebody killed the flag is sure, only to what is not.
    """
    if entry.origin is Origin.KILL:
        answer = flag.off_answer
        return Decision(answer, flag.scope, unit_key, now_ns, answer.origin, entry.revision)
    return _local(flag, unit_key, attributes, units, now_ns)


def _local(
    flag: Flag, unit_key: str | None, attributes: Mapping[str, object], units: Mapping[str, str], now_ns: int
) -> Decision:
    answer = flag.answer(unit_key, attributes, units)
    return Decision(answer, flag.scope, unit_key, now_ns, answer.origin, max(answer.revision, flag.scope.floor))


def _unremembered(ledger: Ledger, decision: Decision, note: Callable[[Note], object]) -> Decision:
    held = ledger.enter(decision)
    if held is decision and not ledger.is_sealed:
        note(Note.LEDGER_FULL)
    return held
