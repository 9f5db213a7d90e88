"""`Client.for_unit`: the typed calls with the unit said once; several units in one request."""

from collections.abc import Iterator
from typing import Any

import pytest

import pennon
from pennon.ambient import entered
from pennon.client import Client, UnitFlags, answering
from pennon.context import LEDGER_LIMIT_COUNT, ErrorCode, Unit
from pennon.flags import FlagType, Ruleset, bucket_of

KINDS = ("user", "account", "device")


@pytest.fixture
def client(make: Any) -> Iterator[Client]:
    """A client of one flag of each type, of rules, and of a split for each kind of unit."""
    flags = [
        make.flag("boolean", id=1),
        make.valued("string", FlagType.STRING, "blue", id=2),
        make.valued("integer", FlagType.INTEGER, 7, id=3),
        make.valued("float", FlagType.FLOAT, 0.5, id=4),
        make.valued("json", FlagType.JSON, {"a": [1]}, id=5),
        make.flag("ruled", id=6, serve="off", rules=(make.rule("plan", "pro", "on"),)),
        *(make.split(f"of-{kind}", id=10 + at, unit=kind) for at, kind in enumerate(KINDS)),
    ]
    with answering(Ruleset.of(make.ruleset(*flags, revision=5))), pennon.connect() as client:
        yield client


def asked(flags: UnitFlags) -> list[Any]:
    """Every typed call, on a flag of its type."""
    return [
        flags.is_on("boolean"),
        flags.string("string", default=""),
        flags.integer("integer", default=0),
        flags.float("float", default=0.0),
        flags.json("json", default=None),
    ]


@pytest.mark.parametrize("unit", ["u", 7, Unit("user", "u"), Unit("account", "a"), "", None, object()])
def test_unit_flags_answer_what_the_client_answers(client: Client, make: Any, unit: Any) -> None:
    """Value and type, outside a request and in one."""
    values = [True, "blue", 7, 0.5, {"a": [1]}]
    flags = client.for_unit(unit)
    outside = asked(flags)
    with entered(make.request({"user": "v"})):
        within = asked(flags)
    assert [values, values] == [outside, within]
    assert list(map(type, values)) == list(map(type, outside)) == list(map(type, within))


def test_unit_flags_answer_the_default_on_trouble(client: Client) -> None:
    """The one that was passed."""
    flags = client.for_unit("u")
    assert [True, "x", 5, 1.5, {}] == [
        flags.is_on("none", default=True),
        flags.string("none", default="x"),
        flags.integer("none", default=5),
        flags.float("none", default=1.5),
        flags.json("none", default={}),
    ]


def test_attributes_of_a_call_lie_over_those_of_the_unit(client: Client) -> None:
    """One that is named in both is the call's, the others stay."""
    free, pro = client.for_unit("u", {"plan": "free"}), client.for_unit("u", {"plan": "pro"})
    assert [False, True, True, True, False] == [
        free.is_on("ruled"),
        pro.is_on("ruled"),
        free.is_on("ruled", attributes={"plan": "pro"}),
        pro.is_on("ruled", attributes={"country": "de"}),
        client.for_unit("u").is_on("ruled", attributes={}),
    ]


@pytest.mark.parametrize("hostile", [5, "text", [1]])
def test_attributes_that_are_no_mapping_raise_nothing(client: Client, hostile: Any) -> None:
    """Given to the unit, to a call, or to both."""
    flags = [client.for_unit("u", hostile), client.for_unit("u", {"plan": "pro"})]
    for each in flags:
        assert each.is_on("boolean", attributes=hostile, default=True)
        assert not each.is_on("ruled", attributes=hostile, default=False)
        assert isinstance(each.peek("ruled", attributes=hostile), pennon.Evaluation)


def test_decision_and_peek_are_about_the_unit(client: Client) -> None:
    """And of the type that is asked for."""
    flags = client.for_unit(Unit("account", "a"))
    for call in (flags.decision, flags.peek):
        assert Unit("account", "a") == call("of-account").unit
        assert ErrorCode.TARGETING_KEY_MISSING is call("of-user").error
        assert ErrorCode.TYPE_MISMATCH is call("of-account", type=FlagType.STRING).error


def test_fan_out_decides_for_each_follower_alone(client: Client, make: Any) -> None:
    """Nothing of the author's: neither the attributes nor the decision."""
    followers = [f"follower-{at}" for at in range(50)]
    with entered(make.request({"user": "author"}, {"plan": "pro"})) as context:
        author = client.is_on("ruled"), client.is_on("of-user")
        answers = [client.for_unit(each).is_on("ruled") for each in followers]
        splits = [client.for_unit(each).is_on("of-user") for each in followers]
    assert (True, bucket_of("m3-cbor", "salt", "author") < 50_000) == author
    assert [False] * 50 == answers
    assert [bucket_of("m3-cbor", "salt", each) < 50_000 for each in followers] == splits
    assert {"author", *followers} == {decision.unit_key for decision in context.ledger.made.values()}


def test_fan_out_beyond_the_ledger_is_answered_all_the_same(client: Client, make: Any) -> None:
    """The ledger is bounded, the answers are not."""
    followers = [f"follower-{at}" for at in range(LEDGER_LIMIT_COUNT + 20)]
    with entered(make.request({"user": "author"})) as context:
        splits = [client.for_unit(each).is_on("of-user") for each in followers]
    assert [bucket_of("m3-cbor", "salt", each) < 50_000 for each in followers] == splits
    assert LEDGER_LIMIT_COUNT == len(context.ledger.made)


def test_request_has_a_unit_of_each_kind(client: Client, make: Any) -> None:
    """Each flag takes that of its own kind; the same key of another kind is somebody else."""
    units = {"user": "7", "account": "7", "device": "d"}
    with entered(make.request(units)) as context:
        found = {kind: client.decision(f"of-{kind}").unit for kind in KINDS}
        other = client.for_unit(Unit("account", "8")).decision("of-account").unit
    assert {kind: Unit(kind, key) for kind, key in units.items()} == found
    assert Unit("account", "8") == other
    places = {(d.scope.unit_kind, d.unit_key) for d in context.ledger.made.values()}
    assert {("user", "7"), ("account", "7"), ("device", "d"), ("account", "8")} == places


def test_unit_flags_say_whose_they_are(client: Client) -> None:
    """For people."""
    assert "<pennon.client.UnitFlags for 'u'>" == repr(client.for_unit("u"))
