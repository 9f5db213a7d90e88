"""Sinks: every exposure goes to each of them beside the server, at least once, and none holds up another."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

import pennon
from pennon.client import Client, Exposure, Timing
from pennon.client.exposures import Buffer
from pennon.client.waiting import LIMIT_COUNT, Lost
from pennon.context import Answer, Decision, Origin, Reason
from pennon.counters import Count, samples
from pennon.flags import Flag, Ruleset

TOKEN = "pn_sdk_test"


def counted(name: Count, cause: str = "") -> int:
    return sum(sample.total for sample in samples() if (sample.name, sample.cause) == (name, cause))


@pytest.fixture
def following(server: Any, make: Any, timing: Callable[..., Timing]) -> Callable[..., Client]:
    """Makes a client with these sinks and a split that exposes."""

    def follow(*sinks: Any) -> Client:
        client = pennon.connect(server.url, token=TOKEN, timing=timing(), sinks=sinks)
        server.accept().send(make.ruleset(make.split(exposes=True)))
        assert client.wait_ready(60)
        return client

    return follow


def decision(flag: Flag, unit_key: str) -> Decision:
    answer = Answer("checkout", value=True, variant="on", variant_id=1, reason=Reason.SPLIT, origin=Origin.SPLIT,
                    rule=None, revision=1)  # fmt: skip
    return Decision(answer, flag.scope, unit_key, 5, Origin.SPLIT, 1)


def test_sink_is_given_what_the_server_is_given_and_the_unit(server: Any, following: Any) -> None:
    """The same ids; an analysis joins by the unit, the server never learns it."""
    given: list[Exposure] = []
    with following(given.extend) as client:
        client.is_on("checkout", unit="u")
        client.is_on("checkout", unit="v")
    assert [exposure["id"] for exposure in server.exposures] == [exposure.id for exposure in given]
    assert [("user", "u"), ("user", "v")] == [(exposure.unit_kind, exposure.unit_key) for exposure in given]
    assert "unit_key" not in server.exposures[0]


def test_close_returns_after_the_sinks_have_the_last_exposures(server: Any, following: Any) -> None:
    """Nothing is left behind where a service ends in order."""
    before, given = counted(Count.EXPOSURES_SUNK), list[Exposure]()
    client = following(given.extend)
    for unit in range(1_200):
        client.is_on("checkout", unit=unit)
    client.close()
    assert (1_200, before + 1_200) == (len(given), counted(Count.EXPOSURES_SUNK))


def test_sink_that_raises_is_given_the_batch_again(server: Any, make: Any, following: Any, until: Any) -> None:
    """Its fault is counted; server and other sinks have theirs once, and first."""
    before, tries, other = counted(Count.SINK_FAILURES), list[Sequence[Exposure]](), list[Exposure]()

    def fails_twice(exposures: Sequence[Exposure]) -> None:
        tries.append(exposures)
        if len(tries) < 3:
            raise OSError("away")

    with following(fails_twice, other.extend) as client:
        client.is_on("checkout", unit="u")
        until(lambda: len(tries) == 3)
    assert [tries[0]] * 3 == tries
    assert before + 2 == counted(Count.SINK_FAILURES)
    assert (1, 1) == (len(server.exposures), len(other))


def test_server_that_is_away_does_not_hold_up_a_sink(server: Any, make: Any, following: Any, until: Any) -> None:
    """And the other way round: each has its own pauses."""
    given = list[Exposure]()
    server.script_for_ever("/v1/sdk/exposures", make.Reply(503))
    with following(given.extend) as client:
        client.is_on("checkout", unit="u")
        until(lambda: given)
        client.is_on("checkout", unit="v")
        until(lambda: len(given) == 2)
    assert [] == server.exposures


def test_what_a_sink_never_took_is_counted_at_close(server: Any, following: Any) -> None:
    """Nothing vanishes without a number."""

    def away(_: Sequence[Exposure]) -> None:
        raise OSError("away")

    before = counted(Count.EXPOSURES_DROPPED, Lost.CLOSED.value)
    with following(away) as client:
        for unit in range(3):
            client.is_on("checkout", unit=unit)
    assert before + 3 == counted(Count.EXPOSURES_DROPPED, Lost.CLOSED.value)


@pytest.mark.parametrize("stuck", [0, 1])
def test_outlet_that_is_stuck_takes_no_room_from_the_other(make: Any, stuck: int) -> None:
    """Full for one, it still takes for the other, and counts for the one."""
    ruleset = Ruleset.of(make.ruleset(make.split(exposes=True)))
    flag, buffer = ruleset.flag("checkout"), Buffer(2)
    assert flag is not None
    before = counted(Count.EXPOSURES_DROPPED, Lost.FULL.value)
    taken = 0
    for at in range(LIMIT_COUNT + 100):
        buffer.add(flag, ruleset, decision(flag, f"u{at}"), 5)
        if at % 100 == 99:
            taken += len(buffer.take(ruleset, 1 - stuck))
    assert LIMIT_COUNT + 100 == taken
    assert before + 100 == counted(Count.EXPOSURES_DROPPED, Lost.FULL.value)
