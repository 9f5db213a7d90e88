"""Carrying as a whole: lagging replicas, kills and unkills, requests that wander, messages that come again.

The machine keeps its own account of what each request was told. It does not know how ledgers or the wire work; it knows
what must hold:

- killed is obeyed: a replica that knows of a kill serves the off variant, whatever arrived or was made;
- nothing void is served: no carried answer is older than the floor of the replica that gives it;
- one answer along a path: what a request was told about a unit, it is told again, unless that has become void;
- to each unit its own: a unit nobody decided about gets what its replica says.
"""

from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

from pennon.carry import Note, decide, decode, encode
from pennon.context import Environment, Ledger, Origin, Reason
from pennon.flags import FlagRecord, Ruleset, RulesetRecord

ENVIRONMENT = Environment(0x0102030405, "production", "salt")
FLAG_ID = 77
SERVICES = 3
UNITS = ("7", "8")
VARIANTS = ("off", "a", "b", "c")


def _record(revision: int, **changes: Any) -> FlagRecord:
    plain = {
        "key": "checkout",
        "id": FLAG_ID,
        "type": "string",
        "off": "off",
        "variants": [{"key": key, "id": number, "value": key} for number, key in enumerate(VARIANTS)],
        "fallthrough": {"variant": "a"},
        "carry": True,
        "revision": revision,
    }
    return msgspec.convert(plain | changes, FlagRecord)


class Told(msgspec.Struct, frozen=True):
    """What a request was told about a unit."""

    variant: str
    revision: int
    is_kill: bool


class Request:
    """A request at one service: its ledger, and the machine's account of what it was told, by unit."""

    def __init__(self, service: int, ledger: Ledger, told: dict[str, Told]) -> None:
        self.service, self.ledger, self.told = service, ledger, told


class Carrying(RuleBasedStateMachine):
    """One flag, three services, any number of requests and messages."""

    requests = Bundle("requests")
    messages = Bundle("messages")

    @initialize()
    def begin(self) -> None:
        """Everybody knows revision 1."""
        self.history = [_record(0), _record(1)]
        self.known = [1] * SERVICES
        self.overlay = [0] * SERVICES

    @property
    def latest(self) -> FlagRecord:
        """What the author sees."""
        return self.history[-1]

    def ruleset(self, service: int) -> Ruleset:
        """The service's replica."""
        revision = self.known[service]
        record = self.history[revision]
        ruleset = Ruleset.of(RulesetRecord(ENVIRONMENT, 5, revision, flags={"checkout": record}))
        kill = self.overlay[service]
        return ruleset.with_kills({FLAG_ID: kill}) if kill > revision else ruleset

    def publish(self, **changes: Any) -> None:
        """The author changes the flag: one revision more."""
        now = self.latest
        kept = {"killed": now.killed, "void_before": now.void_before, "fallthrough": now.fallthrough}
        self.history.append(_record(len(self.history), **msgspec.to_builtins(kept) | changes))

    @rule(variant=st.sampled_from(VARIANTS[1:]))
    def ramp(self, variant: str) -> None:
        """Another variant is served from now on; what was decided stands."""
        self.publish(fallthrough={"variant": variant})

    @rule(variant=st.sampled_from(VARIANTS[1:]))
    def begin_new_phase(self, variant: str) -> None:
        """Another variant is served, and what was decided is void."""
        self.publish(fallthrough={"variant": variant}, void_before=len(self.history))

    @rule()
    def kill(self) -> None:
        """Serve the off variant, everywhere, now."""
        if not self.latest.killed:
            self.publish(killed=True, void_before=len(self.history))

    @rule()
    def unkill(self) -> None:
        """Serve it again; what was decided before is not revived."""
        if self.latest.killed:
            self.publish(killed=False, void_before=len(self.history))

    @rule(service=st.integers(0, SERVICES - 1), share=st.floats(0, 1))
    def catch_up(self, service: int, share: float) -> None:
        """A replica follows, as far as it happens to get."""
        behind = len(self.history) - 1 - self.known[service]
        self.known[service] += round(behind * share)

    @rule(service=st.integers(0, SERVICES - 1))
    def hear_of_a_kill(self, service: int) -> None:
        """The kill event outruns the stream."""
        if self.latest.killed:
            self.overlay[service] = max(self.overlay[service], self.latest.void_before)

    @rule(target=requests, service=st.integers(0, SERVICES - 1))
    def begin_request(self, service: int) -> Request:
        """A stranger calls."""
        return Request(service, Ledger(), {})

    @rule(target=messages, request=requests)
    def send(self, request: Request) -> tuple[str, dict[str, Told]]:
        """A call or a record leaves."""
        return encode(request.ledger).value, dict(request.told)

    @rule(target=requests, message=messages, service=st.integers(0, SERVICES - 1))
    def receive(self, message: tuple[str, dict[str, Told]], service: int) -> Request:
        """It arrives somewhere: soon, late, again."""
        value, told = message
        ledger = Ledger()
        ledger.arrived = decode(value).arrived
        return Request(service, ledger, dict(told))

    @rule(request=requests, unit=st.sampled_from(UNITS))
    def ask(self, request: Request, unit: str) -> None:
        """Somebody asks for a unit's variant, and what must hold is checked."""
        ruleset = self.ruleset(request.service)
        flag = ruleset.flag("checkout")
        assert flag is not None
        notes: list[Note] = []
        decision = decide(flag, ruleset, request.ledger, unit, {}, {}, 0, notes.append)
        before = request.told.get(unit)
        variant = decision.answer.variant
        assert variant is not None

        assert decision.revision >= flag.floor, "nothing void is served"
        if flag.is_killed:
            assert ("off", Reason.KILLED) == (variant, decision.answer.reason), "killed is obeyed"
        elif before is None or before.revision < flag.floor:
            assert self.history[self.known[request.service]].fallthrough.variant == variant, "to each unit its own"
            assert decision.answer.reason in (Reason.STATIC, Reason.DEFAULT), "nothing void is served"
        else:
            assert before.variant == variant, "one answer along a path"
            assert before.is_kill == (decision.answer.reason is Reason.KILLED), "one answer along a path"
        if before is not None and before.variant != variant:
            assert flag.is_killed or before.revision < flag.floor, "one answer along a path"
        request.told[unit] = Told(variant, decision.revision, decision.origin is Origin.KILL)


TestCarrying = Carrying.TestCase
TestCarrying.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
