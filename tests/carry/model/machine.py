"""The machine: authors edit, messages are delivered in any order or not at all, requests wander, strangers knock.

Few rules with many arguments: Hypothesis leaves whole rules out of an example, and a world without calls says little.
Every argument is a small number or a word: which flag of those in play, which request of the latest, how far back.
"""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.carry.model.catalogue import IN_PLAY, NEEDED, NEEDING, PRODUCTION
from tests.carry.model.fleet import DEEDS, Fleet
from tests.carry.model.rewriting import REWRITINGS
from tests.carry.model.strangers import SENT
from tests.carry.model.world import MINUTE_NS

# The likeliest come more than once, the plainest first.
backs = st.integers(0, 4)
flags = st.sampled_from([0, 0, 0, 1, 1, 2])
services = st.sampled_from([0, 1, 2, 0, 1, 2, 3])
units = st.sampled_from([0, 0, 0, 1, 2])
values = st.integers(0, 2)
contracts = st.sampled_from([0, 0, 0, 0, 1])
plans = st.sampled_from([None, "pro"])
rewritings = st.sampled_from([0, 0, 0, *range(1, len(REWRITINGS))])
tokens = st.sampled_from([None, None, 0, 1])
often = ["ramp", "ramp", "new phase", "kill", "unkill", "serve the pros", "serve the pros", "revoke", "break glass"]
deeds = st.lists(st.sampled_from([*DEEDS, *often]), min_size=2, max_size=5)
hearers = st.sampled_from(["nobody", "first", "second", "all", "kill to the first", "kill to the second"])
messages = st.sampled_from(
    ["everything", "everything", "delta", "snapshot", "former snapshot", "former delta", "kill", "kill by hand"]
)
ways = st.sampled_from(["returned", "returned", "returned", "lost", "cached"])


class Carrying(RuleBasedStateMachine):
    """A fleet, from its first request on."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet()
        self.deeds: list[str] = []

    @initialize(
        flag=st.integers(0, len(IN_PLAY) - 1),
        deeds=deeds,
        earlier=st.lists(st.tuples(backs, flags, values), max_size=2),
        needs=st.booleans(),
        service=services,
        plan=plans,
    )
    def begin(
        self,
        flag: int,
        deeds: list[str],
        earlier: list[tuple[int, int, int]],
        needs: bool,
        service: int,
        plan: str | None,
    ) -> None:
        """One flag and a few deeds are what this example is about; somebody calls.

        Everybody has a snapshot. earlier: deeds that only the first service has heard of.
        """
        fleet = self.fleet
        self.deeds = deeds
        fleet.keys = IN_PLAY[flag]
        if needs or fleet.keys[0] in (NEEDING, NEEDED):
            fleet.authors.need(PRODUCTION, needs=True)
        for each in range(len(fleet.services)):
            fleet.catch_up(each)
        for deed, which, value in earlier:
            fleet.edit(deeds[deed % len(deeds)], which, value)
        fleet.catch_up(0)
        fleet.stranger_calls(service, 0, plan, 0, 0, None)

    @rule(deed=backs, flag=flags, value=values, hearer=hearers, node=backs)
    def edit(self, deed: int, flag: int, value: int, hearer: str, node: int) -> None:
        """An author does one of the deeds, and some hear of it at once."""
        fleet, chosen = self.fleet, self.deeds[deed % len(self.deeds)]
        fleet.edit(chosen, flag, value)
        who = {"first": [0], "second": [1], "all": [0, 1, 2, 3]}.get(hearer, [])
        for one in who:
            fleet.catch_up(one)
        if hearer.startswith("kill"):
            fleet.deliver("kill by hand" if chosen == "break glass" else "kill", int(hearer.endswith("second")), 0)
        fleet.ask(fleet.node(node), flag)

    @rule(node=backs, before=flags, deed=backs, edited=flags, value=values, after=flags)
    def edit_in_mid_request(self, node: int, before: int, deed: int, edited: int, value: int, after: int) -> None:
        """Code branches, an author edits, the service hears all of it, and code further on branches again."""
        fleet, one = self.fleet, self.fleet.node(node)
        fleet.ask(one, before)
        fleet.edit(self.deeds[deed % len(self.deeds)], edited, value)
        fleet.catch_up(fleet.services.index(one.service))
        fleet.ask(one, after)

    @rule(message=messages, service=services, back=backs, node=backs, flag=flags)
    def deliver(self, message: str, service: int, back: int, node: int, flag: int) -> None:
        """A message of the change stream comes, late, again, or in time; then somebody asks."""
        fleet = self.fleet
        if message == "everything":
            fleet.catch_up(service)
        else:
            fleet.deliver(message, service, back)
        fleet.ask(fleet.node(node), flag)

    @rule(
        service=services,
        user=units,
        plan=plans,
        sent=st.sampled_from(range(len(SENT))),
        stolen=backs,
        token=tokens,
        decides_first=st.booleans(),
        calls=st.one_of(st.none(), services),
        flag=flags,
    )
    def stranger_calls(
        self,
        service: int,
        user: int,
        plan: str | None,
        sent: int,
        stolen: int,
        token: int | None,
        decides_first: bool,
        calls: int | None,
        flag: int,
    ) -> None:
        """A request comes in at a public boundary, and perhaps goes on at once.

        decides_first: the gateway decides all flags at once.
        """
        fleet = self.fleet
        node = fleet.stranger_calls(service, user, plan, sent, stolen, token)
        if decides_first:
            fleet.ask_all(node, exposes=False)
        fleet.ask(node, flag)
        if calls is not None:
            fleet.ask_all(fleet.call(node, calls, 0, 0, 0, plan))

    @rule(node=backs, flag=flags, unit=units)
    def ask(self, node: int, flag: int, unit: int) -> None:
        """Code of the service branches."""
        self.fleet.ask(self.fleet.node(node), flag, unit)

    @rule(node=backs)
    def ask_for_everybody(self, node: int) -> None:
        """A decision for each of many units, as for every follower of an author."""
        for unit in range(3):
            self.fleet.ask_all(self.fleet.node(node), unit)

    @rule(node=backs, service=services, rewriting=rewritings, sends=contracts, takes=contracts, plan=plans, flag=flags)
    def call(
        self, node: int, service: int, rewriting: int, sends: int, takes: int, plan: str | None, flag: int
    ) -> None:
        """A verified service calls another, whose code branches."""
        callee = self.fleet.call(self.fleet.node(node), service, rewriting, sends, takes, plan)
        self.fleet.ask(callee, flag)
        self.fleet.ask(callee, 0)

    @rule(
        node=backs,
        services=st.tuples(services, services),
        way=ways,
        plan=plans,
        flag=flags,
        asks=st.sampled_from(["first", "meanwhile", "last"]),
    )
    def fan_out(self, node: int, services: tuple[int, int], way: str, plan: str | None, flag: int, asks: str) -> None:
        """A service calls two at once and both answer; its own code branches before, meanwhile, and at the end."""
        fleet = self.fleet
        one = fleet.node(node)
        if asks == "first":
            fleet.ask(one, flag)
        callees = [fleet.call(one, service, 0, 0, 0, plan) for service in services]
        for callee in callees:
            fleet.ask(callee, flag)
        if asks == "meanwhile":
            fleet.ask(one, flag)
        for callee in callees:
            fleet.respond(callee, way)
        fleet.ask(one, flag)

    @rule(node=backs, way=ways, flag=flags)
    def respond(self, node: int, way: str, flag: int) -> None:
        """A service answers its caller, which then branches."""
        one = self.fleet.node(node)
        self.fleet.respond(one, way)
        if one.caller is not None:
            self.fleet.ask(one.caller, flag)

    @rule(node=backs, back=backs, flag=flags)
    def take_stale(self, node: int, back: int, flag: int) -> None:
        """A cache answers with what was decided for somebody else, or long ago."""
        self.fleet.take_stale(self.fleet.node(node), back)
        self.fleet.ask(self.fleet.node(node), flag)

    @rule(node=backs, sends=contracts)
    def produce(self, node: int, sends: int) -> None:
        """A record is written."""
        self.fleet.produce(self.fleet.node(node), sends)

    @rule(
        back=backs, service=services, rewriting=rewritings, is_replay=st.sampled_from([False, False, True]), flag=flags
    )
    def consume(self, back: int, service: int, rewriting: int, is_replay: bool, flag: int) -> None:
        """It is processed: soon, late, again, or on purpose again."""
        node = self.fleet.consume(back, service, rewriting, is_replay=is_replay)
        if node is not None:
            self.fleet.ask(node, flag)

    @rule(back=backs, rewriting=rewritings)
    def forward(self, back: int, rewriting: int) -> None:
        """A retry topic, a mirror."""
        self.fleet.forward(back, rewriting)

    @rule(minutes=st.sampled_from([1, 4, 11, 60]), service=services)
    def wait(self, minutes: int, service: int) -> None:
        """Time goes by, and one service looks whether kills by hand are over."""
        self.fleet.now_ns += minutes * MINUTE_NS
        self.fleet.services[service].expire(self.fleet.now_ns)

    @rule(service=services, minutes=st.sampled_from([0, 20, -20]))
    def set_clock(self, service: int, minutes: int) -> None:
        """A clock goes wrong, or is set right again."""
        self.fleet.services[service].skew_ns = minutes * MINUTE_NS
