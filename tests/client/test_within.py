"""Answers within a request: the unit and attributes of the request, and one decision per flag and unit."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pennon
from pennon.ambient import CURRENT, entered
from pennon.carry import Note, decide, fingerprint_of
from pennon.client import Client, answering
from pennon.client.spans import Spans
from pennon.client.units import settled_within
from pennon.client.within import value_within
from pennon.context import (
    LEDGER_LIMIT_COUNT,
    Entry,
    Identity,
    Ledger,
    Origin,
    Reason,
    RequestContext,
    RequestId,
    SpanId,
    Trace,
    TraceId,
    Unit,
)
from pennon.flags import FlagType, Ruleset


@contextmanager
def client_of(make: Any, *flags: Any, revision: int = 9) -> Iterator[Client]:
    """A client of these flags."""
    with answering(Ruleset.of(make.ruleset(*flags, revision=revision))), pennon.connect() as client:
        yield client


def test_unit_and_attributes_left_out_are_the_requests(make: Any) -> None:
    """The door filled them in."""
    flag = make.flag(serve="off", rules=(make.rule("plan", "pro", "on"),))
    with client_of(make, flag) as client, entered(make.request({"user": "u"}, {"plan": "pro"})):
        assert [True, True] == [client.is_on("checkout") for _ in range(2)]
        assert Unit("user", "u") == client.decision("checkout").unit


def test_flag_is_asked_about_the_requests_unit_of_its_kind(make: Any) -> None:
    """A flag of accounts takes the account, also where a user was named who is the request's."""
    flag = make.split(unit="account")
    with client_of(make, flag) as client, entered(make.request({"user": "u", "account": "a"})):
        assert Unit("account", "a") == client.decision("checkout").unit
        assert Unit("account", "a") == client.decision("checkout", unit="u").unit
        assert None is client.decision("checkout", unit="v").unit


def test_given_attributes_lie_over_the_requests(make: Any) -> None:
    """For the request's own unit, named or not."""
    flag = make.flag(
        serve="off", rules=(make.rule("plan", "free", "off", "r1"), make.rule("country", "de", "on", "r2"))
    )
    asks: list[dict[str, Any]] = [
        {"attributes": {"plan": "pro"}},
        {"unit": "u", "attributes": {"plan": "pro"}},
        {"unit": Unit("user", "u"), "attributes": {"plan": "pro"}},
    ]
    for ask in asks:
        with client_of(make, flag) as client, entered(make.request({"user": "u"}, {"plan": "free", "country": "de"})):
            assert "r2" == client.decision("checkout", **ask).rule


def test_nothing_of_the_request_is_used_for_another_unit(make: Any) -> None:
    """A post fanned out to a follower is decided by the follower's attributes alone, and their other units."""
    flag = make.flag(serve="off", rules=(make.rule("plan", "pro", "on"),))
    with client_of(make, flag) as client, entered(make.request({"user": "author"}, {"plan": "pro"})):
        assert [True, False, False] == [client.is_on("checkout", unit=unit) for unit in (None, "follower", 7)]
        assert client.is_on("checkout", unit="follower-2", attributes={"plan": "pro"})


def test_first_decision_of_a_request_stands(make: Any) -> None:
    """Whatever attributes later asks bring, and whichever call asks."""
    flag = make.flag(serve="off", rules=(make.rule("plan", "pro", "on"),))
    with client_of(make, flag) as client, entered(make.request({"user": "u"})) as context:
        assert not client.is_on("checkout")
        assert not client.is_on("checkout", attributes={"plan": "pro"})
        assert not client.decision("checkout", attributes={"plan": "pro"}).value
        assert 1 == len(context.ledger.made)


def test_peek_enters_the_ledger(make: Any) -> None:
    """It decides like any other ask."""
    with client_of(make, make.split()) as client, entered(make.request({"user": "u"})) as context:
        client.peek("checkout")
        assert 1 == len(context.ledger.made)


def test_decision_without_a_unit_holds_in_its_request(make: Any) -> None:
    """Rules may look at attributes alone."""
    flag = make.flag(serve="off", rules=(make.rule("plan", "pro", "on"),))
    with client_of(make, flag) as client, entered(make.request()):
        assert [True, True] == [client.is_on("checkout", attributes=a) for a in ({"plan": "pro"}, {})]


def test_error_is_not_remembered(make: Any) -> None:
    """The next ask may have what was missing."""
    with client_of(make, make.split()) as client, entered(make.request()) as context:
        assert client.decision("checkout").error
        assert client.decision("checkout", unit="u").error is None
        assert [("u", None)[0]] == [decision.unit_key for decision in context.ledger.made.values()]


def carried(make: Any, origin: Origin, variant_id: int, *, revision: int = 9, unit: str = "u") -> RequestContext:
    """A request that arrived with a decision about flag 10."""
    context: RequestContext = make.request({"user": unit})
    fingerprint = fingerprint_of("salt", "user", unit)
    entry = Entry(7, 1, fingerprint, 29_000_000, 10, variant_id, origin, revision)
    context.ledger.arrived[7, 10] = (entry,)
    return context


@pytest.mark.parametrize("variant_id", [1, 2])
def test_carried_decision_is_the_answer(make: Any, variant_id: int) -> None:
    """The first ask as the second, whatever the flag says here."""
    with client_of(make, make.split()) as client, entered(carried(make, Origin.SPLIT, variant_id)):
        for _ in range(3):
            evaluation = client.decision("checkout")
            assert (variant_id == 1, Reason.CARRIED) == (evaluation.value, evaluation.reason)
            assert (variant_id == 1) is client.is_on("checkout")


def test_kill_beats_a_decision_made_earlier_in_the_request(make: Any) -> None:
    """Seen in mid-request: the next ask is the off variant, on the shortest path too."""
    alive = Ruleset.of(make.ruleset(make.flag(), revision=9))
    with pennon.testing.flags({}), pennon.connect() as client, entered(make.request({"user": "u"})):
        with answering(alive):
            assert [True, True] == [client.is_on("checkout") for _ in range(2)]
        with answering(alive.with_kills({10: 10})):
            assert [False, False] == [client.is_on("checkout") for _ in range(2)]
            assert Reason.KILLED is client.decision("checkout").reason


def test_sealed_request_is_no_request(make: Any) -> None:
    """After the door has closed, an ask without a unit has none, and nothing enters."""
    with client_of(make, make.split(), make.flag("static", id=11)) as client:
        context = make.request({"user": "u"})
        token = CURRENT.set(context)
        client.is_on("static")
        context.ledger.seal()
        assert client.decision("checkout").error is pennon.ErrorCode.TARGETING_KEY_MISSING
        assert [True, True] == [client.is_on("static", unit="other") for _ in range(2)]
        assert 1 == len(context.ledger.made)
        CURRENT.reset(token)


def test_units_of_a_request_are_bounded(make: Any) -> None:
    """Beyond the ledger's limit decisions are made, and not remembered."""
    with client_of(make, make.flag()) as client, entered(make.request({"user": "u"})) as context:
        answers = {client.is_on("checkout", unit=f"u{at}") for at in range(LEDGER_LIMIT_COUNT + 50)}
        assert ({True}, LEDGER_LIMIT_COUNT) == (answers, len(context.ledger.made))
        assert client.is_on("checkout")


def test_clients_shortest_path_is_taken(make: Any) -> None:
    """Or these tests would test the long way alone."""
    with client_of(make, make.flag()) as client, entered(make.request({"user": "u"})):
        assert not client._state.live.within
        client.is_on("checkout")
        assert ["checkout"] == list(client._state.live.within)


KEYS = st.sampled_from(["u", "v", "", "7"])
UNITS = st.none() | KEYS | st.just(7) | st.builds(Unit, st.sampled_from(["user", "account"]), KEYS)
ATTRIBUTES = st.none() | st.dictionaries(st.sampled_from(["plan", "country"]), st.sampled_from(["pro", "de", 1]))


class Still:
    """A clock that stands."""

    coarse_now_ns = 5


@given(
    units=st.dictionaries(st.sampled_from(["user", "account"]), st.sampled_from(["u", "v", "7"])),
    own=st.dictionaries(st.sampled_from(["plan", "country"]), st.sampled_from(["pro", "de"])),
    arrived=st.dictionaries(st.integers(1, 5), st.tuples(st.sampled_from(["u", "v"]), st.integers(1, 2))),
    was_cut=st.booleans(),
    asks=st.lists(st.tuples(st.sampled_from(["static", "ruled", "split", "of-accounts"]), UNITS, ATTRIBUTES)),
    sealed_after=st.integers(0, 8),
)
def test_shortest_path_says_what_carry_decides(
    units: dict[str, str],
    own: dict[str, str],
    arrived: dict[int, tuple[str, int]],
    was_cut: bool,
    asks: list[tuple[str, Any, Mapping[str, Any] | None]],
    sealed_after: int,
) -> None:
    """Value and ledger are those of `carry.decide`, ask by ask; where the short path declines it has done nothing."""
    ruleset = _ruleset()
    short, long = _context(units, own), _context(units, own)
    for context in (short, long):
        context.ledger.was_cut = was_cut
        for flag_id, (unit, variant_id) in arrived.items():
            kind = "account" if flag_id == 4 else "user"
            entry = Entry(1, 1, fingerprint_of("s", kind, unit), 29_000_000, flag_id, variant_id, Origin.SPLIT, 9)
            context.ledger.arrived[1, flag_id] = (entry,)
    paths = {
        key: value_within(flag, ruleset, Spans.REQUESTS, Still())
        for key in ruleset.records
        if (flag := ruleset.flag(key)) is not None
    }
    for at, (key, unit, attributes) in enumerate(asks):
        flag = ruleset.flag(key)
        assert flag is not None
        if at == sealed_after:
            short.ledger.seal()
            long.ledger.seal()
        settled = settled_within(long.identity, flag.unit_kind, unit, attributes)
        held = long.ledger.made.get((flag.scope.key, settled[0]))
        decision = held or decide(flag, ruleset, long.ledger, *settled, 5, _ignore)
        before = dict(short.ledger.made)
        value = paths[key](short, unit, attributes)
        if value is None:
            assert before == short.ledger.made
            decide(flag, ruleset, short.ledger, *settled, 5, _ignore)
        else:
            assert decision.answer.value is value
        assert long.ledger.made == short.ledger.made


def test_shortest_path_serves_hits_of_a_request_with_which_decisions_arrived(make: Any) -> None:
    """Where no span is recorded, the first use is judged; later ones and those of other flags need no judge."""
    flags = [make.flag(), make.flag("static", id=11), make.flag("other", id=12)]
    ruleset = Ruleset.of(make.ruleset(*flags, revision=9))
    with answering(ruleset), pennon.connect(spans=False) as client:
        with entered(make.request({"user": "u"})):
            for flag in flags:
                client.is_on(flag.key)
        context = carried(make, Origin.SPLIT, 2)
        paths = dict(client._state.live.within)
        with entered(context):
            assert [None, None] == [paths[key](context, None, None) for key in ("checkout", "other")]
            assert not client.is_on("checkout")
            assert [False, True] == [paths[key](context, None, None) for key in ("checkout", "other")]


def test_kill_that_a_response_brings_meanwhile_is_not_overlooked(make: Any) -> None:
    """It came between the look at what arrived and the entry, and so found nothing to take away."""
    ruleset = Ruleset.of(make.ruleset(make.split(), revision=9))
    flag = ruleset.flag("checkout")
    assert flag is not None
    context, original = make.request({"user": "u"}), flag.answer
    kill = Entry(7, 1, fingerprint_of("salt", "user", "u"), 29_000_000, 10, 2, Origin.KILL, 9)

    def answer(*asked: Any) -> Any:
        context.ledger.arrived[7, 10] = (kill,)
        return original(*asked)

    flag.answer = answer
    value = value_within(flag, ruleset, Spans.REQUESTS, Still())
    assert (None, {}) == (value(context, None, None), context.ledger.made)


def test_flags_path_is_made_once(make: Any) -> None:
    """Not at each request's first decision: making it costs more than deciding."""
    with client_of(make, make.flag()) as client:
        paths = []
        for _ in range(2):
            with entered(carried(make, Origin.SPLIT, 2)):
                client.is_on("checkout")
                paths.append(client._state.live.within["checkout"])
    assert paths[0] is paths[1]


def _ignore(note: Note) -> None:
    """What is counted is not looked at here."""


def _context(units: dict[str, str], attributes: dict[str, str]) -> RequestContext:
    return RequestContext(
        Trace(TraceId("0" * 31 + "1"), SpanId("0" * 15 + "1"), None, 0, ""),
        RequestId("r"),
        Ledger(),
        identity=Identity(None, None, units, attributes),
    )


def _ruleset() -> Ruleset:
    from pennon.context import Environment
    from pennon.flags import (
        EqualsClause,
        FlagRecord,
        RuleRecord,
        RulesetRecord,
        ServeRecord,
        SplitRecord,
        VariantRecord,
        ranges_of,
    )

    variants = (VariantRecord("on", 1, value=True), VariantRecord("off", 2, value=False))
    split = ServeRecord(
        split=SplitRecord("m3-cbor", "s", 1, ranges_of((("on", 50_000), ("off", 50_000)), 60_000), "off")
    )
    rule = RuleRecord("r", (EqualsClause("plan", "pro"), EqualsClause("country", "de")), ServeRecord("on"))
    boolean = (FlagType.BOOLEAN, variants, "off")
    flags = (
        FlagRecord("static", 1, *boolean, ServeRecord("on"), revision=3),
        FlagRecord("ruled", 2, *boolean, ServeRecord("off"), revision=4, rules=(rule,), void_before=6),
        FlagRecord("split", 3, *boolean, split, revision=5, carry=True),
        FlagRecord("of-accounts", 4, *boolean, split, unit="account", revision=5, carry=True),
    )
    return Ruleset.of(RulesetRecord(Environment(1, "e", "s"), 1, 9, flags={flag.key: flag for flag in flags}))
