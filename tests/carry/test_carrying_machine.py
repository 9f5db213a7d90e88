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
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

from pennon.carry import decide, decode, encode
from pennon.context import Environment, Ledger, Origin, Reason
from pennon.flags import FlagRecord, Ruleset, RulesetRecord

ENVIRONMENT = Environment(0x0102030405, "production", "salt")
FLAG_ID = 77
SERVICES = 2
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
    """A request at one service: its ledger, and the machine's account of what it brought and was told here, by unit."""

    def __init__(self, service: int, ledger: Ledger, brought: dict[str, Told]) -> None:
        self.service, self.ledger, self.brought = service, ledger, brought
        self.told: dict[str, Told] = {}

    def known(self, unit: str, floor: int) -> Told | None:
        """What stands about a unit: told here, else brought along, unless it is void."""
        here = [told for told in (self.told.get(unit), self.brought.get(unit)) if told is not None]
        return next((told for told in here if told.revision >= floor), None)


class Carrying(RuleBasedStateMachine):
    """One flag, two services, any number of requests and messages."""

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

    @rule(change=st.sampled_from(["ramp", "new phase", "kill or unkill"]), variant=st.sampled_from(VARIANTS[1:]))
    def author(self, change: str, variant: str) -> None:
        """Ramp: what was decided stands. New phase, kill and unkill: it is void."""
        floor = len(self.history)
        if change == "ramp":
            self.publish(fallthrough={"variant": variant})
        elif change == "new phase":
            self.publish(fallthrough={"variant": variant}, void_before=floor)
        else:
            self.publish(killed=not self.latest.killed, void_before=floor)

    @rule(service=st.integers(0, SERVICES - 1), step=st.integers(1, 2), hears_kill=st.booleans())
    def follow(self, service: int, step: int, hears_kill: bool) -> None:
        """A replica follows, as far as it happens to get; a kill's own event may outrun the stream."""
        self.known[service] = min(self.known[service] + step, len(self.history) - 1)
        if hears_kill and self.latest.killed:
            self.overlay[service] = max(self.overlay[service], self.latest.void_before)

    @rule(target=requests, service=st.integers(0, SERVICES - 1), unit=st.sampled_from(UNITS))
    def begin_request(self, service: int, unit: str) -> Request:
        """A stranger calls."""
        request = Request(service, Ledger(), {})
        self.ask(request, unit)
        return request

    @rule(request=requests, unit=st.sampled_from(UNITS))
    def ask_again(self, request: Request, unit: str) -> None:
        """The same code, or other code of the same service."""
        self.ask(request, unit)

    @rule(target=requests, request=requests, service=st.integers(0, SERVICES - 1), unit=st.sampled_from(UNITS))
    def call(self, request: Request, service: int, unit: str) -> Request:
        """A call that is served at once."""
        return self.arrived(self.record(request), service, unit)

    @rule(target=messages, request=requests)
    def produce(self, request: Request) -> tuple[str, dict[str, Told]]:
        """A record is written."""
        return self.record(request)

    @rule(target=requests, message=messages, service=st.integers(0, SERVICES - 1), unit=st.sampled_from(UNITS))
    def consume(self, message: tuple[str, dict[str, Told]], service: int, unit: str) -> Request:
        """It is processed: soon, late, or again."""
        return self.arrived(message, service, unit)

    def record(self, request: Request) -> tuple[str, dict[str, Told]]:
        """What leaves with a request, and what the machine knows of it."""
        return encode(request.ledger).value, request.brought | request.told

    def arrived(self, message: tuple[str, dict[str, Told]], service: int, unit: str) -> Request:
        """The request that a message becomes."""
        value, told = message
        ledger = Ledger()
        ledger.arrived = decode(value).arrived
        request = Request(service, ledger, told)
        self.ask(request, unit)
        return request

    def ask(self, request: Request, unit: str) -> None:
        """Somebody asks for a unit's variant, and what must hold is checked."""
        ruleset = self.ruleset(request.service)
        flag = ruleset.flag("checkout")
        assert flag is not None
        decision = decide(flag, ruleset, request.ledger, unit, {}, {}, 0, lambda _: None)
        variant, reason = decision.answer.variant, decision.answer.reason
        assert variant is not None

        known = request.known(unit, flag.floor)
        assert decision.revision >= flag.floor, "nothing void is served"
        if flag.is_killed:
            assert ("off", Reason.KILLED) == (variant, reason), "killed is obeyed"
        elif known is None:
            served = self.history[self.known[request.service]].fallthrough.variant
            assert (served, Reason.STATIC) == (variant, reason), "nothing void is served, to each unit its own"
        else:
            assert (known.variant, known.is_kill) == (variant, reason is Reason.KILLED), "one answer along a path"
        request.told[unit] = Told(variant, decision.revision, decision.origin is Origin.KILL)


pytestmark = pytest.mark.slow
TestCarrying = Carrying.TestCase
TestCarrying.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
