"""The machine: authors edit, messages are delivered in any order or not at all, requests wander, strangers knock.

Every rule draws small numbers: which flag of those in play, which request of the latest, how far back. What must hold
is in `judging` and `crossing`.
"""

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.carry.model.authors import Authors, first_edition, latest
from tests.carry.model.catalogue import (
    ENVIRONMENTS,
    FLAGS,
    HALVES,
    IN_PLAY,
    OVERRIDABLE,
    PRODUCTION,
    SIGNER,
    STAGING,
    TOKENS,
    UNITS,
)
from tests.carry.model.crossing import come, leave, respond, take_back
from tests.carry.model.judging import Treatments, ask
from tests.carry.model.rewriting import REWRITINGS
from tests.carry.model.strangers import SENT
from tests.carry.model.world import BEGIN_NS, CONTRACTS, MESH, MINUTE_NS, TOPIC, WIDE, Event, Node, Parcel, Service

from pennon.carry import OverrideClaims

# Within the five minutes that the specification allows between any two.
SKEW_NS: Final = 2 * MINUTE_NS

# Small numbers, the likeliest first.
back = st.integers(0, 5)
flags = st.sampled_from([0, 0, 0, 1, 2])
services = st.sampled_from([0, 1, 2, 0, 1, 2, 3])
units = st.sampled_from([0, 0, 0, 1, 2])
coverages = st.sampled_from([2 * HALVES, HALVES, 0])
contracts = st.sampled_from([0, 0, 0, 1])
plans = st.sampled_from([None, "pro"])
rewritings = st.sampled_from([0, 0, *range(len(REWRITINGS))])


class Carrying(RuleBasedStateMachine):
    """Three services of production and one of staging, which call each other and write to one topic."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = BEGIN_NS
        self.authors = Authors(first_edition())
        self.treatments = Treatments()
        self.services = [
            Service(name, environment, self.authors, skew_ns)
            for name, environment, skew_ns in (
                ("edge", PRODUCTION, 0),
                ("fast", PRODUCTION, SKEW_NS),
                ("slow", PRODUCTION, -SKEW_NS),
                ("other", STAGING, 0),
            )
        ]
        self.nodes: list[Node] = []
        self.records: list[Parcel] = []
        self.responses: list[tuple[bytes, tuple[Event, ...]]] = []
        self.keys = IN_PLAY[0]

    @initialize(first=st.integers(0, len(IN_PLAY) - 1), needs=st.booleans())
    def begin(self, first: int, needs: bool) -> None:
        """One flag is what this example is most about; everybody has a snapshot."""
        self.keys = IN_PLAY[first]
        if needs:
            self.authors.need(PRODUCTION, needs=True)
        for service in self.services:
            self._catch_up(service)

    # Authors

    @rule(flag=flags, coverage=coverages)
    def ramp(self, flag: int, coverage: int) -> None:
        self.authors.ramp(PRODUCTION, self.keys[flag], coverage)

    @rule(flag=flags, weight=st.sampled_from([HALVES, 0, 2 * HALVES]), resalts=st.booleans())
    def rephase(self, flag: int, weight: int, resalts: bool) -> None:
        self.authors.rephase(PRODUCTION, self.keys[flag], weight, resalts=resalts)

    @rule(flag=flags, killed=st.booleans())
    def kill(self, flag: int, killed: bool) -> None:
        self.authors.kill(PRODUCTION, self.keys[flag], killed=killed)

    @rule(flag=flags)
    def forget_carried(self, flag: int) -> None:
        self.authors.forget_carried(PRODUCTION, self.keys[flag])

    @rule(flag=flags, archived=st.sampled_from([False, False, True]))
    def archive(self, flag: int, archived: bool) -> None:
        self.authors.archive(self.keys[flag], archived=archived)

    @rule(flag=flags, variant=st.sampled_from([None, 0, 1]))
    def serve_the_pros(self, flag: int, variant: int | None) -> None:
        key = self.keys[flag]
        terms = self.authors.terms(PRODUCTION, key)
        if terms is not None:
            self.authors.serve_the_pros(PRODUCTION, key, None if variant is None else list(terms.variants)[variant])

    @rule(flag=flags, is_added=st.booleans())
    def vary(self, flag: int, is_added: bool) -> None:
        if is_added:
            self.authors.add_variant(self.keys[flag])
        else:
            self.authors.take_variant(self.keys[flag])

    @rule()
    def back_up(self) -> None:
        self.authors.back_up()

    @rule(keeps_kills=st.booleans())
    def restore(self, keeps_kills: bool) -> None:
        self.authors.restore(keeps_kills=keeps_kills)

    @rule(needs=st.booleans())
    def need(self, needs: bool) -> None:
        self.authors.need(PRODUCTION, needs=needs)

    @rule(token=st.sampled_from(TOKENS))
    def revoke(self, token: str) -> None:
        self.authors.revoke(PRODUCTION, token)

    @rule(flag=flags, minutes=st.sampled_from([2, 30]))
    def break_glass(self, flag: int, minutes: int) -> None:
        self.authors.break_glass(PRODUCTION, self.keys[flag], (self.now_ns + minutes * MINUTE_NS) // 1_000_000_000)

    @rule()
    def reconcile(self) -> None:
        self.authors.reconcile(PRODUCTION)

    # The change stream: lost is what nobody delivers

    @rule(service=services)
    def catch_up(self, service: int) -> None:
        self._catch_up(self.services[service])

    @rule(service=services, start=back, length=st.integers(1, 3), epochs_back=st.sampled_from([0, 0, 0, 1]))
    def deliver_delta(self, service: int, start: int, length: int, epochs_back: int) -> None:
        """Any stretch of any numbering."""
        one = self.services[service]
        numberings = self.authors.numberings[one.environment]
        epoch = sorted(numberings)[-1 - epochs_back % len(numberings)]
        last = latest(numberings[epoch])
        begin = max(0, last - start - 1)
        if begin < last:
            one.hear(self.authors.delta(one.environment, epoch, begin, min(last, begin + length)))

    @rule(service=services, revisions_back=back, epochs_back=st.sampled_from([0, 0, 0, 1]))
    def deliver_snapshot(self, service: int, revisions_back: int, epochs_back: int) -> None:
        """As the server's, or as a lagging edge's."""
        one = self.services[service]
        numberings = self.authors.numberings[one.environment]
        epoch = sorted(numberings)[-1 - epochs_back % len(numberings)]
        one.hear(self.authors.snapshot(one.environment, epoch, max(0, latest(numberings[epoch]) - revisions_back)))

    @rule(service=services, kills_back=st.integers(0, 3))
    def deliver_kill(self, service: int, kills_back: int) -> None:
        """Ahead of the numbering, late, or again."""
        one = self.services[service]
        kills = self.authors.kills(one.environment)
        if kills:
            one.hear(kills[-1 - kills_back % len(kills)])

    @rule(service=services, kills_back=st.integers(0, 2))
    def deliver_kill_by_hand(self, service: int, kills_back: int) -> None:
        """Once, again, or after the numbering has taken it over."""
        one = self.services[service]
        kills = self.authors.emergencies[one.environment]
        if kills:
            one.hear(kills[-1 - kills_back % len(kills)])

    @rule(service=services)
    def expire(self, service: int) -> None:
        """A service looks whether kills by hand are over."""
        self.services[service].expire(self.now_ns)

    @rule(service=services, minutes=st.sampled_from([0, 20, -20]))
    def set_clock(self, service: int, minutes: int) -> None:
        """A clock goes wrong, or is set right again."""
        self.services[service].skew_ns = minutes * MINUTE_NS

    # Requests

    @rule(
        service=services,
        user=units,
        plan=plans,
        sent=st.sampled_from(range(len(SENT))),
        stolen=back,
        flag=flags,
        token=st.sampled_from([None, None, *TOKENS]),
        decides_first=st.booleans(),
    )
    def stranger_calls(
        self,
        service: int,
        user: int,
        plan: str | None,
        sent: int,
        stolen: int,
        flag: int,
        token: str | None,
        decides_first: bool,
    ) -> None:
        """A request comes in at a public boundary, with whatever its sender could get hold of.

        token: a tester's, whose signature is right. decides_first: the gateway decides all flags when it comes in.
        """
        headers = SENT[sent](self.records[-1 - stolen % len(self.records)].headers if self.records else ())
        own = {kind: keys[user % len(keys)] for kind, keys in UNITS.items()}
        claims = None
        if token is not None:
            headers = (*(each for each in headers if each[0] != b"pennon-override"), (b"pennon-override", b"a.b.c"))
            claims = self._claims(token, own)
        node = come(
            self.services[service],
            Parcel(headers),
            WIDE,
            is_trusted=False,
            units=own,
            plan=plan,
            claims=claims,
        )
        self.nodes.append(node)
        for key in range(len(self.keys)) if decides_first else ():
            self._ask(node, key, 0, exposes=False)
        self._ask(node, flag, 0)

    @rule(node=back, flag=flags, unit=units)
    def ask(self, node: int, flag: int, unit: int) -> None:
        """Code of the service branches."""
        if self.nodes:
            self._ask(self._node(node), flag, unit)

    @rule(node=back, flag=flags)
    def ask_for_everybody(self, node: int, flag: int) -> None:
        """A fan-out: a decision for each of many units."""
        if self.nodes:
            one = self._node(node)
            for key in range(len(self.keys)):
                for unit in range(3):
                    self._ask(one, key, unit)

    @rule(node=back, service=services, rewriting=rewritings, sends=contracts, takes=contracts, flag=flags, knows=plans)
    def call(
        self, node: int, service: int, rewriting: int, sends: int, takes: int, flag: int, knows: str | None
    ) -> None:
        """A verified service calls another, perhaps over one that knows only OpenTelemetry."""
        if self.nodes:
            one = self._node(node)
            parcel = leave(one, CONTRACTS[sends], MESH)
            self.records.append(parcel)
            self._arrive(parcel, service, rewriting, takes, flag, one, knows)

    @rule(node=back, answers=st.sampled_from(["once", "lost", "cached", "later"]))
    def respond(self, node: int, answers: str) -> None:
        """A service answers its caller: what was decided goes back, unless it is lost or comes out of a cache."""
        callee = self._node(node) if self.nodes else None
        if callee is None or callee.caller is None:
            return
        value, events = respond(callee)
        self.responses.append((value, events))
        if answers == "cached" and len(self.responses) > 1:
            value, events = self.responses[-2]
        if answers != "lost":
            take_back(callee.caller, value, events, callee.began_ns, has_age=answers == "cached")

    @rule(node=back, response=back)
    def take_stale_response(self, node: int, response: int) -> None:
        """A cache that says nothing of its age answers a call that begins now."""
        if self.nodes and self.responses:
            one = self._node(node)
            value, events = self.responses[-1 - response % len(self.responses)]
            take_back(one, value, events, self.now_ns + one.service.skew_ns, has_age=False)

    @rule(node=back, sends=contracts)
    def produce(self, node: int, sends: int) -> None:
        """A record is written."""
        if not self.nodes:
            return
        one = self._node(node)
        ruleset = one.service.replica.ruleset
        # What its authors want decided by whoever writes a record.
        for key in () if ruleset is None else ruleset.published:
            ask(one, key, one.units.get(FLAGS[key]["unit"]), self.now_ns, self.treatments, exposes=False)
        self.records.append(leave(one, CONTRACTS[sends], TOPIC))

    @rule(
        record=back, service=services, rewriting=rewritings, is_replay=st.sampled_from([False, False, True]), flag=flags
    )
    def consume(self, record: int, service: int, rewriting: int, is_replay: bool, flag: int) -> None:
        """It is processed: soon, late, again, or on purpose again."""
        if self.records:
            parcel = self.records[-1 - record % len(self.records)]
            self._arrive(parcel, service, rewriting, 0, flag, None, None, is_replay=is_replay)

    @rule(record=back, rewriting=rewritings)
    def forward(self, record: int, rewriting: int) -> None:
        """A retry topic, a mirror: the headers go on as they are, or as another propagator writes them."""
        if self.records:
            parcel = self.records[-1 - record % len(self.records)]
            self.records.append(parcel._replace(headers=REWRITINGS[rewriting](parcel.headers)))

    @rule(minutes=st.sampled_from([1, 4, 11, 60]))
    def wait(self, minutes: int) -> None:
        """Time goes by."""
        self.now_ns += minutes * MINUTE_NS

    def _node(self, nodes_back: int) -> Node:
        return self.nodes[-1 - nodes_back % len(self.nodes)]

    def _claims(self, token: str, own: dict[str, str]) -> OverrideClaims:
        # Long enough ago for every clock.
        issued_s = self.now_ns // 1_000_000_000 - 1_800
        return OverrideClaims(
            token,
            SIGNER.id,
            ENVIRONMENTS[PRODUCTION].id,
            OVERRIDABLE,
            "blue",
            FLAGS[OVERRIDABLE]["unit"],
            own[FLAGS[OVERRIDABLE]["unit"]],
            issued_s,
            issued_s + 2_400,
        )

    def _ask(self, node: Node, flag: int, unit: int, *, exposes: bool = True) -> None:
        key = self.keys[flag]
        kind = FLAGS[key]["unit"]
        keys = UNITS[kind]
        own = keys.index(node.units[kind]) if kind in node.units else 0
        ask(node, key, keys[(own + unit) % len(keys)], self.now_ns, self.treatments, exposes=exposes)

    def _arrive(
        self,
        parcel: Parcel,
        service: int,
        rewriting: int,
        takes: int,
        flag: int,
        caller: Node | None,
        plan: str | None,
        *,
        is_replay: bool = False,
    ) -> None:
        units = {kind: keys[0] for kind, keys in UNITS.items()} if caller is None else caller.units
        rewritten = parcel._replace(headers=REWRITINGS[rewriting](parcel.headers))
        node = come(
            self.services[service],
            rewritten,
            CONTRACTS[takes],
            is_trusted=True,
            units=units,
            plan=plan,
            is_replay=is_replay,
        )
        node.caller = caller
        node.began_ns = 0 if caller is None else self.now_ns + caller.service.skew_ns
        self.nodes.append(node)
        self._ask(node, flag, 0)

    def _catch_up(self, service: Service) -> None:
        """All that it has missed, as one delta, or as a snapshot where that does not do."""
        epoch, here = self.authors.epoch(service.environment), service.knowledge.position
        last = latest(self.authors.history(service.environment))
        if here is None or here[0] != epoch:
            service.hear(self.authors.snapshot(service.environment, epoch, last))
        elif here[1] < last:
            service.hear(self.authors.delta(service.environment, epoch, here[1], last))
