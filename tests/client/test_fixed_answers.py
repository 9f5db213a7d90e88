"""`pennon.testing.flags`: fixed answers for the tests of others."""

from collections.abc import Callable
from typing import Any

import pytest

import pennon
from pennon.ambient import entered
from pennon.client import Client, Status
from pennon.context import RequestId, SpanId, TraceId
from pennon.errors import SettingInvalid
from pennon.testing import FixedFlag

Connect = Callable[..., Client]
ALLOWED = "bool, str, int, float, or dict, list and None as in JSON"


def test_client_made_in_the_block_answers_from_it_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No url, no token, no network."""
    monkeypatch.delenv("PENNON_SERVER", raising=False)
    monkeypatch.delenv("PENNON_TOKEN", raising=False)
    values: dict[str, Any] = {"b": True, "s": "blue", "i": 7, "f": 0.5, "j": {"a": [1]}, "n": None, "off": False}
    with pennon.testing.flags(values), pennon.connect() as client:
        assert client.wait_ready(0)
        assert [Status.READY, True, "blue", 7, 0.5, {"a": [1]}, None, False] == [
            client.status,
            client.is_on("b"),
            client.string("s", default=""),
            client.integer("i", default=0),
            client.float("f", default=0),
            client.json("j", default=0),
            client.json("n", default=0),
            client.is_on("off", default=True),
        ]


def test_existing_client_answers_from_the_block_and_then_as_before(server: Any, connect: Connect, make: Any) -> None:
    """Changes that come meanwhile are there at its end."""
    client = connect()
    server.accept().send(make.ruleset(make.flag()))
    assert client.wait_ready(60)
    asked = [client.is_on("checkout", unit="u")]
    with pennon.testing.flags({"checkout": False}):
        asked += [client.is_on("checkout", unit="u", default=True) for _ in range(3)]
    asked += [client.is_on("checkout", unit="u") for _ in range(3)]
    assert [True, False, False, False, True, True, True] == asked


def test_client_made_in_the_block_connects_at_its_end(server: Any, make: Any) -> None:
    """A module-level client that a first test imports is good for the next test as well."""
    with pennon.testing.flags({"checkout": True}):
        client = pennon.connect(server.url, token="t")
        assert client.is_on("checkout")
        assert server.has_no_stream()
    assert Status.NOT_READY is client.status
    server.accept().send(make.ruleset(make.flag()))
    assert client.wait_ready(60)
    client.close()


def test_closed_client_stays_closed() -> None:
    """A block does not wake it."""
    with pennon.testing.flags({"a": True}):
        client = pennon.connect()
        client.close()
        with pennon.testing.flags({"a": True}):
            assert (Status.CLOSED, False) == (client.status, client.is_on("a"))


def test_blocks_nest_and_restore() -> None:
    """The innermost alone answers; its end, by exception too, brings the one outside back."""
    with pennon.testing.flags({"a": 1, "b": 1}), pennon.connect() as client:

        def asked() -> list[int]:
            return [client.integer(key, default=0) for key in ("a", "b")]

        seen = [asked()]
        with pennon.testing.flags({"a": 2}):
            seen.append(asked())
        seen.append(asked())
        with pytest.raises(ZeroDivisionError), pennon.testing.flags({"a": 2}):
            seen.append([1 // 0])
        seen.append(asked())
    assert [[1, 1], [2, 0], [1, 1], [1, 1]] == seen


def test_blocks_in_one_request_do_not_mix() -> None:
    """The ledger's first decision of one block is not the next block's."""
    from pennon.context import Identity, Ledger, RequestContext, Trace

    context = RequestContext(
        Trace(TraceId("0" * 31 + "1"), SpanId("0" * 15 + "1"), None, 0, ""),
        RequestId("r"),
        Ledger(),
        identity=Identity(units={"user": "u"}),
    )
    with entered(context), pennon.testing.flags({}), pennon.connect() as client:
        seen = []
        for value in (1, 2):
            with pennon.testing.flags({"a": value}):
                seen += [client.integer("a", default=0) for _ in range(2)]
    assert [1, 1, 2, 2] == seen


def test_unknown_flag_is_the_default() -> None:
    """What is not named is not there."""
    with pennon.testing.flags({}), pennon.connect() as client:
        assert client.is_on("checkout", default=True)
        assert pennon.ErrorCode.FLAG_NOT_FOUND is client.decision("checkout").error


def test_flag_of_a_block_needs_others() -> None:
    """It answers `off` where one of them answers something else: for a boolean False, for others what is named."""
    for value, expected in ((True, [True, "new", 1]), (False, [False, "old", 1])):
        fixed: dict[str, Any] = {
            "base": value,
            "on-top": FixedFlag(value=True, prerequisites={"base": True}),
            "page": FixedFlag("new", off="old", prerequisites={"on-top": True}),
            "count": FixedFlag(1, prerequisites={"base": value}, off=2),
        }
        with pennon.testing.flags(fixed), pennon.connect() as client:
            asked = [
                client.is_on("on-top"),
                client.string("page", default=""),
                client.integer("count", default=0),
            ]
        assert expected == asked


def test_flag_of_a_block_says_what_authors_say() -> None:
    """Who decides, what testers may set, how old a carried decision may be."""
    fixed = FixedFlag(value=True, overridable=True, at="publish", carry_max_age_s=60)
    with pennon.testing.flags({"a": fixed, "b": True}), pennon.connect() as client:
        ruleset = client._state.live.ruleset
        assert ruleset is not None
        record = ruleset.records["a"]
        assert (True, "publish", 60, ("a",)) == (
            record.overridable, record.at, record.carry_max_age_s, ruleset.published
        )  # fmt: skip


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (FixedFlag({1}), f"a: {{1}} is of type set; must be {ALLOWED}"),
        (FixedFlag("x", off=1), "a/off: 1 is integer; must be string, as the value is"),
        (FixedFlag("x", off=b"y"), f"a/off: b'y' is of type bytes; must be {ALLOWED}"),
        (
            FixedFlag("x", prerequisites={"b": True}),
            "a/off: is missing; must be what it answers where a prerequisite does not hold",
        ),
        (FixedFlag(value=True, prerequisites={"none": True}), "a/prerequisites: 'none' is no flag of this block"),
        (FixedFlag(value=True, prerequisites={"b": 1}), "a/prerequisites/b: 1 is no value of that flag"),
        (FixedFlag(value=True, at="never"), "a/at: 'never' must be 'consume' or 'publish'"),
        (
            FixedFlag(value=True, carry_max_age_s=0),
            "a/carry_max_age_s: 0 must be a whole number of seconds, at least 1",
        ),
    ],
)
def test_flag_that_cannot_be_is_named_early(flag: FixedFlag, message: str) -> None:
    """As its value is."""
    with pytest.raises(SettingInvalid) as invalid, pennon.testing.flags({"a": flag, "b": True}):
        pass
    assert message == str(invalid.value)


def test_circle_of_prerequisites_is_named_early() -> None:
    """Not as a default that nobody asked for."""
    fixed = {
        "a": FixedFlag(value=True, prerequisites={"b": True}),
        "b": FixedFlag(value=True, prerequisites={"a": True}),
    }
    with pytest.raises(SettingInvalid, match="circle"), pennon.testing.flags(fixed):
        pass


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": {1}}, f"a: {{1}} is of type set; must be {ALLOWED}"),
        ({"a": b"x"}, f"a: b'x' is of type bytes; must be {ALLOWED}"),
        ({"a": [{1}]}, f"a: [{{1}}] holds what is not JSON; must be {ALLOWED}"),
        ({"a": {1: 2}}, f"a: {{1: 2}} holds what is not JSON; must be {ALLOWED}"),
        ({"a": float("nan")}, f"a: nan holds what is not JSON; must be {ALLOWED}"),
        ({"a": "\ud800"}, f"a: '\\ud800' holds what is not JSON; must be {ALLOWED}"),
        ({"A": True}, "'A' is not a flag key; it must match [a-z0-9][a-z0-9._-]{0,63}"),
        ({7: True}, "7 is not a flag key; it must match [a-z0-9][a-z0-9._-]{0,63}"),
    ],
)
def test_value_that_no_flag_has_is_named_early(values: Any, message: str) -> None:
    """At the block, not at the default that a call would quietly answer."""
    with pytest.raises(SettingInvalid) as invalid, pennon.testing.flags(values):
        pass
    assert message == str(invalid.value)


def test_every_fault_is_named() -> None:
    """Not the first alone; nothing begins."""
    with pytest.raises(SettingInvalid) as invalid, pennon.testing.flags({"a": {1}, "b": object(), "c": [{1}]}):
        pass
    assert ["a", "b", "c"] == [fault.path for fault in invalid.value.faults]


def test_nothing_of_a_block_travels_or_is_exposed(make: Any) -> None:
    """Fixed answers are nobody's decisions."""
    with pennon.testing.flags({"a": True}), pennon.connect() as client, entered(make.request({"user": "u"})) as context:
        client.is_on("a")
        (decision,) = context.ledger.made.values()
        assert not decision.scope.carry
