"""Break-glass kills under any delivery: they hold until reconciled, never beyond their end, whatever comes first."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pennon.context import Environment, Reason
from pennon.flags import (
    FlagRecord,
    FlagType,
    PrerequisiteRecord,
    ReconciledRecord,
    RulesetRecord,
    ServeRecord,
    VariantRecord,
)
from pennon.sync import EMPTY, BreakGlass, Delta, Effect, Kill, Message, Put, Replica, expired, receive

ENVIRONMENT = Environment(7, "production", "salt")
VARIANTS = (VariantRecord("on", 1, value=True), VariantRecord("off", 2, value=False))
KEYS = ("a", "b", "c")
IDS = ("bg-1", "bg-2", "bg-3")


def flag(key: str, revision: int, *, is_killed: bool = False, floor: int = 0) -> FlagRecord:
    """One of the flags; "c" needs "b"."""
    needs = (PrerequisiteRecord("b", ("on",)),) if key == "c" else ()
    return FlagRecord(
        key,
        KEYS.index(key),
        FlagType.BOOLEAN,
        VARIANTS,
        "off",
        ServeRecord("on"),
        revision=revision,
        void_before=floor,
        killed=is_killed,
        prerequisites=needs,
    )


FIRST = RulesetRecord(ENVIRONMENT, 1, 1, flags={key: flag(key, 1) for key in KEYS})

# An edit: what is done, with which flag, and with which id; only "reconcile" looks at that.
EDITS = st.tuples(
    st.sampled_from(["put", "kill", "unkill", "reconcile", "drop"]), st.sampled_from(KEYS), st.sampled_from(IDS)
)
GLASSES = st.builds(BreakGlass, st.just(7), st.sampled_from(range(len(KEYS))), st.sampled_from(IDS), st.integers(5, 20))


def edited(whole: RulesetRecord, edit: tuple[str, str, str]) -> RulesetRecord:
    """The ruleset one revision on."""
    what, key, id_ = edit
    revision = whole.revision + 1
    flags, reconciled = dict(whole.flags), dict(whole.reconciled)
    if what == "reconcile":
        reconciled[id_] = ReconciledRecord(id_, 20)
    elif what == "drop":
        flags.pop(key, None)
    else:
        floor = revision if what in {"kill", "unkill"} else 0
        flags[key] = flag(key, revision, is_killed=what == "kill", floor=floor)
    return msgspec.structs.replace(whole, revision=revision, flags=flags, reconciled=reconciled)


def delta_between(states: list[RulesetRecord], start: int, end: int) -> Delta:
    """All that was touched on the way."""
    old, new = states[start], states[end]
    touched = {key for state in states[start : end + 1] for key in state.flags}
    put = {key: record for key, record in new.flags.items() if old.flags.get(key) != record}
    reconciled = {id_: record for id_, record in new.reconciled.items() if id_ not in old.reconciled}
    delta = Delta(7, 1, old.revision, new.revision, Put(put, reconciled=reconciled))
    gone = msgspec.structs.replace(delta.delete, flags=tuple(touched - new.flags.keys()))
    return msgspec.structs.replace(delta, delete=gone)


def view(replica: Replica) -> Any:
    """All that two replicas must have in common to be the same to whoever asks them."""
    ruleset = replica.ruleset
    if ruleset is None:
        return (dict(replica.kills), dict(replica.emergencies))
    flags = {key: found for key in ruleset.records if (found := ruleset.flag(key))}
    answers = {key: (found.answer("u", {}, {}), found.floor) for key, found in flags.items()}
    position = (ruleset.epoch, ruleset.revision, dict(ruleset.records), dict(ruleset.reconciled), dict(ruleset.kills))
    return (*position, answers, dict(replica.kills), dict(replica.emergencies))


class Following(RuleBasedStateMachine):
    """A server that edits and a network that delivers what it likes, as often and as late as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.states = [FIRST]
        self.kills: list[Kill] = []
        self.replica = EMPTY
        self.now_s = 0
        self.held: dict[tuple[int, str], int] = {}

    @rule(edit=EDITS)
    def edit(self, edit: tuple[str, str, str]) -> None:
        """The server publishes."""
        self.states.append(edited(self.states[-1], edit))
        if edit[0] == "kill":
            self.kills.append(Kill(7, 1, KEYS.index(edit[1]), self.states[-1].revision))

    @rule(data=st.data())
    def deliver_snapshot(self, data: st.DataObject) -> None:
        """Any snapshot there ever was."""
        self.take(data.draw(st.sampled_from(self.states)))

    @precondition(lambda self: len(self.states) > 1)
    @rule(data=st.data())
    def deliver_delta(self, data: st.DataObject) -> None:
        """Any span of the log."""
        end = data.draw(st.integers(1, len(self.states) - 1))
        self.take(delta_between(self.states, data.draw(st.integers(0, end - 1)), end))

    @precondition(lambda self: self.kills)
    @rule(data=st.data())
    def deliver_kill(self, data: st.DataObject) -> None:
        """Any kill event there ever was."""
        self.take(data.draw(st.sampled_from(self.kills)))

    @rule(kill=GLASSES)
    def break_glass(self, kill: BreakGlass) -> None:
        """Somebody with a key, while the database is down or not."""
        self.take(kill)
        if self.replica.ruleset is None or kill.id not in self.replica.ruleset.reconciled:
            place = (kill.flag, kill.id)
            self.held[place] = max(kill.until_s, self.held.get(place, 0))

    @rule(by_s=st.integers(1, 6))
    def tick(self, by_s: int) -> None:
        """Time passes, and the replica is told."""
        self.now_s += by_s
        self.replica = expired(self.replica, self.now_s)
        self.held = {place: until_s for place, until_s in self.held.items() if until_s > self.now_s}

    def take(self, message: Message) -> None:
        """Receive, and forget what is now reconciled."""
        before = self.replica
        self.replica, effect = receive(before, message)
        if effect is Effect.IGNORED:
            assert before is self.replica
        ruleset = self.replica.ruleset
        if ruleset is not None:
            self.held = {place: until for place, until in self.held.items() if place[1] not in ruleset.reconciled}

    @invariant()
    def holds_exactly_what_is_neither_reconciled_nor_over(self) -> None:
        """No delta, snapshot or kill event that does not name it ends a break-glass kill; its time and its name do."""
        held = {(kill.flag, kill.id): kill.until_s for kill in self.replica.emergencies.values()}
        assert self.held == held

    @invariant()
    def killed_are_the_held_and_those_of_numbered_kills(self) -> None:
        """A flag is killed for as long as any kill says so and not a moment longer, and its floor is above its time."""
        ruleset = self.replica.ruleset
        for key in () if ruleset is None else ruleset.records:
            found = ruleset and ruleset.flag(key)
            assert ruleset
            assert found
            is_held = any(place[0] == found.id for place in self.held)
            is_numbered = found.record.killed or any(kill.flag == found.id for kill in self.replica.kills.values())
            assert (is_held or is_numbered) is found.is_killed
            if is_held:
                assert Reason.KILLED is found.answer("u", {}, {}).reason
                assert found.floor > ruleset.revision

    @invariant()
    def what_needs_a_killed_flag_is_off(self) -> None:
        """A break-glass kill closes dependents, and voids what was carried for them."""
        ruleset = self.replica.ruleset
        needed, needing = (None, None) if ruleset is None else (ruleset.flag("b"), ruleset.flag("c"))
        if needed is not None and needing is not None and needed.is_killed:
            assert "off" == needing.answer("u", {}, {}).variant
            assert needing.floor >= needed.floor


Following.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
TestFollowing = Following.TestCase


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_order_does_not_matter_once_all_have_arrived(data: st.DataObject) -> None:
    """Two deliveries of the same messages in any two orders, clocks between them and all, end in the same replica."""
    states = [FIRST]
    for edit in data.draw(st.lists(EDITS, max_size=6)):
        states.append(edited(states[-1], edit))
    messages: list[Message] = [*data.draw(st.lists(GLASSES, min_size=1, max_size=5)), *states]
    messages += [delta_between(states, at, at + 1) for at in range(len(states) - 1)]
    messages += [Kill(7, 1, id_, state.revision) for state in states for id_ in range(3) if state.revision % 3 == 0]
    now_s = data.draw(st.integers(0, 21))
    ends = []
    for _ in range(2):
        replica = EMPTY
        for message in data.draw(st.permutations(messages)):
            replica, _ = receive(replica, message)
            if data.draw(st.integers(0, 3)) == 0:
                replica = expired(replica, data.draw(st.integers(0, now_s)))
        ends.append(view(expired(replica, now_s)))
    assert ends[0] == ends[1]


def test_expired_gives_the_same_replica_where_nothing_ends() -> None:
    """Who is told the time every second swaps no ruleset for it."""
    replica, _ = receive(EMPTY, FIRST)
    assert replica is expired(replica, 10**10)
    held, _ = receive(replica, BreakGlass(7, 0, "bg-1", 20))
    assert held is expired(held, 19)
    assert expired(held, 20).ruleset is not held.ruleset
