"""Every ask, and what must hold of its answer: the oracle's verdict, from who told whom and what authors did."""

from typing import NamedTuple, TypeAlias

from tests.carry.model.authors import Terms
from tests.carry.model.catalogue import NEEDED_VARIANT
from tests.carry.model.invariants import Invariant, demand, unraised
from tests.carry.model.knowledge import Knowledge, Local, answer_alone
from tests.carry.model.world import MINUTE_NS, Event, Made, Node, Place, written_of

from pennon.carry import Note, decide, exposure_of, override_refusal
from pennon.context import Decision, Origin, Reason
from pennon.flags import Flag, Ruleset

_ITS_OWN_CAUSE = {Reason.KILLED, Reason.OVERRIDE}
_CARRIED = {Reason.KILLED, Reason.OVERRIDE, Reason.CARRIED}
# What is newer than this ruleset stands, also where its variant is not known here yet.
_STANDS = {None, Note.UNKNOWN_VARIANT}
_SKEW_LIMIT_NS = 5 * MINUTE_NS


class Question(NamedTuple):
    """What is asked, and what the service knows of it. units: of this ask. here_ns: by the service's own clock."""

    node: Node
    knowledge: Knowledge
    terms: Terms
    unit_key: str | None
    units: dict[str, str]
    plan: str | None
    here_ns: int

    @property
    def place(self) -> Place:
        """What there is one answer to."""
        return self.knowledge.environment, self.terms.key, (self.terms.unit_kind, self.unit_key)

    @property
    def epoch(self) -> int:
        """Where the service stands."""
        position = self.knowledge.position
        assert position is not None
        return position[0]

    @property
    def floor(self) -> int:
        """The oracle's."""
        return self.knowledge.floor(self.terms)

    @property
    def held(self) -> Event | None:
        """What was made here under this floor."""
        return self.node.made.get(self.key)

    @property
    def key(self) -> Made:
        """Under which it was or will be made."""
        return self.place, self.epoch, self.floor, self.knowledge.is_killed(self.terms)


class Told(NamedTuple):
    """What the shipped code answered. is_hit: the ledger had it. notes: what it wants counted."""

    decision: Decision
    is_hit: bool
    notes: frozenset[Note]

    @property
    def variant(self) -> str | None:
        """Its key."""
        return self.decision.answer.variant


# Whom, with which variant (a key that was taken away and given again is another variant), in which phase.
Treatment: TypeAlias = tuple[Place, int | None, int]


class Treatments:
    """Which exposures there were: one treatment has one id, and within an epoch one id means one treatment.

    Across a restore it may not: phases are numbered by what the backup knew, and their numbers come again.
    """

    def __init__(self) -> None:
        self._ids: dict[Treatment, str] = {}
        self._treated: dict[tuple[int, str], Treatment] = {}

    def take(self, treatment: Treatment, epoch: int, identifier: str) -> None:
        """An exposure is reported."""
        known = self._ids.setdefault(treatment, identifier)
        treated = self._treated.setdefault((epoch, identifier), treatment)
        demand(
            (known, treated) == (identifier, treatment),
            Invariant.NEVER_EXPOSED,
            lambda: f"{treatment} is {identifier}, was {known}; that id is {treated}",
        )


def ask(
    node: Node, key: str, unit_key: str | None, now_ns: int, treatments: Treatments, *, exposes: bool = True
) -> None:
    """Code of the service asks what a flag says about a unit, and every invariant is looked at."""
    service = node.service
    knowledge, ruleset = service.knowledge, service.replica.ruleset
    terms = knowledge.terms(key)
    flag = None if ruleset is None else unraised(ruleset.flag, key)
    demand(
        (flag is None) is (terms is None),
        Invariant.NOTHING_REVIVES,
        lambda: f"{key} is known to {service.name}: {flag is not None}, should be: {terms is not None}",
    )
    if flag is None or terms is None or ruleset is None:
        return
    is_own = node.units.get(terms.unit_kind) == unit_key
    plan = node.plan if is_own else None
    units = node.units if is_own else {} if unit_key is None else {terms.unit_kind: unit_key}
    question = Question(node, knowledge, terms, unit_key, units, plan, now_ns + service.skew_ns)
    told = _told(question, flag, ruleset)
    _judge(question, told)
    if exposes:
        _expose(question, told, flag, ruleset, treatments)


def _told(question: Question, flag: Flag, ruleset: Ruleset) -> Told:
    """What the shipped code says, as a client asks it: a hit is one look into the ledger."""
    node, unit_key = question.node, question.unit_key
    ledger, override = node.context.ledger, _shipped_override(question, ruleset)
    held = ledger.made.get((flag.scope.key, unit_key))
    if held is not None and (
        ledger.override is None or (override is None and held.answer.reason is not Reason.OVERRIDE)
    ):
        return Told(held, is_hit=True, notes=frozenset())
    notes: set[Note] = set()
    attributes = {} if question.plan is None else {"plan": question.plan}
    decision = unraised(
        decide,
        flag,
        ruleset,
        ledger,
        unit_key,
        attributes,
        question.units,
        question.here_ns,
        notes.add,
        override=override,
    )
    return Told(decision, is_hit=False, notes=frozenset(notes))


def _shipped_override(question: Question, ruleset: Ruleset) -> str | None:
    """The variant that the request's token sets for this flag and unit, if the shipped code believes it now."""
    claims = question.node.claims
    if claims is None or (claims.flag, claims.unit_kind, claims.unit_key) != (question.place[1], *question.place[2]):
        return None
    refusal = unraised(override_refusal, claims, ruleset, question.here_ns // 1_000_000_000)
    demand(
        (refusal is None) is _is_believed(question),
        Invariant.STRANGER_CHANGES_NOTHING,
        lambda: f"the token {claims} is refused: {refusal}",
    )
    return claims.variant if refusal is None else None


def _is_believed(question: Question) -> bool:
    claims, knowledge = question.node.claims, question.knowledge
    return (
        claims is not None
        and claims.environment == knowledge.environment_id
        and not knowledge.is_revoked(claims.id)
        and question.here_ns < claims.until_s * 1_000_000_000
        and claims.variant in question.terms.variants
        and question.terms.is_overridable
    )


def _judge(question: Question, told: Told) -> None:
    node, terms, decision, place = question.node, question.terms, told.decision, question.place
    _demand_kills(question, told)
    demand(
        decision.unit_key == question.unit_key,
        Invariant.OTHER_UNIT_NEVER,
        lambda: f"asked about {place}, told about {decision.unit_key}",
    )
    demand(
        decision.origin is None or (decision.revision >= question.floor and decision.scope.epoch == question.epoch),
        Invariant.KILL_IS_OBEYED
        if question.knowledge.kill_over(terms) > decision.revision
        else Invariant.NOTHING_REVIVES,
        lambda: f"served {decision.scope.epoch}.{decision.revision}, void before {question.epoch}.{question.floor}",
    )
    claims, held = node.claims, question.held
    if question.knowledge.is_killed(terms):
        _remembered(question, told, held if held is not None and held.is_kill else None)
        return
    standing = [(event, cause_against(question, event)) for event in node.arrived if event.place == place]
    kills = [each for each in standing if each[0].written.origin is Origin.KILL and each[1] in _STANDS]
    if kills:
        kill, cause = min(kills, key=lambda each: each[1] is not None)
        _remembered(question, told, kill, enters=cause is None)
        return
    if _is_overridden(question):
        assert claims is not None
        _demand_answer(question, told, claims.variant)
        demand(
            decision.origin is Origin.OVERRIDE,
            Invariant.NEVER_EXPOSED,
            lambda: f"the override {claims} is told as {decision}",
        )
        is_held = held is not None and held.written.origin is Origin.OVERRIDE and held.variant == claims.variant
        _remembered(question, told, held if is_held else None)
        return
    if held is not None and (claims is None or held.written.origin is not Origin.OVERRIDE):
        _demand_answer(question, told, held.variant)
        return
    valid = [event for event, cause in standing if cause is None]
    if valid:
        _demand_taken_up(question, told, valid)
        _remembered(question, told, valid[0])
        return
    local = local_answer(question)
    _demand_answer(question, told, local.variant)
    # What a flag needs decides whether it is off; what its split says decides whether it counts.
    is_off = Origin.OFF in (local.origin, decision.origin)
    demand(
        local.origin is decision.origin,
        Invariant.ONE_ANSWER_PER_PATH if is_off else Invariant.NEVER_EXPOSED,
        lambda: f"{decision} was made as {local.origin}",
    )
    _remembered(question, told, None, enters=not any(cause is Note.UNKNOWN_VARIANT for _, cause in standing))


def _is_overridden(question: Question) -> bool:
    claims, place = question.node.claims, question.place
    is_meant = claims is not None and (claims.flag, claims.unit_kind, claims.unit_key) == (place[1], *place[2])
    return is_meant and _is_believed(question)


def _demand_kills(question: Question, told: Told) -> None:
    """A kill that the replica knows, or that came with the request and is not void, is what is served."""
    terms, node = question.terms, question.node
    has_come = any(
        event.place == question.place
        and event.written.origin is Origin.KILL
        and cause_against(question, event) in _STANDS
        for event in node.arrived
    )
    if question.knowledge.is_killed(terms) or has_come:
        demand(
            told.decision.answer.reason is Reason.KILLED and (has_come or told.variant == terms.off),
            Invariant.KILL_IS_OBEYED,
            lambda: f"{node.service.name} serves {told.decision} of {terms}; a kill came with the request: {has_come}",
        )


def _demand_taken_up(question: Question, told: Told, valid: list[Event]) -> None:
    """The first that stands is served, as it came; if others say something else, that is counted."""
    first, decision = valid[0], told.decision
    _demand_answer(question, told, first.variant)
    is_taken_up = decision.answer.reason in _CARRIED
    demand(
        first.written == written_of(decision, first.unit),
        Invariant.NOTHING_REVIVES if is_taken_up else Invariant.ONE_ANSWER_PER_PATH,
        lambda: f"{first} was taken up as {written_of(decision, first.unit)}",
    )
    demand(
        told.is_hit or len({event.variant for event in valid}) == 1 or Note.CONFLICT in told.notes,
        Invariant.EVERY_DEPARTURE_COUNTED,
        lambda: f"{valid} contradict each other; noted: {sorted(told.notes)}",
    )


def cause_against(question: Question, event: Event) -> Note | None:
    """Why what came must not be served here; None if it must."""
    written, terms, position = event.written, question.terms, question.knowledge.position
    assert position is not None
    if written.epoch != position[0]:
        return Note.NEWER_EPOCH if written.epoch > position[0] else Note.OTHER_EPOCH
    if written.revision < question.floor:
        return Note.VOID
    if terms.max_age_ns is not None and written.origin is not Origin.KILL:
        age_ns = question.here_ns - written.minute * MINUTE_NS
        if age_ns < -_SKEW_LIMIT_NS:
            return Note.SKEW
        if age_ns > terms.max_age_ns:
            return Note.TOO_OLD
    if written.variant_id not in terms.variants.values():
        return Note.UNKNOWN_VARIANT if written.revision > position[1] else Note.DELETED_VARIANT
    return None


def local_answer(question: Question) -> Local:
    """What the service says by itself, what it needs answered as this request has it."""
    terms = question.terms
    needed = None if terms.needs is None else question.knowledge.terms(terms.needs)
    if terms.needs is not None and (needed is None or _needed_variant(question, needed) != NEEDED_VARIANT):
        return Local(terms.off, Origin.OFF)
    return answer_alone(terms, question.unit_key, question.plan)


def _needed_variant(question: Question, needed: Terms) -> str | None:
    """What a flag that is needed answers: killed, held, come with the request, or by itself; never overridden."""
    unit_key = question.units.get(needed.unit_kind)
    about = question._replace(terms=needed, unit_key=unit_key)
    if about.knowledge.is_killed(needed):
        return needed.off
    if about.held is not None and about.held.written.origin is not Origin.OVERRIDE:
        return about.held.variant
    standing = [event for event in about.node.arrived if event.place == about.place]
    kills = [event for event in standing if event.written.origin is Origin.KILL]
    applying = next((event for event in (*kills, *standing) if cause_against(about, event) is None), None)
    if applying is not None and applying.written.origin is not Origin.OVERRIDE:
        return applying.variant
    return answer_alone(needed, unit_key, question.plan).variant


def _demand_answer(question: Question, told: Told, variant: str | None) -> None:
    demand(
        variant == told.variant,
        _culprit(question, told),
        lambda: f"{question.place} at {question.node.service.name}: {told}, must be {variant}",
    )


def _culprit(question: Question, told: Told) -> Invariant:
    """What a wrong answer breaks: told by whose decision it is."""
    node, decision = question.node, told.decision
    if decision.origin is None or decision.answer.reason not in _CARRIED:
        return Invariant.ONE_ANSWER_PER_PATH
    served = written_of(decision, question.place[2])
    if served in node.refused:
        return Invariant.STRANGER_CHANGES_NOTHING
    known = {event.written for event in (*node.arrived, *node.made.values())}
    void = {event.written for event in node.arrived if cause_against(question, event) is not None}
    if any(served == each._replace(epoch=served.epoch) for each in void):
        return Invariant.NOTHING_REVIVES
    if any(served == each._replace(fingerprint=served.fingerprint) for each in known - {served}):
        return Invariant.OTHER_UNIT_NEVER
    return Invariant.ONE_ANSWER_PER_PATH


def _remembered(question: Question, told: Told, event: Event | None, *, enters: bool = True) -> None:
    """Write down what was told; another answer than what stood must have said why.

    event: what was taken up. enters: whether it stands from now on.
    """
    node, place, decision = question.node, question.place, told.decision
    before = node.standing(place)
    if before is not None and before.variant != told.variant and decision.answer.reason not in _ITS_OWN_CAUSE:
        cause = cause_against(question, before)
        if cause is None and before.written.origin is Origin.OVERRIDE:
            cause = Note.OVERRIDE_ENDED
        # A floor sinks only where a kill by hand had raised it and is over, or does not concern the flag any more. What
        # this request alone was told meanwhile has then no claim, and the kill's end is the cause.
        is_over = cause is None and any(
            event == before and key[2] > question.floor for key, event in node.made.items() if key[0] == place
        )
        demand(
            is_over or cause in told.notes,
            Invariant.EVERY_DEPARTURE_COUNTED,
            lambda: f"{before} gave way to {told} because of {cause}",
        )
    if decision.origin is None or not enters:
        return
    if event is None:
        event = Event(written_of(decision, place[2]), *place, told.variant or "")
        expected = max(question.terms.revision, question.floor)
        culprit = _culprit(question, told)
        demand(
            told.is_hit or (expected, question.here_ns // MINUTE_NS) == (decision.revision, event.written.minute),
            Invariant.NOTHING_REVIVES if culprit is Invariant.ONE_ANSWER_PER_PATH else culprit,
            lambda: f"{decision} was made now, at {expected}",
        )
    if node.made.get(question.key) != event:
        node.made.pop(question.key, None)
        node.made[question.key] = event


def _expose(question: Question, told: Told, flag: Flag, ruleset: Ruleset, treatments: Treatments) -> None:
    node, decision, terms = question.node, told.decision, question.terms
    exposure = unraised(exposure_of, flag, decision, is_replay=node.context.is_replay, now_ns=question.here_ns)
    is_treatment = (
        terms.exposes
        and not node.is_replay
        and question.unit_key is not None
        and decision.origin in {Origin.SPLIT, Origin.RULE}
    )
    demand(
        (exposure is not None) is is_treatment,
        Invariant.NEVER_EXPOSED,
        lambda: f"{decision} (replay: {node.is_replay}) is exposed: {exposure is not None}",
    )
    # One that is newer than the replica waits until the replica knows its phase.
    if exposure is not None and decision.revision <= ruleset.revision:
        treatments.take((question.place, decision.answer.variant_id, terms.run), question.epoch, exposure.id)
