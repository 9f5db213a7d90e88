"""Which answer holds for a unit in a request: killed, else overridden, else made already, else carried here, else new.

The order of an ask is killed > override > made at this floor > arrived > evaluate. What it comes to enters the ledger,
and what the ledger then holds is the answer. Floors are in `Flag.scope`, which is part of the ledger's key: after a
kill nothing made before it is found again.

Of several arrived entries about one unit the first that is valid holds, a kill before any other; a ledger keeps them by
ascending revision. What was made or arrived about a flag that another needs answers for it in the same way, and does
not enter by that.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from pennon.carry.entries import KILL, MINUTE_NS
from pennon.carry.fingerprint import fingerprint_of
from pennon.context import LEDGER_LIMIT_COUNT, Answer, Decision, Entry, Ledger, Origin, Reason
from pennon.flags import Flag, Ruleset, VariantRecord

# How far the clock of whoever decided may be ahead of ours; up to there an age below zero counts as zero.
SKEW_LIMIT_NS: Final = 5 * MINUTE_NS


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
    """An entry, or what was made here, lies below the flag's floor: killed, unkilled, re-phased or archived since."""
    TOO_OLD = "too_old"
    """An entry is older than the flag's author lets a decision be. Decided anew."""
    SKEW = "skew"
    """An entry was decided more than five minutes from now, and the flag's author limits ages. Decided anew."""
    FINGERPRINT = "fingerprint"
    """What arrived for this flag is about other units."""
    CONFLICT = "conflict"
    """Two entries that hold here say different things: two deciders did not know of each other. The first held wins."""
    OVERRIDE_BEGAN = "override_began"
    """A token that was not believed at first is believed now: it takes the place of what was decided."""
    OVERRIDE_ENDED = "override_ended"
    """A token has expired or was taken back in mid-request. Decided anew."""
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
    *,
    override: str | None = None,
) -> Decision:
    """The decision that holds for this unit, entered in the ledger unless it is an ERROR.

    flag: of this ruleset. unit_key: of the flag's kind; None if the ask names none.
    now_ns: wall clock. note: is called with each thing to count; almost never.
    override: key of the variant that a token sets for this flag and unit, believed now; None: none does.
    A hit needs no call where `ledger.override` is None: `ledger.made.get((flag.scope.key, unit_key))` is the same
    decision. Where it is not, each use asks again, with what the token then is worth.
    """
    if ledger.ruleset is not ruleset:
        if ledger.ruleset is None:
            ledger.ruleset = ruleset
        else:
            _note_what_is_void(flag, ledger, unit_key, note)
    if ledger.arrived or ledger.override is not None or override is not None or flag.is_killed or flag.prerequisites:
        held = _weighed(flag, ruleset, ledger, unit_key, attributes, units, now_ns, note, override)
        if held is not None:
            return held
    # The rest is `_Ask.local` and `_Ask.entered`, written out: this runs at every first use of a flag in a request.
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
    held = made.setdefault((scope.key, unit_key), decision)
    if ledger.returned:
        # Another thread may have taken a kill from a response meanwhile.
        return _weighed(flag, ruleset, ledger, unit_key, attributes, units, now_ns, note, override) or held
    return held


def _weighed(
    flag: Flag,
    ruleset: Ruleset,
    ledger: Ledger,
    unit_key: str | None,
    attributes: Mapping[str, object],
    units: Mapping[str, str],
    now_ns: int,
    note: Callable[[Note], object],
    override: str | None,
) -> Decision | None:
    """The decision, entered, where there is more to it than what the flag answers; None: there is not."""
    place = (flag.scope.environment.id, flag.id)
    entries = ledger.arrived.get(place)
    has_token = ledger.override is not None or override is not None
    if not (entries or has_token or flag.is_killed or flag.prerequisites):
        return None
    if entries and not has_token:
        plain = _plain(flag, ruleset, ledger, unit_key, entries)
        if plain is not None and ledger.arrived[place] is entries:
            return plain
    return _Ask(flag, ruleset, ledger, unit_key, attributes, units, now_ns, note).decision(override)


def _plain(
    flag: Flag, ruleset: Ruleset, ledger: Ledger, unit_key: str | None, entries: tuple[Entry, ...]
) -> Decision | None:
    """The decision of the one entry that arrived, where nothing is to be weighed or noted: almost always."""
    entry, scope = entries[0], flag.scope
    origin, revision = entry.origin, entry.revision
    if (
        len(entries) > 1
        or unit_key is None
        or entry.epoch != scope.epoch
        or not scope.floor <= revision <= ruleset.revision
        or origin is KILL
        or flag.is_killed
        or flag.carry_max_age_ns is not None
        or entry.fingerprint != fingerprint_of(scope.environment.salt, scope.unit_kind, unit_key)
    ):
        return None
    variant = flag.variant_by_id(entry.variant_id)
    if variant is None:
        return None
    answer = Answer(flag.key, variant.value, variant.key, variant.id, _REASONS[origin], origin, None, revision)
    return ledger.enter(Decision(answer, scope, unit_key, entry.decided_min * MINUTE_NS, origin, revision))


class _Ask:
    """One ask that has something to weigh."""

    __slots__ = ("attributes", "flag", "ledger", "note", "now_ns", "ruleset", "unit_key", "units")

    def __init__(
        self,
        flag: Flag,
        ruleset: Ruleset,
        ledger: Ledger,
        unit_key: str | None,
        attributes: Mapping[str, object],
        units: Mapping[str, str],
        now_ns: int,
        note: Callable[[Note], object],
    ) -> None:
        self.flag, self.ruleset, self.ledger = flag, ruleset, ledger
        self.unit_key, self.attributes, self.units = unit_key, attributes, units
        self.now_ns, self.note = now_ns, note

    def decision(self, override: str | None) -> Decision:
        """The decision that holds, entered."""
        flag, ledger, unit_key = self.flag, self.ledger, self.unit_key
        returned_count = len(ledger.returned)
        entry = self.entry(flag, unit_key)
        if flag.is_killed:
            return self.settled(self.local())
        if entry is not None and entry.origin is KILL:
            return self.carried(entry)
        held = ledger.made.get((flag.scope.key, unit_key))
        overridden = None if override is None else _variant_named(flag, override)
        if overridden is not None:
            return self.overridden(overridden, held)
        if held is not None and (ledger.override is None or held.origin is not Origin.OVERRIDE):
            return held
        if held is not None:
            self.note(Note.OVERRIDE_ENDED)
            ledger.withdraw(held)
        decision = self.carried(entry) if entry is not None else self.entered(self.local())
        # What another thread took from a response meanwhile may be a kill.
        return decision if len(ledger.returned) == returned_count else self.decision(override)

    def entry(self, flag: Flag, unit_key: str | None) -> Entry | None:
        """The entry that arrived and applies to a flag: this one, or one that it needs."""
        scope = flag.scope
        entries = self.ledger.arrived.get((scope.environment.id, scope.flag_id))
        if entries is None:
            return None
        fingerprint = None if unit_key is None else fingerprint_of(scope.environment.salt, scope.unit_kind, unit_key)
        return self.weighed(flag, entries, fingerprint)

    def weighed(self, flag: Flag, entries: tuple[Entry, ...], fingerprint: int | None) -> Entry | None:
        """The first entry that applies, a kill before any other; with a note on each that does not.

        Where none does, the first whose variant alone is in doubt.
        """
        judged = [(entry, self.why_not(flag, entry, fingerprint)) for entry in entries]
        standing = [(entry, why) for entry, why in judged if why in (None, Note.UNKNOWN_VARIANT)]
        winner, _ = min(
            standing, key=lambda each: (each[0].origin is not KILL, each[1] is not None), default=(None, None)
        )
        notes = {why for _, why in judged if why is not None}
        here = [entry for entry in entries if entry.epoch == flag.scope.epoch]
        if any(entry.revision > self.ruleset.revision for entry in here):
            notes.add(Note.AHEAD)
        if any(entry.fingerprint == fingerprint for entry in here):
            notes.discard(Note.FINGERPRINT)
        rivals = [entry for entry, why in standing if why is None and entry is not winner]
        if winner is not None and winner.origin is not KILL:
            notes |= {Note.CONFLICT for entry in rivals if entry.variant_id != winner.variant_id}
        for each in sorted(notes):
            self.note(each)
        return winner

    def why_not(self, flag: Flag, entry: Entry, fingerprint: int | None) -> Note | None:
        """Why an entry does not apply, or must not be entered; None if it applies."""
        scope = flag.scope
        if entry.epoch != scope.epoch:
            return Note.NEWER_EPOCH if entry.epoch > scope.epoch else Note.OTHER_EPOCH
        if entry.fingerprint != fingerprint:
            return Note.FINGERPRINT
        if entry.revision < scope.floor:
            return Note.VOID
        # A kill has no age: it holds until an unkill raises the floor above it (docs/decisions/0006).
        if flag.carry_max_age_ns is not None and entry.origin is not KILL:
            # From the minute's beginning: what is nearly too old is, rather than the other way round.
            age_ns = self.now_ns - entry.decided_min * MINUTE_NS
            if age_ns < -SKEW_LIMIT_NS:
                return Note.SKEW
            if age_ns > flag.carry_max_age_ns:
                return Note.TOO_OLD
        if flag.variant_by_id(entry.variant_id) is not None:
            return None
        return Note.UNKNOWN_VARIANT if entry.revision > self.ruleset.revision else Note.DELETED_VARIANT

    def prior(self, flag: Flag, unit_key: str | None) -> Answer | None:
        """What is held about a flag that this one needs; None: it answers for itself.

        An override sets its own flag alone (docs/decisions/0008): what needs it would else be a treatment that nobody
        drew, and another one according to which of the two was asked first.
        """
        made = self.ledger.made.get((flag.scope.key, unit_key))
        if made is not None and made.origin is not Origin.OVERRIDE:
            return made.answer
        entry = self.entry(flag, unit_key)
        return None if entry is None or entry.origin is Origin.OVERRIDE else _answer_from(flag, entry)

    def carried(self, entry: Entry) -> Decision:
        """The decision that an entry which applies is.

        Where its variant is unknown nothing is entered, so that the entry is what leaves. A kill then serves the off
        variant that is known here: that somebody killed the flag is sure, only to what is not.
        """
        flag, origin = self.flag, entry.origin
        answer = _answer_from(flag, entry)
        if answer is None:
            return self.local()
        decided_ns = entry.decided_min * MINUTE_NS
        decision = Decision(answer, flag.scope, self.unit_key, decided_ns, origin, entry.revision)
        if flag.variant_by_id(entry.variant_id) is None:
            return decision
        return self.settled(decision) if origin is KILL else self.ledger.enter(decision)

    def overridden(self, variant: VariantRecord, held: Decision | None) -> Decision:
        """The decision of a token, which stands above what was made."""
        flag = self.flag
        if held is not None and held.origin is Origin.OVERRIDE and held.answer.variant == variant.key:
            return held
        if held is not None:
            self.note(Note.OVERRIDE_BEGAN)
        revision = max(flag.off_answer.revision, flag.scope.floor)
        answer = Answer(
            flag.key, variant.value, variant.key, variant.id, Reason.OVERRIDE, Origin.OVERRIDE, None, revision
        )
        return self.settled(Decision(answer, flag.scope, self.unit_key, self.now_ns, Origin.OVERRIDE, revision))

    def local(self) -> Decision:
        """What this ruleset says now."""
        flag = self.flag
        answer = flag.answer_with(self.prior, self.unit_key, self.attributes, self.units)
        revision = max(answer.revision, flag.scope.floor)
        return Decision(answer, flag.scope, self.unit_key, self.now_ns, answer.origin, revision)

    def entered(self, decision: Decision) -> Decision:
        """What holds once this one has been entered; an ERROR never is."""
        ledger = self.ledger
        if decision.origin is None:
            return decision
        if ledger.is_sealed or len(ledger.made) >= LEDGER_LIMIT_COUNT:
            return _unremembered(ledger, decision, self.note)
        return ledger.enter(decision)

    def settled(self, decision: Decision) -> Decision:
        """A kill or an override, entered in place of what was made before."""
        held = self.entered(decision)
        if held.origin is decision.origin and held.answer.variant_id == decision.answer.variant_id:
            return held
        self.ledger.withdraw(held)
        self.entered(decision)
        return decision


def _variant_named(flag: Flag, key: str) -> VariantRecord | None:
    ids = (variant.id for variant in flag.record.variants if variant.key == key)
    return next((variant for each in ids if (variant := flag.variant_by_id(each)) is not None), None)


def _answer_from(flag: Flag, entry: Entry) -> Answer | None:
    """What an entry that applies says; None if its variant is not known here and it is no kill."""
    variant, origin = flag.variant_by_id(entry.variant_id), entry.origin
    if variant is not None:
        return Answer(flag.key, variant.value, variant.key, variant.id, _REASONS[origin], origin, None, entry.revision)
    return flag.off_answer if origin is KILL else None


def _note_what_is_void(flag: Flag, ledger: Ledger, unit_key: str | None, note: Callable[[Note], object]) -> None:
    """A decision that was made here and that nobody will find again, since the flag's floor has been raised."""
    first: Ruleset = ledger.ruleset
    scope = flag.scope
    # No floor above where this request began, nothing to look for: fan-outs come here once for each unit.
    if scope.environment.id != first.environment.id or (scope.epoch == first.epoch and scope.floor <= first.revision):
        return
    about = (scope.environment.id, scope.flag_id, scope.unit_kind, unit_key)
    # The latest is what was told last, and what this one takes the place of.
    for decision in reversed(list(ledger.made.values())):
        made = decision.scope
        if (made.environment.id, made.flag_id, made.unit_kind, decision.unit_key) == about and made.key != scope.key:
            note(Note.VOID if made.epoch == scope.epoch else Note.OTHER_EPOCH)
            return


def _unremembered(ledger: Ledger, decision: Decision, note: Callable[[Note], object]) -> Decision:
    held = ledger.enter(decision)
    if held is decision and not ledger.is_sealed:
        note(Note.LEDGER_FULL)
    return held
