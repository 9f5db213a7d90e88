"""What can happen, in words that a failing example is read by; what must hold is in `judging` and `crossing`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

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

_SECOND_NS: Final = 1_000_000_000


class Fleet:
    """Three services of production and one of staging, which call each other and write to one topic.

    keys: the flags in play. nodes, records, responses: the latest last.
    """

    def __init__(self) -> None:
        self.now_ns = BEGIN_NS
        self.authors = Authors(first_edition())
        self.treatments = Treatments()
        self.services = [
            Service("edge", PRODUCTION, self.authors, 0),
            Service("fast", PRODUCTION, self.authors, SKEW_NS),
            Service("slow", PRODUCTION, self.authors, -SKEW_NS),
            Service("other", STAGING, self.authors, 0),
        ]
        self.nodes: list[Node] = []
        self.records: list[Parcel] = []
        self.responses: list[tuple[bytes, tuple[Event, ...]]] = []
        self.keys = IN_PLAY[0]

    def node(self, back: int) -> Node:
        """A request, counted from the latest."""
        return self.nodes[-1 - back % len(self.nodes)]

    # Authors

    def edit(self, deed: str, flag: int, value: int) -> None:
        """An author does something; value: 0…2, how."""
        DEEDS[deed](self, self.keys[flag], value)

    # The change stream. What is lost is what nobody delivers

    def catch_up(self, service: int) -> None:
        """All that it has missed, as one delta, or as a snapshot where that does not do."""
        one = self.services[service]
        epoch, here = self.authors.epoch(one.environment), one.knowledge.position
        last = latest(self.authors.history(one.environment))
        if here is None or here[0] != epoch:
            one.hear(self.authors.snapshot(one.environment, epoch, last))
        elif here[1] < last:
            one.hear(self.authors.delta(one.environment, epoch, here[1], last))

    def deliver(self, message: str, service: int, back: int) -> None:
        """Something that was sent some time ago, once more or for the first time."""
        one = self.services[service]
        numberings = self.authors.numberings[one.environment]
        is_before = message.startswith("former ") and len(numberings) > 1
        epoch = sorted(numberings)[-2 if is_before else -1]
        last = latest(numberings[epoch])
        if message.startswith("kill"):
            authors, environment = self.authors, one.environment
            sent = authors.kills(environment) if message == "kill" else authors.emergencies[environment]
            if sent:
                one.hear(sent[-1 - back % len(sent)])
        elif message.endswith("delta"):
            start = max(0, last - back - 1)
            one.hear(self.authors.delta(one.environment, epoch, start, min(last, start + 1 + back // 2)))
        else:
            one.hear(self.authors.snapshot(one.environment, epoch, max(0, last - back)))

    # Requests

    def stranger_calls(
        self, service: int, user: int, plan: str | None, sent: int, back: int, token: int | None
    ) -> Node:
        """A request comes in at a public boundary, with whatever its sender could get hold of.

        back: which record it has stolen. token: which override it bears, signed as it must be; None: none.
        """
        headers = SENT[sent](self.records[-1 - back % len(self.records)].headers if self.records else ())
        own = {kind: keys[user % len(keys)] for kind, keys in UNITS.items()}
        claims = None
        if token is not None:
            headers = (*(each for each in headers if each[0] != b"pennon-override"), (b"pennon-override", b"a.b.c"))
            claims = self._claims(TOKENS[token], own)
        node = come(
            self.services[service], Parcel(headers), WIDE, is_trusted=False, units=own, plan=plan, claims=claims
        )
        self.nodes.append(node)
        return node

    def ask(self, node: Node, flag: int, unit: int = 0, *, exposes: bool = True) -> None:
        """Code of its service asks about a unit: 0 is the request's own, others are others of its kind."""
        key = self.keys[flag]
        kind = FLAGS[key]["unit"]
        keys = UNITS[kind]
        at = keys.index(node.units[kind]) + unit
        ask(node, key, keys[at % len(keys)], self.now_ns, self.treatments, exposes=exposes)

    def ask_all(self, node: Node, unit: int = 0, *, exposes: bool = True) -> None:
        """It asks about every flag in play."""
        for flag in range(len(self.keys)):
            self.ask(node, flag, unit, exposes=exposes)

    def call(self, node: Node, service: int, rewriting: int, sends: int, takes: int, plan: str | None) -> Node:
        """A verified service calls another, perhaps over one that knows only OpenTelemetry."""
        parcel = leave(node, CONTRACTS[sends], MESH)
        self.records.append(parcel)
        callee = self._arrive(parcel, service, rewriting, takes, node.units, plan)
        callee.caller, callee.began_ns = node, self.now_ns + node.service.skew_ns
        return callee

    def respond(self, node: Node, way: str) -> None:
        """It answers its caller: what was decided goes back, unless it is lost or comes out of a cache."""
        if node.caller is None:
            return
        value, events = respond(node)
        self.responses.append((value, events))
        if way == "cached" and len(self.responses) > 1:
            value, events = self.responses[-2]
        if way != "lost":
            take_back(node.caller, value, events, node.began_ns, has_age=way == "cached")

    def take_stale(self, node: Node, back: int) -> None:
        """A cache that says nothing of its age answers a call that begins now."""
        if self.responses:
            value, events = self.responses[-1 - back % len(self.responses)]
            take_back(node, value, events, self.now_ns + node.service.skew_ns, has_age=False)

    def produce(self, node: Node, sends: int) -> None:
        """A record is written; first is decided what its authors want decided by whoever writes."""
        ruleset = node.service.replica.ruleset
        for key in () if ruleset is None else ruleset.published:
            unit_key = node.units[FLAGS[key]["unit"]]
            ask(node, key, unit_key, self.now_ns, self.treatments, exposes=False)
        self.records.append(leave(node, CONTRACTS[sends], TOPIC))

    def consume(self, back: int, service: int, rewriting: int, *, is_replay: bool) -> Node | None:
        """A record is processed: soon, late, again, or on purpose again."""
        if not self.records:
            return None
        units = {kind: keys[0] for kind, keys in UNITS.items()}
        parcel = self.records[-1 - back % len(self.records)]
        return self._arrive(parcel, service, rewriting, 0, units, None, is_replay=is_replay)

    def forward(self, back: int, rewriting: int) -> None:
        """A retry topic, a mirror: the headers go on as they are, or as another propagator writes them."""
        if self.records:
            parcel = self.records[-1 - back % len(self.records)]
            self.records.append(parcel._replace(headers=REWRITINGS[rewriting](parcel.headers)))

    def _arrive(
        self,
        parcel: Parcel,
        service: int,
        rewriting: int,
        takes: int,
        units: dict[str, str],
        plan: str | None,
        *,
        is_replay: bool = False,
    ) -> Node:
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
        self.nodes.append(node)
        return node

    def _claims(self, token: str, own: dict[str, str]) -> OverrideClaims:
        # Long enough ago for every clock.
        issued_s, kind = self.now_ns // _SECOND_NS - 1_800, FLAGS[OVERRIDABLE]["unit"]
        environment = ENVIRONMENTS[PRODUCTION].id
        return OverrideClaims(
            token, SIGNER.id, environment, OVERRIDABLE, "blue", kind, own[kind], issued_s, issued_s + 2_400
        )


def _serve_the_pros(fleet: Fleet, key: str, value: int) -> None:
    """0: as everybody; 1: the first variant; 2: the one before the last."""
    terms = fleet.authors.terms(PRODUCTION, key)
    if terms is not None:
        fleet.authors.serve_the_pros(PRODUCTION, key, [None, *terms.variants][value])


def _add_variant(fleet: Fleet, key: str, _: int) -> None:
    fleet.authors.add_variant(key)
    _serve_the_pros(fleet, key, 1)


def _take_variant(fleet: Fleet, key: str, _: int) -> None:
    _serve_the_pros(fleet, key, 0)
    fleet.authors.take_variant(key)


def _break_glass(fleet: Fleet, key: str, value: int) -> None:
    until_ns = fleet.now_ns + (value + 1) * 5 * MINUTE_NS
    fleet.authors.break_glass(PRODUCTION, key, until_ns // _SECOND_NS)


Deed = Callable[[Fleet, str, int], None]

DEEDS: Final[Mapping[str, Deed]] = MappingProxyType(
    {
        "ramp": lambda fleet, key, value: fleet.authors.ramp(PRODUCTION, key, value * HALVES),
        "new phase": lambda fleet, key, value: fleet.authors.rephase(
            PRODUCTION, key, value * HALVES, resalts=value == 1
        ),
        "kill": lambda fleet, key, _: fleet.authors.kill(PRODUCTION, key, killed=True),
        "unkill": lambda fleet, key, _: fleet.authors.kill(PRODUCTION, key, killed=False),
        "serve the pros": _serve_the_pros,
        "forget carried": lambda fleet, key, _: fleet.authors.forget_carried(PRODUCTION, key),
        "archive": lambda fleet, key, _: fleet.authors.archive(key, archived=True),
        "return": lambda fleet, key, _: fleet.authors.archive(key, archived=False),
        "add a variant": _add_variant,
        "take it away": _take_variant,
        "need": lambda fleet, _key, value: fleet.authors.need(PRODUCTION, needs=value > 0),
        "back up": lambda fleet, _key, _: fleet.authors.back_up(),
        "restore the backup": lambda fleet, _key, value: fleet.authors.restore(keeps_kills=value > 0),
        "revoke": lambda fleet, _key, value: fleet.authors.revoke(PRODUCTION, TOKENS[value % len(TOKENS)]),
        "break glass": _break_glass,
        "reconcile": lambda fleet, _key, _: fleet.authors.reconcile(PRODUCTION),
    }
)
