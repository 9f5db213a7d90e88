"""Flags that need others: answered through the ledger in a request, by themselves outside one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pennon
from pennon.ambient import entered
from pennon.client import Client, answering
from pennon.context import Origin, Reason, Unit
from pennon.flags import PrerequisiteRecord, Ruleset, bucket_of


def needs(flag: str, *variants: str) -> tuple[PrerequisiteRecord, ...]:
    """That flag must answer one of these."""
    return (PrerequisiteRecord(flag, variants or ("on",)),)


@pytest.fixture
def rules(make: Any) -> Callable[..., Ruleset]:
    """Makes rulesets: a chain of three, and one that hangs on another kind of unit."""

    def build(*, base: str = "on") -> Ruleset:
        flags = [
            make.flag("base", id=10, serve=base, carry=True, exposes=True),
            make.flag("middle", id=11, prerequisites=needs("base")),
            make.flag("top", id=12, prerequisites=needs("middle")),
            make.split("by-account", id=13, unit="account", exposes=True),
            make.flag("for-accounts", id=14, prerequisites=needs("by-account")),
        ]
        return Ruleset.of(make.ruleset(*flags, revision=9))

    return build


@pytest.fixture
def client() -> Iterator[Client]:
    """A client that answers from the blocks of the test."""
    with pennon.testing.flags({}), pennon.connect() as client:
        yield client


@pytest.mark.parametrize("base", ["on", "off"])
def test_flag_follows_what_it_needs(client: Client, rules: Any, make: Any, base: str) -> None:
    """Outside a request and in one, directly and at one remove; asked again as the first time."""
    with answering(rules(base=base)):
        outside = [client.is_on(flag, unit="u", default=base == "off") for flag in ("middle", "top") * 2]
        with entered(make.request({"user": "u"})):
            within = [client.is_on(flag, default=base == "off") for flag in ("middle", "top") * 2]
    assert [base == "on"] * 4 == outside == within


def test_flag_follows_what_was_decided_about_what_it_needs(client: Client, rules: Any, make: Any) -> None:
    """The flag has changed since: whoever asks first about the other decides for both."""
    with entered(make.request({"user": "u"})):
        with answering(rules(base="on")):
            assert client.is_on("base")
        with answering(rules(base="off")):
            assert [True, True] == [client.is_on("middle"), client.is_on("top")]
            assert not client.is_on("top", unit="v")


def test_flag_follows_what_arrived_about_what_it_needs(client: Client, rules: Any, make: Any) -> None:
    """A decision upstream is one of this request."""
    context = make.request({"user": "u"})
    make.arrived(context, flag_id=10, variant_id=2)
    with answering(rules()), entered(context):
        assert [False, False] == [client.is_on("top"), client.is_on("middle")]
        assert Reason.DISABLED is client.decision("top").reason


def test_what_is_needed_is_neither_decided_nor_exposed(client: Client, rules: Any, make: Any) -> None:
    """The code has branched by the one flag alone."""
    with answering(rules()), entered(make.request({"user": "u"})) as context:
        assert client.is_on("top")
        assert ["top"] == [decision.answer.flag for decision in context.ledger.made.values()]


def test_flag_may_need_one_of_another_kind_of_unit(client: Client, rules: Any, make: Any) -> None:
    """Which the request has; somebody else's account is not known."""
    accounts = {key: bucket_of("m3-cbor", "salt", key) < 50_000 for key in map(str, range(10))}
    assert {True, False} == set(accounts.values())
    with answering(rules()):
        for account, is_on in accounts.items():
            with entered(make.request({"user": "u", "account": account})):
                assert is_on is client.is_on("for-accounts")
                assert not client.is_on("for-accounts", unit="v")
                assert not client.is_on("for-accounts", unit=Unit("user", "v"))


@pytest.mark.parametrize("killed_id", [10, 11])
def test_kill_of_what_is_needed_is_seen_at_the_next_use(client: Client, rules: Any, make: Any, killed_id: int) -> None:
    """In mid-request, at every remove, also where the answer was asked for before."""
    alive = rules()
    with entered(make.request({"user": "u"})):
        with answering(alive):
            assert [True, True, True] == [client.is_on("top") for _ in range(3)]
        with answering(alive.with_kills({killed_id: 10})):
            assert [False, False] == [client.is_on("top") for _ in range(2)]
            assert Origin.OFF is client.decision("top").origin


def test_flag_that_needs_others_never_takes_the_shortest_path(client: Client, rules: Any, make: Any) -> None:
    """It does not know the ledger's answers to other flags."""
    with answering(rules()), entered(make.request({"user": "u"})):
        for _ in range(3):
            client.is_on("top")
            client.is_on("base")
        assert [] == list(client._state.live.within)
