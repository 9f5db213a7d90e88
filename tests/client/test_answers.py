"""What the typed calls answer, outside a request: values, defaults, and never an exception."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pennon
from pennon.client import Client, answering
from pennon.context import ErrorCode, Reason, Unit
from pennon.counters import Count, samples
from pennon.flags import FlagType, Ruleset, SegmentClause


@pytest.fixture
def client(make: Any) -> Iterator[Client]:
    """A client of one flag of each type, and a few with rules and splits."""
    rules = (make.rule("plan", "pro", "on"),)
    flags = [
        make.flag("boolean", id=1),
        make.valued("string", FlagType.STRING, "blue", id=2),
        make.valued("integer", FlagType.INTEGER, 7, id=3),
        make.valued("float", FlagType.FLOAT, 0.5, id=4),
        make.valued("whole", FlagType.FLOAT, 2, id=5),
        make.valued("json", FlagType.JSON, {"a": [1]}, id=6),
        make.valued("nothing", FlagType.JSON, None, id=7),
        make.valued("truth", FlagType.JSON, *[True], id=8),
        make.flag("ruled", id=9, serve="off", rules=rules),
        make.split("split", id=10),
        make.split("of-accounts", id=11, unit="account"),
        make.flag("broken", id=12, serve="no-such-variant"),
        make.flag("off", id=13, on=False),
        make.flag("killed", id=14, killed=True, revision=3),
    ]
    with answering(Ruleset.of(make.ruleset(*flags, revision=5))), pennon.connect() as client:
        yield client


def errors(code: ErrorCode) -> int:
    """How many errors of a code were counted."""
    return sum(s.total for s in samples() if s.name is Count.EVALUATION_ERRORS and s.cause == code.value)


CALLS: dict[str, tuple[str, Any, Any]] = {
    # call: (flag of its type, its value, a default that is another)
    "is_on": ("boolean", True, False),
    "string": ("string", "blue", "default"),
    "integer": ("integer", 7, -1),
    "float": ("float", 0.5, -1.5),
    "json": ("json", {"a": [1]}, "default"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("unit", ["u", "", None, 7, Unit("user", "u"), Unit("account", "a")])
def test_call_answers_the_flag_of_its_type(client: Client, call: str, unit: Any) -> None:
    """Whatever the unit, and the second time as the first."""
    flag, value, default = CALLS[call]
    for _ in range(3):
        found = getattr(client, call)(flag, unit=unit, default=default)
        assert (value, type(value)) == (found, type(found))


@pytest.mark.parametrize("call", CALLS)
def test_call_answers_the_default_for_every_other_type(client: Client, call: str) -> None:
    """A boolean is no integer, and JSON that happens to be a boolean is JSON."""
    _, _, default = CALLS[call]
    flags = {"boolean", "string", "integer", "float", "json", "truth"}
    good = {"is_on": {"boolean"}, "float": {"float", "integer"}, "json": {"json", "truth"}}.get(call, {call})
    for flag in sorted(flags - good):
        for _ in range(3):
            before = errors(ErrorCode.TYPE_MISMATCH)
            assert default == getattr(client, call)(flag, unit="u", default=default)
            assert before + 1 == errors(ErrorCode.TYPE_MISMATCH)


def test_integer_is_accepted_as_a_float(client: Client) -> None:
    """And comes as a float; so does a float flag's value that is written without a point."""
    for flag, value in (("integer", 7.0), ("whole", 2.0)):
        found = client.float(flag, unit="u", default=0.0)
        assert (value, float) == (found, type(found))


def test_json_null_is_a_value_and_not_the_default(client: Client) -> None:
    """None is what the author wrote."""
    assert client.json("nothing", default="default") is None


def test_json_value_is_the_callers_own(client: Client) -> None:
    """Editing it edits nobody else's."""
    found: Any = client.json("json", default=None)
    found["a"].append(2)
    client.decision("json").value["a"].append(3)
    assert {"a": [1]} == client.json("json", default=None) == client.peek("json").value


@pytest.mark.parametrize(
    ("flag", "unit", "error"),
    [
        ("unknown", "u", ErrorCode.FLAG_NOT_FOUND),
        ("split", None, ErrorCode.TARGETING_KEY_MISSING),
        ("split", "", ErrorCode.TARGETING_KEY_MISSING),
        ("split", 1.5, ErrorCode.TARGETING_KEY_MISSING),
        ("split", True, ErrorCode.TARGETING_KEY_MISSING),
        ("split", Unit("account", "a"), ErrorCode.TARGETING_KEY_MISSING),
        ("of-accounts", "u", ErrorCode.TARGETING_KEY_MISSING),
        ("broken", "u", ErrorCode.PARSE_ERROR),
    ],
)
def test_trouble_is_the_default_and_a_reason(client: Client, flag: str, unit: Any, error: ErrorCode) -> None:
    """Default, ERROR, code, and counted; for both defaults, so that it is the caller's."""
    before = errors(error)
    assert [True, False] == [client.is_on(flag, unit=unit, default=default) for default in (True, False)]
    evaluation = client.decision(flag, unit=unit)
    assert (None, None, Reason.ERROR, error) == (
        evaluation.value,
        evaluation.variant,
        evaluation.reason,
        evaluation.error,
    )
    assert before + 3 == errors(error)


def test_unit_of_another_kind_is_another_unit(client: Client) -> None:
    """`user` 7 is not `account` 7, and an integer is written in decimal."""
    accounts = [client.decision("of-accounts", unit=Unit("account", str(key))).value for key in range(64)]
    users = [client.decision("split", unit=key).value for key in range(64)]
    assert [client.decision("split", unit=str(key)).value for key in range(64)] == users
    assert {True, False} == set(accounts) == set(users)


def test_segment_of_the_flags_own_kind_is_asked_on_the_shortest_path(make: Any) -> None:
    """The shortest path hands no units by kind over: a segment of the flag's kind must not need them."""
    from pennon.flags import RuleRecord, RulesetRecord, SegmentRecord, ServeRecord, member_hash

    rule = RuleRecord("r1", (SegmentClause("beta"),), ServeRecord("on"))
    flag = make.flag("checkout", serve="off", rules=(rule,))
    beta = SegmentRecord("beta", "user", "salt", (member_hash("salt", "u"),))
    record = RulesetRecord(make.ENVIRONMENT, 1, 1, flags={"checkout": flag}, segments={"beta": beta})
    with answering(Ruleset.of(record)), pennon.connect() as client:
        assert [True, True] == [client.is_on("checkout", unit="u") for _ in range(2)]
        assert [False, False] == [client.is_on("checkout", unit="v") for _ in range(2)]


@pytest.mark.parametrize(
    ("flag", "reason", "variant"),
    [
        ("boolean", Reason.STATIC, "on"),
        ("ruled", Reason.DEFAULT, "off"),
        ("split", Reason.SPLIT, None),
        ("off", Reason.DISABLED, "off"),
        ("killed", Reason.KILLED, "off"),
    ],
)
def test_decision_says_its_reason(client: Client, flag: str, reason: Reason, variant: str | None) -> None:
    """What the engine says is what is said."""
    evaluation = client.decision(flag, unit="u")
    assert (reason, variant or evaluation.variant) == (evaluation.reason, evaluation.variant)
    assert Unit("user", "u") == evaluation.unit


def test_attributes_choose_the_rule(client: Client) -> None:
    """On both paths."""
    for _ in range(3):
        assert client.is_on("ruled", unit="u", attributes={"plan": "pro"})
        assert not client.is_on("ruled", unit="u", attributes={"plan": "free"})
    assert "r1" == client.decision("ruled", unit="u", attributes={"plan": "pro"}).rule


def test_decision_of_a_type_that_is_needed_is_an_error_otherwise(client: Client) -> None:
    """`type` makes `decision` as strict as the typed calls."""
    assert ErrorCode.TYPE_MISMATCH is client.decision("boolean", type=FlagType.STRING).error
    assert 7.0 == client.decision("integer", type=FlagType.FLOAT).value


class Hostile(Mapping[str, Any]):
    """A mapping that raises whatever is done with it."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no")

    def __len__(self) -> int:
        raise RuntimeError("no")


class Unequal:
    """A unit that cannot be compared, hashed or written."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


ANYTHING: list[Any] = [
    None,
    0,
    -1,
    1.5,
    float("nan"),
    True,
    b"x",
    [],
    {},
    object(),
    Unequal(),
    Hostile(),
    "\ud800",
    "",
    10**400,
]


@pytest.mark.parametrize("is_in_request", [False, True])
def test_no_argument_whatever_raises(client: Client, make: Any, is_in_request: bool) -> None:
    """Any flag, unit and attributes, in a request or outside: a value of the call's type, or the default."""
    from pennon.ambient import CURRENT

    token = CURRENT.set(make.request({"user": "u"}, {"plan": "pro"})) if is_in_request else None
    try:
        for call, (good, value, default) in CALLS.items():
            ask: Callable[..., Any] = getattr(client, call)
            for odd in ANYTHING:
                assert ask(odd, default=default) is default
                for flag in (good, "ruled", "split"):
                    assert ask(flag, unit=odd, attributes=odd, default=default) in (value, True, default)
        for odd in ANYTHING:
            client.decision(odd, unit=odd, attributes=odd).explain()
            client.peek("ruled", unit=odd, attributes=odd).explain()
    finally:
        if token is not None:
            CURRENT.reset(token)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4)


@given(unit=st.none() | st.text() | st.integers(), attributes=st.dictionaries(st.text(), JSON))
def test_paths_agree(unit: Any, attributes: dict[str, Any]) -> None:
    """The first ask takes the long way, later ones the shortest: they say the same for any unit and attributes."""
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
    split = SplitRecord("m3-cbor", "s", 1, ranges_of((("on", 50_000), ("off", 50_000)), 100_000), "off")
    rule = RuleRecord("r", (EqualsClause("plan", "pro"),), ServeRecord("on"))
    flag = FlagRecord("f", 1, FlagType.BOOLEAN, variants, "off", ServeRecord(split=split), rules=(rule,))
    record = RulesetRecord(Environment(1, "e", "s"), 1, 1, flags={"f": flag})
    with answering(Ruleset.of(record)), pennon.connect() as client:
        expected = client.decision("f", unit=unit, attributes=attributes).value
        asked = [client.is_on("f", unit=unit, attributes=attributes, default=False) for _ in range(3)]
    assert [bool(expected)] * 3 == asked
