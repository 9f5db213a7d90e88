"""Whatever a network does to the change stream, the replica ends where the last snapshot says; no kill is un-seen."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from pennon.context import Environment, Reason
from pennon.flags import FlagRecord, FlagType, Ruleset, RulesetRecord, ServeRecord, VariantRecord
from pennon.sync import EMPTY, Delete, Delta, Effect, Kill, Message, Put, Replica, receive

ENVIRONMENT = Environment(7, "production", "salt")
VARIANTS = (VariantRecord("on", 1, value=True), VariantRecord("off", 2, value=False))
KEYS = ("a", "b", "c", "d")
Flags = dict[str, FlagRecord]


@dataclass(frozen=True)
class History:
    """What a server published: the flags at each revision of each epoch, and the kills among its edits."""

    states: dict[tuple[int, int], Flags]
    kills: tuple[Kill, ...]

    def snapshot(self, at: tuple[int, int]) -> RulesetRecord:
        return RulesetRecord(ENVIRONMENT, *at, flags=self.states[at])

    def delta(self, epoch: int, start: int, end: int) -> Delta:
        """All that was touched on the way, also what came and went: a reader may stand anywhere between."""
        states = [self.states[epoch, revision] for revision in range(start, end + 1)]
        after = states[-1]
        known = {key for flags in states for key in flags}
        put = {key: flag for key, flag in after.items() if states[0].get(key) != flag}
        return Delta(7, epoch, start, end, Put(flags=put), Delete(flags=tuple(known - after.keys())))

    @property
    def last(self) -> tuple[int, int]:
        return max(self.states)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """A few epochs of edits: put, delete, kill, unkill."""
    states: dict[tuple[int, int], Flags] = {}
    kills: list[Kill] = []
    flags: Flags = {}
    for epoch in range(1, draw(st.integers(1, 3)) + 1):
        revision = draw(st.integers(0, 3))
        states[epoch, revision] = flags
        for edit, key in draw(st.lists(st.tuples(st.sampled_from("pdku"), st.sampled_from(KEYS)), max_size=6)):
            revision += 1
            flags = _edited(flags, edit, key, revision)
            if edit == "k" and key in flags:
                kills.append(Kill(7, epoch, flags[key].id, revision))
            states[epoch, revision] = flags
    return History(states, tuple(kills))


def _edited(flags: Flags, edit: str, key: str, revision: int) -> Flags:
    if edit == "d":
        return {k: flag for k, flag in flags.items() if k != key}
    if edit == "p" or key not in flags:
        return {**flags, key: _flag(key, revision, is_killed=False)}
    return {**flags, key: _flag(key, revision, is_killed=edit == "k")}


def _flag(key: str, revision: int, *, is_killed: bool) -> FlagRecord:
    # The ids are the keys': a flag that comes back is the same flag.
    return FlagRecord(
        key, KEYS.index(key), FlagType.BOOLEAN, VARIANTS, "off", ServeRecord("on"), revision=revision, killed=is_killed
    )


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[History, list[Message]]:
    """A history, and what of its stream arrives: any of it, in any order, as often as you like."""
    history = draw(histories())
    positions = sorted(history.states)
    spans = [(e, start, end) for e, start in positions for f, end in positions if e == f and start < end]
    messages: list[st.SearchStrategy[Message]] = [st.sampled_from(positions).map(history.snapshot)]
    if spans:
        messages.append(st.sampled_from(spans).map(lambda span: history.delta(*span)))
    if history.kills:
        messages.append(st.sampled_from(history.kills))
    return history, draw(st.lists(st.one_of(messages), max_size=12))


def _position(replica: Replica) -> tuple[int, int]:
    return (-1, -1) if replica.ruleset is None else (replica.ruleset.epoch, replica.ruleset.revision)


def _answers(ruleset: Ruleset) -> dict[str, tuple[object, Reason]]:
    answers = {}
    for key in ruleset.records:
        flag = ruleset.flag(key)
        assert flag is not None
        answer = flag.answer("u", {}, {})
        answers[key] = (answer.value, answer.reason)
    return answers


@settings(max_examples=200, deadline=None)
@given(deliveries())
def test_any_delivery_then_the_last_snapshot_ends_where_order_would(delivery: tuple[History, list[Message]]) -> None:
    """Lost, doubled and reordered messages leave no trace once the last snapshot is there."""
    history, messages = delivery
    replica = EMPTY
    for message in (*messages, history.snapshot(history.last)):
        replica, _ = receive(replica, message)
    in_order = Ruleset.of(history.snapshot(history.last))
    assert replica.ruleset is not None
    assert (in_order.epoch, in_order.revision) == _position(replica)
    assert dict(in_order.records) == dict(replica.ruleset.records)
    assert _answers(in_order) == _answers(replica.ruleset)
    assert () == replica.open_kills


@settings(max_examples=200, deadline=None)
@given(deliveries())
def test_replica_holds_what_was_published_at_its_position(delivery: tuple[History, list[Message]]) -> None:
    """It never goes back, and at each position its records are exactly that revision's."""
    history, messages = delivery
    replica = EMPTY
    for message in messages:
        before = replica
        replica, effect = receive(replica, message)
        assert _position(before) <= _position(replica)
        if replica.ruleset is not None:
            assert history.states[_position(replica)] == dict(replica.ruleset.records)
        if effect is Effect.IGNORED:
            assert before is replica


@settings(max_examples=200, deadline=None)
@given(deliveries())
def test_kill_that_was_seen_is_obeyed_until_a_revision_at_or_above_it(delivery: tuple[History, list[Message]]) -> None:
    """From the kill's event on, the flag serves its off variant while the replica stands before the kill."""
    _, messages = delivery
    replica, seen = EMPTY, set[Kill]()
    for message in messages:
        replica, _ = receive(replica, message)
        if isinstance(message, Kill):
            seen.add(message)
        open_ids = {kill.flag for kill in seen if (kill.epoch, kill.revision) > _position(replica)}
        assert open_ids == {kill.flag for kill in replica.open_kills}
        for key in () if replica.ruleset is None else replica.ruleset.records:
            flag = replica.ruleset and replica.ruleset.flag(key)
            assert flag
            if flag.id in open_ids:
                assert Reason.KILLED is flag.answer("u", {}, {}).reason


@settings(max_examples=200, deadline=None)
@given(deliveries())
def test_decision_made_before_a_kill_is_not_found_after_it(delivery: tuple[History, list[Message]]) -> None:
    """A kill always opens a new place in ledgers: what a flag answered before cannot be a hit after it."""
    _, messages = delivery
    replica = EMPTY
    alive: dict[str, set[str]] = {key: set() for key in KEYS}
    for message in messages:
        replica, _ = receive(replica, message)
        for key in () if replica.ruleset is None else replica.ruleset.records:
            flag = replica.ruleset and replica.ruleset.flag(key)
            assert flag
            if flag.id in {kill.flag for kill in replica.open_kills}:
                assert flag.scope.key not in alive[key]
            elif not flag.is_killed:
                alive[key].add(flag.scope.key)
