"""Flags decided before anybody asks: when a request comes in, and before a record leaves."""

from collections.abc import Iterator
from typing import Any

import pytest

import pennon
from pennon.ambient import entered
from pennon.carry import encode
from pennon.client import Client, answering
from pennon.context import ErrorCode, Ledger
from pennon.counters import Count, samples
from pennon.errors import SettingInvalid
from pennon.flags import DecideAt, Ruleset


def errors(code: ErrorCode) -> int:
    """How many errors of a code were counted."""
    return sum(s.total for s in samples() if s.name is Count.EVALUATION_ERRORS and s.cause == code.value)


def decided(ledger: Ledger) -> list[tuple[str, str | None]]:
    """Flag and unit of what the ledger holds."""
    return [(decision.answer.flag, decision.unit_key) for decision in ledger.made.values()]


@pytest.fixture
def client(make: Any) -> Iterator[Client]:
    """A client of flags of several kinds of unit."""
    flags = [
        make.split(exposes=True),
        make.split("of-accounts", id=11, unit="account"),
        make.flag("ruled", id=12, serve="off", rules=(make.rule("plan", "pro", "on"),)),
        make.flag("broken", id=13, serve="no-such-variant"),
    ]
    with answering(Ruleset.of(make.ruleset(*flags, revision=9))), pennon.connect() as client:
        yield client


def test_ingress_decides_for_the_requests_own_units(client: Client, make: Any) -> None:
    """By the request's attributes; a flag by whose kind it has no unit is left out, silently."""
    decide = client.decide_at_ingress("checkout", "of-accounts", "ruled")
    before = errors(ErrorCode.TARGETING_KEY_MISSING)
    with entered(make.request({"user": "u"}, {"plan": "pro"})) as context:
        decide()
        assert [("checkout", "u"), ("ruled", "u")] == decided(context.ledger)
        assert client.is_on("ruled", attributes={"plan": "free"})
    assert before == errors(ErrorCode.TARGETING_KEY_MISSING)


def test_ingress_decides_before_anything_leaves(client: Client, make: Any) -> None:
    """Concurrent callees then get the same decision."""
    with entered(make.request({"user": "u"})) as context:
        client.decide_at_ingress("checkout")()
        assert encode(context.ledger).value


def test_ingress_keeps_what_arrived(client: Client, make: Any) -> None:
    """A gateway behind another one decides nothing again."""
    for variant_id in (1, 2):
        context = make.request({"user": "u"})
        make.arrived(context, variant_id=variant_id)
        with entered(context):
            client.decide_at_ingress("checkout")()
            assert (variant_id == 1) is client.is_on("checkout")
            assert pennon.Reason.CARRIED is client.decision("checkout").reason


def test_ingress_decides_nothing_outside_a_request(client: Client, make: Any) -> None:
    """Nor after its end."""
    decide = client.decide_at_ingress("checkout")
    decide()
    context = make.request({"user": "u"})
    with entered(context):
        context.ledger.seal()
        decide()
    assert [] == decided(context.ledger)


def test_key_that_no_flag_has_is_counted_at_each_request(client: Client, make: Any) -> None:
    """It may come later; the others are decided."""
    decide = client.decide_at_ingress("none", "checkout", "broken")
    before = errors(ErrorCode.FLAG_NOT_FOUND), errors(ErrorCode.PARSE_ERROR)
    for _ in range(2):
        with entered(make.request({"user": "u"})) as context:
            decide()
            assert [("checkout", "u")] == decided(context.ledger)
    assert (before[0] + 2, before[1] + 2) == (errors(ErrorCode.FLAG_NOT_FOUND), errors(ErrorCode.PARSE_ERROR))


def test_ingress_raises_nothing_whatever_the_request_holds(client: Client, make: Any) -> None:
    """Attributes that cannot be read break no request."""

    class Hostile(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise RuntimeError

    with entered(make.request({"user": "u"}, Hostile(plan="pro"))) as context:
        client.decide_at_ingress("ruled", "checkout")()
        assert ("checkout", "u") in decided(context.ledger)


def test_ingress_of_a_client_that_is_not_ready_decides_nothing(make: Any, connect: Any) -> None:
    """No ruleset, no decision; it is counted."""
    before = errors(ErrorCode.PROVIDER_NOT_READY)
    with entered(make.request({"user": "u"})) as context:
        connect().decide_at_ingress("checkout")()
        assert [] == decided(context.ledger)
    assert before + 1 == errors(ErrorCode.PROVIDER_NOT_READY)


def test_keys_that_are_no_text_are_named_at_once(client: Client) -> None:
    """Every one of them, where the application is built and not in its first request."""
    keys: list[Any] = ["checkout", 7, None]
    with pytest.raises(SettingInvalid) as invalid:
        client.decide_at_ingress(*keys)
    assert (
        "keys/1: 7 is of type int; must be a flag's key, as text; "
        "keys/2: None is of type NoneType; must be a flag's key, as text"
    ) == str(invalid.value)


def test_ingress_exposes_nobody(server: Any, connect: Any, make: Any) -> None:
    """The code has not branched; the ask that does so exposes."""
    client = connect()
    server.accept().send(make.ruleset(make.split(exposes=True)))
    assert client.wait_ready(60)
    for unit in ("u", "v"):
        with entered(make.request({"user": unit})):
            client.decide_at_ingress("checkout")()
            if unit == "v":
                client.is_on("checkout")
    client.close()
    assert 1 == len(server.exposures)


def test_publish_decides_every_flag_that_says_so(make: Any) -> None:
    """And no other; for the request's own units, exposing nobody, and nothing outside a request."""
    flags = [
        make.split(at=DecideAt.PUBLISH),
        make.split("of-accounts", id=11, unit="account", at=DecideAt.PUBLISH),
        make.split("consumed", id=12),
        make.flag("static", id=13, at=DecideAt.PUBLISH),
    ]
    with answering(Ruleset.of(make.ruleset(*flags, revision=9))), pennon.connect() as client:
        client.decide_at_publish()
        with entered(make.request({"user": "u"})) as context:
            client.decide_at_publish()
            assert {("checkout", "u"), ("static", "u")} == set(decided(context.ledger))
            before = list(context.ledger.made.values())
            client.decide_at_publish()
            assert before == list(context.ledger.made.values())


def test_publish_without_a_ruleset_is_no_error(make: Any, connect: Any) -> None:
    """Which flags would say so is not known either."""
    before = errors(ErrorCode.PROVIDER_NOT_READY)
    with entered(make.request({"user": "u"})) as context:
        connect().decide_at_publish()
        assert [] == decided(context.ledger)
    assert before == errors(ErrorCode.PROVIDER_NOT_READY)
