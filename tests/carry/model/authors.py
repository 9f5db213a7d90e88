"""The authors: they edit through the shipped code, and what they meant is written down beside it.

`Terms` is the account of a flag that the oracle goes by: taken from the authors' documents, never from a compiled
record; the floor from which deed it was, never from `void_before`.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import count
from random import Random
from typing import Any, Final, NamedTuple

from tests.carry.model.catalogue import ENVIRONMENTS, FLAGS, HALVES, NEEDED, NEEDED_VARIANT, NEEDING, SIGNER, split_over
from tests.carry.model.invariants import unraised

from pennon.control import edits
from pennon.control.prerequisites import Neighbour
from pennon.control.states import FlagEdit, FlagState, Outcome, Place, SettingsState
from pennon.flags import FlagRecord, ReconciledRecord, RevocationRecord, RulesetRecord
from pennon.sync import BreakGlass, Delete, Delta, Kill, Put

FIRST_EPOCH: Final = 1_000
# When records of tokens and kills may be forgotten: not in any example.
_FAR_S: Final = 1 << 40


class Terms(NamedTuple):
    """What a flag is at one revision, as its author would say it.

    variants: key -> id, the off variant last. weights, coverage, salt: of its one split. pro: what the one rule serves.
    floor: the revision of the last deed that voids. run: tells one phase from every other that there ever was.
    needs: the flag that must answer `on`, if any. max_age_ns: None where any age will do.
    """

    key: str
    id: int
    unit_kind: str
    variants: Mapping[str, int]
    off: str
    weights: tuple[tuple[str, int], ...]
    coverage: int
    salt: str
    pro: str | None
    is_killed: bool
    exposes: bool
    revision: int
    floor: int
    run: int
    needs: str | None
    max_age_ns: int | None
    is_overridable: bool
    at_publish: bool


class Revision(NamedTuple):
    """One environment at one revision.

    touched: the flag whose change made it, "" for none. killed: the event, if it was a kill.
    revoked: tokens taken back so far. reconciled: break-glass kills that the numbering holds.
    """

    terms: Mapping[str, Terms]
    records: Mapping[str, FlagRecord]
    touched: str = ""
    killed: Kill | None = None
    revoked: frozenset[str] = frozenset()
    reconciled: frozenset[str] = frozenset()


class Backup(NamedTuple):
    """Everything that a restore brings back."""

    flags: dict[str, FlagState]
    settings: dict[tuple[str, str], SettingsState]
    numberings: dict[str, list[Revision]]


class Authors:
    """The control plane of one project with all its history.

    numberings: environment -> epoch -> its revisions; the last epoch is the one that is written to.
    emergencies: the kills by hand that there were, per environment.
    """

    def __init__(self, begun: "Backup") -> None:
        self._flags = dict(begun.flags)
        self._settings = dict(begun.settings)
        self.numberings = {key: {FIRST_EPOCH: list(held)} for key, held in begun.numberings.items()}
        # Of the machine's own making, so that an example that is run again draws the same.
        self._random = Random(1)
        self._runs = count(100)
        self._backup = begun
        self.emergencies: dict[str, list[BreakGlass]] = {key: [] for key in ENVIRONMENTS}

    def epoch(self, environment: str) -> int:
        """The numbering that is written to."""
        return max(self.numberings[environment])

    def history(self, environment: str) -> list[Revision]:
        """Its revisions."""
        return self.numberings[environment][self.epoch(environment)]

    def terms(self, environment: str, flag: str) -> Terms | None:
        """What the flag is now; None while it is archived."""
        return self.history(environment)[-1].terms.get(flag)

    # Deeds

    def ramp(self, environment: str, flag: str, coverage: int) -> None:
        """More or fewer units: what was decided stands."""
        self._set(environment, flag, {"fallthrough": {"split": {"coverage": coverage}}}, is_voiding=False)

    def rephase(self, environment: str, flag: str, first_weight: int, *, resalts: bool) -> None:
        """Other weights or another salt: a new phase. Weights as they are and no new salt: nothing."""
        terms = self.terms(environment, flag)
        if terms is None:
            return
        split = split_over(list(terms.variants), first_weight, terms.coverage)
        if resalts:
            split["salt"] = None
        is_new = resalts or tuple((each["variant"], each["weight"]) for each in split["weights"]) != terms.weights
        self._set(environment, flag, {"fallthrough": {"split": split}}, is_voiding=is_new, is_new_phase=is_new)

    def serve_the_pros(self, environment: str, flag: str, variant: str | None) -> None:
        """A rule for those whose plan is "pro", or none: what was decided stands."""
        clause = {"op": "equals", "attribute": "plan", "value": "pro"}
        rules = [] if variant is None else [{"id": "pro", "clauses": [clause], "serve": {"variant": variant}}]
        self._set(environment, flag, {"rules": rules}, is_voiding=False)

    def kill(self, environment: str, flag: str, *, killed: bool) -> None:
        """Killed or unkilled."""
        state = self._flags[flag]
        if state.document.archived:
            return
        place = self._place(environment, flag)
        outcome = unraised(edits.set_kill, state.document, place, killed=killed)
        if outcome is not None:
            self._publish(environment, flag, outcome, is_voiding=True)

    def forget_carried(self, environment: str, flag: str) -> None:
        """What was decided before is void, and nothing else changes."""
        state = self._flags[flag]
        if not state.document.archived:
            outcome = unraised(edits.forget_carried, state.document, self._place(environment, flag))
            self._publish(environment, flag, outcome, is_voiding=True)

    def need(self, environment: str, *, needs: bool) -> None:
        """One flag asks for another from now on, or no more."""
        asked = [{"flag": NEEDED, "variants": [NEEDED_VARIANT]}] if needs else []
        if not needs or not self._flags[NEEDED].document.archived:
            self._set(environment, NEEDING, {"prerequisites": asked}, is_voiding=False)

    def revoke(self, environment: str, token: str) -> None:
        """An override token is taken back."""
        last = self.history(environment)[-1]
        self._append(environment, last._replace(revoked=last.revoked | {token}))

    def break_glass(self, environment: str, flag: str, until_s: int) -> None:
        """A kill by hand: outside the numbering, for a while."""
        kills = self.emergencies[environment]
        flag_id = self._flags[flag].document.id
        kills.append(BreakGlass(ENVIRONMENTS[environment].id, flag_id, f"emergency-{len(kills)}", until_s))

    def reconcile(self, environment: str) -> None:
        """The numbering takes all kills by hand over: first as kills of its own, then by name."""
        ids = {state.document.id: key for key, state in self._flags.items()}
        for kill in self.emergencies[environment]:
            if kill.id not in self.history(environment)[-1].reconciled:
                self.kill(environment, ids[kill.flag], killed=True)
                last = self.history(environment)[-1]
                self._append(environment, last._replace(reconciled=last.reconciled | {kill.id}))

    def archive(self, flag: str, *, archived: bool) -> None:
        """Archived or restored, in every environment; not while another needs it, nor before what it needs."""
        needing = {self._settings[environment, NEEDING].document.prerequisites != [] for environment in ENVIRONMENTS}
        if True in needing:
            if flag == NEEDED and archived and not self._flags[NEEDING].document.archived:
                return
            if flag == NEEDING and not archived and self._flags[NEEDED].document.archived:
                return
        self._edit(flag, {"archived": archived}, is_voiding=True)

    def add_variant(self, flag: str) -> None:
        """A variant more, before the others; a flag that is true or false has no room for one."""
        variants = self._variants(flag)
        if self._flags[flag].document.type == "string" and not any(each["key"] == "extra" for each in variants):
            self._edit(flag, {"variants": [{"key": "extra", "value": "x"}, *variants]}, is_voiding=False)

    def take_variant(self, flag: str) -> None:
        """It is gone again, if nothing serves it."""
        served = [self._settings[environment, flag].document for environment in ENVIRONMENTS]
        if any("extra" in document.model_dump_json() for document in served):
            return
        self._edit(
            flag, {"variants": [each for each in self._variants(flag) if each["key"] != "extra"]}, is_voiding=False
        )

    def back_up(self) -> None:
        """Keep everything as it is now."""
        held = {environment: list(self.history(environment)) for environment in ENVIRONMENTS}
        self._backup = Backup(dict(self._flags), dict(self._settings), held)

    def restore(self, *, keeps_kills: bool) -> None:
        """Everything as it was at the last backup, or at first, in a new epoch.

        keeps_kills: what is killed now stays so.
        """
        backup = self._backup
        killed = [place for place, state in self._settings.items() if state.document.killed]
        self._flags, self._settings = dict(backup.flags), dict(backup.settings)
        for environment, held in backup.numberings.items():
            # The restore itself is a revision that changes no flag, the first of the new epoch.
            revoked = self.history(environment)[-1].revoked
            begun = held[-1]._replace(touched="", killed=None, revoked=revoked)
            self.numberings[environment][self.epoch(environment) + 1] = [*held, begun]
        for environment, flag in killed if keeps_kills else ():
            self.kill(environment, flag, killed=True)

    # What replicas are sent

    def snapshot(self, environment: str, epoch: int, revision: int) -> RulesetRecord:
        """The ruleset at one revision."""
        held = self.numberings[environment][epoch][revision]
        return RulesetRecord(
            ENVIRONMENTS[environment],
            epoch,
            revision,
            flags=dict(held.records),
            signers={SIGNER.id: SIGNER},
            revocations=_revocations(held.revoked),
            reconciled=_reconciled(held.reconciled),
        )

    def delta(self, environment: str, epoch: int, start: int, end: int) -> Delta:
        """What was touched after `start`, up to and including `end`."""
        revisions = self.numberings[environment][epoch]
        touched, first, last = (
            {each.touched for each in revisions[start + 1 : end + 1]},
            revisions[start],
            revisions[end],
        )
        put = Put(
            flags={key: last.records[key] for key in sorted(touched & last.records.keys())},
            revocations=_revocations(last.revoked - first.revoked),
            reconciled=_reconciled(last.reconciled - first.reconciled),
        )
        gone = tuple(sorted(touched - last.records.keys() - {""}))
        return Delta(ENVIRONMENTS[environment].id, epoch, start, end, put, Delete(flags=gone))

    def kills(self, environment: str) -> list[Kill]:
        """Every kill event that there ever was, oldest first; a restored backup's are those of its first time."""
        seen = {}
        for epoch, revisions in self.numberings[environment].items():
            seen.update({(epoch, at.killed.revision): at.killed for at in revisions if at.killed is not None})
        return list(dict.fromkeys(seen.values()))

    def _variants(self, flag: str) -> list[dict[str, Any]]:
        return [{"key": each.key, "value": each.value} for each in self._flags[flag].document.variants]

    def _draw(self, bits: int) -> int:
        return self._random.getrandbits(bits)

    def _set(self, environment: str, flag: str, patch: object, *, is_voiding: bool, is_new_phase: bool = False) -> None:
        state = self._flags[flag]
        if state.document.archived:
            return
        place = self._place(environment, flag)
        outcome = unraised(edits.update_settings, state.document, place, patch, draw=self._draw)
        if outcome is not None:
            self._publish(environment, flag, outcome, is_voiding=is_voiding, is_new_phase=is_new_phase)

    def _edit(self, flag: str, patch: object, *, is_voiding: bool) -> None:
        places = [self._place(environment, flag) for environment in ENVIRONMENTS]
        edit = unraised(edits.update_flag, self._flags[flag], patch, places, draw=self._draw)
        if edit is None:
            return
        self._flags[flag] = edit.flag
        for environment, outcome in zip(ENVIRONMENTS, edit.outcomes, strict=True):
            self._publish(environment, flag, outcome, is_voiding=is_voiding)

    def _place(self, environment: str, flag: str) -> Place:
        others = {key: self._neighbour(environment, key) for key in FLAGS if key != flag}
        return Place(environment, len(self.history(environment)), {}, self._settings[environment, flag], others)

    def _neighbour(self, environment: str, flag: str) -> Neighbour:
        document, settings = self._flags[flag].document, self._settings[environment, flag].document
        asked = {} if document.archived else {each.flag: tuple(each.variants) for each in settings.prerequisites}
        variants = tuple(each.key for each in document.variants)
        return Neighbour(variants, document.archived, settings.void_before, asked)

    def _append(self, environment: str, revision: Revision) -> None:
        self.history(environment).append(revision._replace(touched="", killed=None))

    def _publish(
        self, environment: str, flag: str, outcome: Outcome, *, is_voiding: bool, is_new_phase: bool = False
    ) -> None:
        self._settings[environment, flag] = outcome.state
        history = self.history(environment)
        before, revision = history[-1], len(history)
        # What voids also counts while the flag is archived: it is there again when the flag is.
        earlier = next(at.terms[flag] for at in reversed(history) if flag in at.terms)
        floor = revision if is_voiding else earlier.floor
        if earlier.needs is not None and not outcome.state.document.prerequisites:
            # What was void for a flag that it needed stays so when it needs it no more.
            needed = next(at.terms[earlier.needs] for at in reversed(history) if earlier.needs in at.terms)
            floor = max(floor, needed.floor)
        run = next(self._runs) if is_new_phase else earlier.run
        terms, records = dict(before.terms), dict(before.records)
        if outcome.record is None:
            terms.pop(flag, None)
            records.pop(flag, None)
        else:
            terms[flag] = _terms(self._flags[flag], outcome.state, floor=floor, run=run)
            records[flag] = outcome.record
        is_kill = is_voiding and outcome.state.document.killed and not (flag in before.terms and earlier.is_killed)
        kill = Kill(ENVIRONMENTS[environment].id, self.epoch(environment), self._flags[flag].document.id, revision)
        history.append(before._replace(terms=terms, records=records, touched=flag, killed=kill if is_kill else None))


def _terms(flag: FlagState, settings: SettingsState, *, floor: int, run: int) -> Terms:
    document, held = flag.document, settings.document
    split = held.fallthrough.split
    assert split is not None
    return Terms(
        key=document.key,
        id=document.id,
        unit_kind=document.unit,
        variants={each.key: each.id or 0 for each in document.variants},
        off=held.off,
        weights=tuple((each.variant, each.weight) for each in split.weights),
        coverage=split.coverage,
        salt=split.salt or "",
        pro=next((rule.serve.variant for rule in held.rules), None),
        is_killed=held.killed,
        exposes=document.exposes,
        revision=held.revision,
        floor=floor,
        run=run,
        needs=next((each.flag for each in held.prerequisites), None),
        max_age_ns=None if document.carry_max_age_s is None else document.carry_max_age_s * 1_000_000_000,
        is_overridable=document.overridable,
        at_publish=document.at == "publish",
    )


def _revocations(tokens: Iterable[str]) -> dict[str, RevocationRecord]:
    return {token: RevocationRecord(token, _FAR_S) for token in sorted(tokens)}


def _reconciled(kills: Iterable[str]) -> dict[str, ReconciledRecord]:
    return {kill: ReconciledRecord(kill, _FAR_S) for kill in sorted(kills)}


@cache
def first_edition() -> Backup:
    """The project as every example finds it: each flag made, then split in halves, half of the units in."""
    random = Random(0)
    flags: dict[str, FlagState] = {}
    settings: dict[tuple[str, str], SettingsState] = {}
    numberings: dict[str, list[Revision]] = {key: [Revision({}, {})] for key in ENVIRONMENTS}
    for run, (key, draft) in enumerate(FLAGS.items()):
        places = [Place(environment, len(numberings[environment]), {}, None) for environment in ENVIRONMENTS]
        taken = {state.document.id for state in flags.values()}
        made: FlagEdit = edits.create_flag(draft, places, taken_ids=taken, draw=random.getrandbits)
        flags[key] = made.flag
        names = [each["key"] for each in draft["variants"]]
        patch = {"fallthrough": {"variant": None, "split": split_over(names, HALVES, 2 * HALVES)}}
        for place, outcome in zip(places, made.outcomes, strict=True):
            history = numberings[place.environment]
            new = Place(place.environment, place.revision, {}, outcome.state)
            split: Any = edits.update_settings(made.flag.document, new, patch, draw=random.getrandbits)
            settings[place.environment, key] = split.state
            terms = _terms(made.flag, split.state, floor=0, run=run)
            last = history[-1]
            history.append(Revision({**last.terms, key: terms}, {**last.records, key: split.record}, key))
    return Backup(flags, settings, numberings)


def latest(revisions: Sequence[Revision]) -> int:
    """The last revision's number."""
    return len(revisions) - 1
