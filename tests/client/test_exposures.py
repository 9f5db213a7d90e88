"""Exposures: who was treated with what, once each, through a bounded buffer to the server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pennon
from pennon.ambient import entered
from pennon.carry import fingerprint_of
from pennon.client import Client
from pennon.client.exposures import Buffer, encode_batch
from pennon.client.spool import Spool
from pennon.client.waiting import BATCH_COUNT, LIMIT_COUNT, Lost
from pennon.context import Answer, Decision, Entry, Origin, Reason
from pennon.counters import Count, samples
from pennon.flags import Flag, Ruleset
from pennon.sync import Delta, Put

Connect = Callable[..., Client]
Until = Callable[[Callable[[], object]], None]


def dropped(cause: Lost) -> int:
    """How many exposures were dropped for this."""
    return sum(s.total for s in samples() if s.name is Count.EXPOSURES_DROPPED and s.cause == cause.value)


def flag_of(ruleset: Ruleset) -> Flag:
    """Its only flag."""
    flag = ruleset.flag("checkout")
    assert flag is not None
    return flag


def decision(flag: Flag, unit_key: str, *, revision: int = 1) -> Decision:
    """A decision of the flag's split."""
    answer = Answer("checkout", value=True, variant="on", variant_id=1, reason=Reason.SPLIT, origin=Origin.SPLIT,
                    rule=None, revision=revision)  # fmt: skip
    return Decision(answer, flag.scope, unit_key, 5, Origin.SPLIT, revision)


@pytest.fixture
def exposing(server: Any, connect: Connect, make: Any) -> Client:
    """A client of a split that exposes, of one that does not, and a few others."""
    rules = (make.rule("plan", "pro", "on"),)
    flags = [
        make.split(exposes=True),
        make.split("quiet", id=11),
        make.split("uncovered", id=12, coverage=0, exposes=True),
        make.flag("ruled", id=13, serve="off", rules=rules, exposes=True),
        make.flag("killed", id=14, killed=True, exposes=True),
    ]
    client = connect()
    server.accept().send(make.ruleset(*flags))
    assert client.wait_ready(60)
    return client


def test_evaluation_of_an_experiment_exposes_once(server: Any, exposing: Client, make: Any) -> None:
    """However often it is asked, in a request or outside, and whatever the call."""
    for _ in range(3):
        exposing.is_on("checkout", unit="u")
        exposing.decision("checkout", unit="u")
        with entered(make.request({"user": "u"})):
            exposing.is_on("checkout")
    exposing.close()
    (exposure,) = server.exposures
    variant = "on" if exposing_value(exposure) else "off"
    assert ("checkout", variant, "user", 1) == (
        exposure["flag"],
        exposure["variant"],
        exposure["unit_kind"],
        exposure["phase"],
    )
    assert {"id", "flag", "variant", "unit_kind", "phase", "at"} == exposure.keys()


def exposing_value(exposure: dict[str, Any]) -> bool:
    """What the split serves the unit of these tests."""
    from pennon.flags import bucket_of

    assert 32 == len(exposure["id"])
    return bucket_of("m3-cbor", "salt", "u") < 50_000


@pytest.mark.parametrize(
    ("flag", "ask"),
    [
        ("quiet", {"unit": "u"}),
        ("uncovered", {"unit": "u"}),
        ("ruled", {"unit": "u"}),
        ("ruled", {"attributes": {"plan": "pro"}}),
        ("killed", {"unit": "u"}),
        ("checkout", {}),
    ],
)
def test_what_is_nobodys_treatment_is_not_exposed(
    server: Any, exposing: Client, flag: str, ask: dict[str, Any]
) -> None:
    """No experiment, outside coverage, by fallthrough, without a unit, killed, an error."""
    exposing.is_on(flag, **ask)
    exposing.close()
    assert [] == server.exposures


def test_rule_of_an_experiment_exposes(server: Any, exposing: Client) -> None:
    """Whom a rule put there was treated as well."""
    exposing.is_on("ruled", unit="u", attributes={"plan": "pro"})
    exposing.close()
    assert ["on"] == [exposure["variant"] for exposure in server.exposures]


def test_peek_does_not_expose_and_a_later_ask_does(server: Any, exposing: Client, make: Any) -> None:
    """Also where the peek has put the decision into the ledger already."""
    with entered(make.request({"user": "u"})):
        exposing.peek("checkout")
        exposing.peek("checkout", unit="v")
        exposing.is_on("checkout")
    exposing.close()
    assert 1 == len(server.exposures)


def test_replay_does_not_expose(server: Any, exposing: Client, make: Any) -> None:
    """A record that is processed again treats nobody again."""
    with entered(make.request({"user": "u"}, is_replay=True)):
        exposing.is_on("checkout")
    exposing.close()
    assert [] == server.exposures


def test_wrong_type_does_not_expose(server: Any, exposing: Client) -> None:
    """The caller acted on its default."""
    exposing.string("checkout", unit="u", default="x")
    exposing.decision("checkout", unit="u", type=pennon.FlagType.STRING)
    exposing.close()
    assert [] == server.exposures


def test_carried_decision_exposes_as_the_one_that_made_it(server: Any, exposing: Client, make: Any) -> None:
    """Two services, one treatment, one id."""
    exposing.is_on("checkout", unit="u")
    exposing.close()
    (own,) = server.exposures
    from pennon.carry import exposure_id
    from pennon.context import Unit

    variant_id = 1 if own["variant"] == "on" else 2
    assert own["id"] == exposure_id(7, 10, 1, Unit("user", "u"), variant_id)


def test_exposure_newer_than_the_replica_waits_for_it(server: Any, connect: Connect, make: Any, until: Until) -> None:
    """What a carried decision of the next phase exposes is known when that phase is."""
    client = connect()
    stream = server.accept()
    stream.send(make.ruleset(make.split(exposes=True)))
    assert client.wait_ready(60)
    context = make.request({"user": "u"})
    context.ledger.arrived[7, 10] = (
        Entry(7, 1, fingerprint_of("salt", "user", "u"), 29_000_000, 10, 1, Origin.SPLIT, 5),
    )
    with entered(context):
        assert pennon.Reason.CARRIED is client.decision("checkout").reason
    client.is_on("checkout", unit="other")
    until(lambda: server.exposures)
    assert 1 == len(server.exposures)
    later = make.split(exposes=True, phase=2, revision=5, void_before=5)
    stream.send(Delta(7, 1, 1, 5, Put(flags={"checkout": later})))
    until(lambda: len(server.exposures) == 2)
    assert [1, 2] == [exposure["phase"] for exposure in server.exposures]


def test_carried_decision_newer_than_the_replica_makes_it_resync(
    server: Any, exposing: Client, make: Any, until: Until
) -> None:
    """Decisions outrun the stream; the client catches up at once."""
    server.ruleset = make.ruleset(make.split(revision=5), revision=5)
    context = make.request({"user": "u"})
    context.ledger.arrived[7, 10] = (
        Entry(7, 1, fingerprint_of("salt", "user", "u"), 29_000_000, 10, 1, Origin.SPLIT, 5),
    )
    with entered(context):
        exposing.is_on("checkout")
    until(lambda: server.seen_at("/v1/sdk/ruleset"))
    until(lambda: exposing.peek("checkout", unit="x").revision == 5)


@pytest.mark.parametrize("status", [429, 500, 503, 401])
def test_batch_that_was_not_taken_is_sent_again_with_the_same_ids(
    server: Any, exposing: Client, make: Any, until: Until, status: int
) -> None:
    """The server counts each id once; nothing is lost and nothing doubled."""
    server.script("/v1/sdk/exposures", make.Reply(status))
    exposing.is_on("checkout", unit="u")
    until(lambda: server.exposures)
    first, second = server.seen_at("/v1/sdk/exposures")
    assert first.body == second.body
    assert "Bearer pn_sdk_test" == second.headers["authorization"]


def test_batch_that_is_refused_is_dropped_and_counted(server: Any, exposing: Client, make: Any, until: Until) -> None:
    """Sending it again would be refused again, and block all that follow."""
    before = dropped(Lost.REFUSED)
    server.script("/v1/sdk/exposures", make.Reply(422))
    exposing.is_on("checkout", unit="u")
    until(lambda: dropped(Lost.REFUSED) == before + 1)
    exposing.is_on("checkout", unit="v")
    until(lambda: server.exposures)


def refusal(*pointers: str) -> bytes:
    """A problem document that names these faults."""
    faults = [{"path": pointer, "message": "is not allowed"} for pointer in pointers]
    return json.dumps({"status": 422, "code": "document_invalid", "faults": faults}).encode()


@pytest.fixture
def sent(server: Any, make: Any) -> Callable[[int], tuple[float | None, list[list[int]]]]:
    """Sends a batch of so many: what the outlet said, and the ids that each request bore, as positions."""
    from pennon.client.fetching import open_http
    from pennon.client.outlets import to_server
    from pennon.client.posting import Poster
    from pennon.client.target import Target
    from pennon.clock import SYSTEM_CLOCK

    ruleset = Ruleset.of(make.ruleset(make.split(exposes=True)))
    buffer, flag = Buffer(), flag_of(ruleset)

    def send(number: int) -> tuple[float | None, list[list[int]]]:
        for at in range(number):
            buffer.add(flag, ruleset, decision(flag, f"u{at}"), 5)
        batch = buffer.take(ruleset)
        places = {exposure.id: at for at, exposure in enumerate(batch)}
        with open_http(Target(server.url, "t"), pennon.Timing()) as http:
            pause_s = to_server(Poster(http, pennon.Timing(), SYSTEM_CLOCK))(batch)
        bodies = [json.loads(seen.body)["exposures"] for seen in server.seen_at("/v1/sdk/exposures")]
        return pause_s, [[places[exposure["id"]] for exposure in body] for body in bodies]

    return send


def test_exposures_that_the_server_finds_fault_with_take_no_others_with_them(
    server: Any, sent: Any, make: Any, counted: Any
) -> None:
    """The rest of the batch is sent at once, without them."""
    faults = refusal("/exposures/1/flag", "/exposures/1/variant", "/exposures/3/phase", "/exposures/30/phase")
    server.script("/v1/sdk/exposures", make.Reply(422, body=faults))
    assert (None, [[0, 1, 2, 3, 4], [0, 2, 4]]) == sent(5)
    assert ({"": 3}, {"refused": 2}) == (counted(Count.EXPOSURES_SENT), counted(Count.EXPOSURES_DROPPED))


def test_exposures_that_are_all_refused_are_sent_once(server: Any, sent: Any, make: Any, counted: Any) -> None:
    """A server of another version costs a request each batch, not one each exposure."""
    faults = refusal(*[f"/exposures/{at}/flag" for at in range(5)])
    server.script("/v1/sdk/exposures", make.Reply(422, body=faults))
    assert (None, [[0, 1, 2, 3, 4]]) == sent(5)
    assert ({}, {"refused": 5}) == (counted(Count.EXPOSURES_SENT), counted(Count.EXPOSURES_DROPPED))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"faults": 3}', b'{"faults": [{"path": 7}]}', b'{"faults": [{"path": "/else/0"}]}'],
)
def test_batch_is_dropped_where_the_server_does_not_say_what_is_wrong(
    server: Any, sent: Any, make: Any, counted: Any, body: bytes
) -> None:
    """Whatever it says instead."""
    server.script("/v1/sdk/exposures", make.Reply(400, body=body))
    assert (None, [[0, 1, 2]]) == sent(3)
    assert {"refused": 3} == counted(Count.EXPOSURES_DROPPED)


def test_server_that_always_finds_something_is_not_asked_for_ever(
    server: Any, sent: Any, make: Any, counted: Any
) -> None:
    """Three requests a batch, then it is dropped."""
    server.script("/v1/sdk/exposures", *[make.Reply(422, body=refusal("/exposures/0/flag"))] * 5)
    assert (None, [[0, 1, 2, 3, 4], [1, 2, 3, 4], [2, 3, 4]]) == sent(5)
    assert {"refused": 5} == counted(Count.EXPOSURES_DROPPED)


def test_rest_of_a_batch_that_must_wait_is_counted_only_when_it_is_sent(
    server: Any, sent: Any, make: Any, counted: Any
) -> None:
    """The whole batch leaves again, and what is wrong with it is found again."""
    server.script("/v1/sdk/exposures", make.Reply(422, body=refusal("/exposures/0/flag")), make.Reply(503))
    pause_s, _ = sent(2)
    assert (0.0, {}, {}) == (pause_s, counted(Count.EXPOSURES_SENT), counted(Count.EXPOSURES_DROPPED))


def test_what_cannot_be_sent_at_close_is_counted(server: Any, exposing: Client, make: Any) -> None:
    """Nothing vanishes without a number."""
    before = dropped(Lost.CLOSED)
    server.script_for_ever("/v1/sdk/exposures", make.Reply(503))
    for unit in range(3):
        exposing.is_on("checkout", unit=unit)
    exposing.close()
    assert before + 3 == dropped(Lost.CLOSED)


def test_exposure_that_comes_after_the_end_is_counted(make: Any, tmp_path: Path, counted: Any) -> None:
    """An evaluation may be under way when the client closes."""
    ruleset = Ruleset.of(make.ruleset(make.split(exposes=True)))
    for buffer in (Buffer(2), Buffer(2, Spool(tmp_path, 2))):
        buffer.close()
        buffer.add(flag_of(ruleset), ruleset, decision(flag_of(ruleset), "u"), 5)
    assert {"closed": 4} == counted(Count.EXPOSURES_DROPPED)
    assert ({}, []) == (counted(Count.EXPOSURES_UNSPOOLED), list(tmp_path.iterdir()))


def test_buffer_is_bounded_and_says_what_it_dropped(make: Any) -> None:
    """The newest go; what is kept can still be sent."""
    ruleset = Ruleset.of(make.ruleset(make.split(exposes=True)))
    buffer, flag, before = Buffer(), flag_of(ruleset), dropped(Lost.FULL)
    for at in range(LIMIT_COUNT + 10):
        buffer.add(flag, ruleset, decision(flag, f"u{at}"), 5)
    assert (LIMIT_COUNT, before + 10) == (len(buffer), dropped(Lost.FULL))
    assert BATCH_COUNT == len(buffer.take(ruleset))
    buffer.add(flag, ruleset, decision(flag, f"u{LIMIT_COUNT}"), 5)
    assert LIMIT_COUNT - BATCH_COUNT + 1 == len(buffer)


def test_buffer_gives_back_in_order(make: Any) -> None:
    """What could not be sent leaves first."""
    ruleset = Ruleset.of(make.ruleset(make.split(exposes=True)))
    buffer, flag = Buffer(), flag_of(ruleset)
    for at in range(3):
        buffer.add(flag, ruleset, decision(flag, f"u{at}"), at)
    batch = buffer.take(ruleset)
    buffer.add(flag, ruleset, decision(flag, "u3"), 3)
    buffer.give_back(batch)
    assert [0, 1, 2, 3] == [exposure.at_ns for exposure in buffer.take(ruleset)]


def test_early_decision_whose_phase_is_over_is_dropped(make: Any) -> None:
    """When the replica has caught up, the flag may have moved on: then nobody knows what the unit was treated with."""
    ruleset = Ruleset.of(make.ruleset(make.split(exposes=True)))
    buffer, flag, before = Buffer(), flag_of(ruleset), dropped(Lost.VOID)
    buffer.add(flag, ruleset, decision(flag, "u", revision=5), 5)
    assert [] == buffer.take(ruleset)
    later = Ruleset.of(make.ruleset(make.split(exposes=True, phase=3, revision=9, void_before=9), revision=9))
    assert ([], before + 1) == (buffer.take(later), dropped(Lost.VOID))


def test_batch_on_the_wire_is_what_the_server_takes(make: Any) -> None:
    """Names, and milliseconds."""
    ruleset = Ruleset.of(make.ruleset(make.split(exposes=True)))
    buffer, flag = Buffer(), flag_of(ruleset)
    buffer.add(flag, ruleset, decision(flag, "u"), 1_767_225_600_123_456_789)
    (exposure,) = json.loads(encode_batch(buffer.take(ruleset)))["exposures"]
    assert 1_767_225_600_123 == exposure.pop("at")
    assert {"flag": "checkout", "variant": "on", "unit_kind": "user", "phase": 1} == {
        name: value for name, value in exposure.items() if name != "id"
    }
