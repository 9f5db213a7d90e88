"""The override token of a request: what it sets, when it ends, who hears of it, and who never does."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import msgspec
import pytest

import pennon
from pennon.ambient import entered
from pennon.carry import OverrideClaims, jwt_claims_of
from pennon.client import Client, answering
from pennon.client.reports import KEYS_LIMIT_COUNT, Reports
from pennon.context import Origin, Reason, RequestContext, Unit
from pennon.counters import Count
from pennon.flags import RevocationRecord, Ruleset, SignerRecord, SignerUse
from pennon.signing import KILL_TYPE, OVERRIDE_TYPE, Verifier, key_id_of, new_key, sign
from pennon.testing import ManualClock

Counted = Callable[[Count], dict[str, int]]

PRIVATE, PUBLIC = new_key()
KEY_ID = key_id_of(PUBLIC)
NOW_S = 1_790_000_000
HOUR_S = 3_600
CLAIMS = OverrideClaims("token-1", KEY_ID, 7, "checkout", "on", "user", "u", NOW_S, NOW_S + HOUR_S)
CALLS = ("is_on", "decision", "peek")


def token_of(typ: str = OVERRIDE_TYPE, key: bytes = PRIVATE, key_id: str = KEY_ID, **bent: Any) -> str:
    """A token; `bent` is what differs from the usual claims."""
    claims = jwt_claims_of(msgspec.structs.replace(CLAIMS, **bent))
    return sign(claims, key, key_id=key_id, typ=typ)


def signers(**bent: Any) -> dict[str, SignerRecord]:
    """The one signer that the ruleset knows."""
    return {KEY_ID: SignerRecord(**{"id": KEY_ID, "key": PUBLIC, "use": SignerUse.OVERRIDE, **bent})}


@pytest.fixture
def rules(make: Any) -> Callable[..., Ruleset]:
    """Makes rulesets: a flag that may be overridden and is off for everybody, and others."""

    def build(*, is_overridable: bool = True, **fields: Any) -> Ruleset:
        flags = [
            make.flag(serve="off", overridable=is_overridable, carry=True),
            make.flag("other", id=11, serve="off", overridable=True),
            make.flag("fixed", id=12, serve="off"),
            make.flag("of-accounts", id=13, serve="off", unit="account", overridable=True),
            make.split("experiment", id=14, exposes=True, overridable=True),
        ]
        return Ruleset.of(make.ruleset(*flags, revision=9, **{"signers": signers(), **fields}))

    return build


@pytest.fixture
def clock() -> ManualClock:
    """It is NOW_S."""
    return ManualClock(now_ns=NOW_S * 1_000_000_000)


@pytest.fixture
def client(server: Any, clock: ManualClock) -> Iterator[Client]:
    """A client that answers from the blocks of the test."""
    with pennon.testing.flags({}), pennon.connect(server.url, token="t", clock=clock) as client:
        yield client


@pytest.fixture
def bearing(make: Any) -> Callable[..., Any]:
    """In a request of user u and account a that bears this token."""

    @contextmanager
    def within(token: str, **fields: Any) -> Iterator[RequestContext]:
        with entered(make.request({"user": "u", "account": "a"}, **fields)) as context:
            context.ledger.override = token
            yield context

    return within


def uses(client: Client) -> list[tuple[str, str, str, int]]:
    """What the audit would be told now: token, flag, variant, how often."""
    assert client._link is not None
    return [(use.id, use.flag, use.variant, use.count) for use in client._link.reports.drain_overrides()]


@pytest.mark.parametrize("call", CALLS)
def test_token_sets_its_variant_for_its_flag_and_unit_alone(
    client: Client, rules: Any, bearing: Any, call: str
) -> None:
    """Every kind of call; other flags and other units of the same request are as they were."""
    with answering(rules()), bearing(token_of()):
        asks: list[tuple[str, Any]] = [("checkout", None), ("checkout", "u"), ("other", None), ("checkout", "v")]
        for _ in range(3):
            answers = [getattr(client, call)(flag, unit=unit) for flag, unit in asks]
            values = [answer if call == "is_on" else answer.value for answer in answers]
            assert [True, True, False, False] == values
        assert (Reason.OVERRIDE, Origin.OVERRIDE) == (client.peek("checkout").reason, client.peek("checkout").origin)


def test_token_is_about_a_unit_of_its_kind(client: Client, rules: Any, bearing: Any) -> None:
    """User a is not account a."""
    for kind, expected in (("account", True), ("user", False)):
        with answering(rules()), bearing(token_of(flag="of-accounts", unit_kind=kind, unit_key="a")):
            assert expected is client.is_on("of-accounts")
            assert expected is client.for_unit(Unit("account", "a")).is_on("of-accounts")


def test_short_path_does_not_answer_for_a_request_with_a_token(client: Client, rules: Any, bearing: Any) -> None:
    """Also where other requests have found the shortest path before."""
    with answering(rules()):
        with bearing("") as context:
            context.ledger.override = None
            assert [False] * 3 == [client.is_on("checkout") for _ in range(3)]
        with bearing(token_of()):
            assert [True] * 3 == [client.is_on("checkout") for _ in range(3)]


def test_kill_beats_a_token(client: Client, rules: Any, bearing: Any, counted: Counted) -> None:
    """Before it is used and after; a token that does nothing is not used."""
    alive = rules()
    with bearing(token_of()):
        with answering(alive):
            assert client.is_on("checkout")
        with answering(alive.with_kills({10: 10})):
            assert [False, False] == [client.is_on("checkout") for _ in range(2)]
            assert Reason.KILLED is client.decision("checkout").reason
    assert [("token-1", "checkout", "on", 1)] == uses(client)
    assert {"": 1} == counted(Count.OVERRIDES_USED)


def test_token_beats_what_arrived_and_what_was_decided(client: Client, rules: Any, bearing: Any, make: Any) -> None:
    """Carried decisions are below it, and so is one that was made before it could be believed."""
    with answering(rules()), bearing(token_of()) as context:
        make.arrived(context, variant_id=2)
        assert client.is_on("checkout")
    with bearing(token_of()):
        with answering(rules(signers={})):
            assert not client.is_on("checkout")
        with answering(rules()):
            assert client.is_on("checkout")


@pytest.mark.parametrize(
    "cause", ["expired", "revoked", "signer_expired", "signer_use", "unknown_key", "not_overridable"]
)
def test_token_ends_in_mid_request(
    client: Client, rules: Any, bearing: Any, clock: ManualClock, counted: Counted, cause: str
) -> None:
    """At the next use the flag is decided as if there had been none; once counted, however often it is asked."""
    later: dict[str, Ruleset] = {
        "expired": rules(),
        "revoked": rules(revocations={"token-1": RevocationRecord("token-1", NOW_S + HOUR_S)}),
        "signer_expired": rules(signers=signers(until_s=NOW_S + 10)),
        "signer_use": rules(signers=signers(use=SignerUse.KILL)),
        "unknown_key": rules(signers={}),
        "not_overridable": rules(is_overridable=False),
    }
    with bearing(token_of()) as context:
        with answering(rules()):
            assert [True, True] == [client.is_on("checkout") for _ in range(2)]
        clock.advance(HOUR_S if cause == "expired" else 10)
        with answering(later[cause]):
            assert [False] * 3 == [client.is_on("checkout") for _ in range(3)]
            assert Reason.STATIC is client.peek("checkout").reason
        assert [Origin.FALLTHROUGH] == [each.origin for each in context.ledger.made.values()]
    assert {cause: 1} == counted(Count.OVERRIDES_REFUSED)
    assert {"override_ended": 1} == counted(Count.CARRY_NOTED)


STRANGER, _ = new_key()
REFUSED: dict[str, Any] = {
    "malformed": "a.b.c",
    "too_long": "x" * 2_049,
    "wrong_type": token_of(typ=KILL_TYPE),
    "unknown_key": token_of(key_id="0123456789abcdef"),
    "bad_signature": token_of(key=STRANGER),
    "claims": sign({"flag": "checkout"}, PRIVATE, key_id=KEY_ID, typ=OVERRIDE_TYPE),
    "expired": token_of(issued_s=NOW_S - 10, until_s=NOW_S),
    "not_yet_valid": token_of(issued_s=NOW_S + 61),
    "environment": token_of(environment=8),
    "unknown_flag": token_of(flag="none"),
    "not_overridable": token_of(flag="fixed"),
    "unknown_variant": token_of(variant="none"),
}


@pytest.mark.parametrize("cause", REFUSED)
def test_token_that_is_not_believed_changes_nothing(
    client: Client, rules: Any, bearing: Any, counted: Counted, caplog: pytest.LogCaptureFixture, cause: str
) -> None:
    """Counted once for its request, whatever is asked; nothing that is logged holds it."""
    token = REFUSED[cause]
    with caplog.at_level(logging.DEBUG), answering(rules()):
        for _ in range(2):
            with bearing(token):
                for call in CALLS:
                    for flag in ("checkout", "other", "fixed"):
                        getattr(client, call)(flag)
                assert (False, Reason.STATIC) == (client.is_on("checkout"), client.peek("checkout").reason)
    assert ({cause: 2}, {}) == (counted(Count.OVERRIDES_REFUSED), counted(Count.OVERRIDES_USED))
    assert [] == uses(client)
    assert [f"override.refused cause={cause}"] * 2 == [record.getMessage() for record in caplog.records]


def test_token_that_cannot_be_verified_here_changes_nothing(
    client: Client, rules: Any, bearing: Any, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library is an extra; without it a flag answers all the same."""
    token = token_of()
    monkeypatch.setitem(sys.modules, "jwt", None)
    with answering(rules()), bearing(token):
        assert not client.is_on("checkout")
    assert {"unavailable": 1} == counted(Count.OVERRIDES_REFUSED)


def test_token_that_breaks_its_reader_changes_nothing(
    client: Client, rules: Any, bearing: Any, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a stranger sends turns no answer into the default."""

    def claims(*_: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(Verifier, "claims", claims)
    with answering(rules()), bearing(token_of()):
        assert not client.is_on("checkout", default=True)
    assert {"failed": 1} == counted(Count.OVERRIDES_REFUSED)


def test_every_use_is_told_to_the_audit(
    client: Client, rules: Any, bearing: Any, clock: ManualClock, counted: Counted
) -> None:
    """By token, flag and variant, with the first and last time; uses of an override, and no other."""
    with answering(rules()):
        for _ in range(2):
            with bearing(token_of()):
                client.is_on("checkout")
                client.is_on("checkout")
                client.decision("checkout")
                client.is_on("other")
            clock.advance(5)
        with bearing(token_of(id="token-2", flag="other")):
            client.decide_at_ingress("checkout", "other")()
    assert client._link is not None
    first, second = client._link.reports.drain_overrides()
    assert ("token-1", "checkout", "on", 6, NOW_S * 1_000, (NOW_S + 5) * 1_000) == (
        first.id, first.flag, first.variant, first.count, first.first_ms, first.last_ms
    )  # fmt: skip
    assert ("token-2", "other", 1) == (second.id, second.flag, second.count)
    assert [] == uses(client)
    assert {"": 7} == counted(Count.OVERRIDES_USED)


def test_audit_is_bounded_and_says_what_it_dropped(counted: Counted) -> None:
    """Who is in it goes on being counted."""
    reports = Reports()
    for at in [*range(KEYS_LIMIT_COUNT + 5), 0]:
        reports.overridden(f"token-{at}", "checkout", "on", 5_000_000)
    drained = reports.drain_overrides()
    assert (KEYS_LIMIT_COUNT, 2, 1) == (len(drained), drained[0].count, drained[1].count)
    assert {"override": 5} == counted(Count.REPORTS_DROPPED)


def test_audit_loses_nothing_between_threads() -> None:
    """Several requests at once, one token."""
    reports = Reports()

    def use() -> None:
        for _ in range(2_000):
            reports.overridden("token-1", "checkout", "on", 5_000_000)

    threads = [Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (found,) = reports.drain_overrides()
    assert 8_000 == found.count


def test_overridden_decision_is_never_exposed(
    server: Any, connect: Any, rules: Any, bearing: Any, make: Any, until: Any
) -> None:
    """Nor where it was carried to; the same flag for another unit still is."""
    client = connect()
    now_s = time.time_ns() // 1_000_000_000
    held = rules()
    record = make.ruleset(*held.records.values(), revision=9, signers=signers())
    server.accept().send(record)
    assert client.wait_ready(60)
    with bearing(token_of(flag="experiment", issued_s=now_s, until_s=now_s + HOUR_S)):
        assert Reason.OVERRIDE is client.decision("experiment").reason
        assert client.is_on("experiment")
    with entered(make.request({"user": "u"})) as context:
        make.arrived(context, flag_id=14, origin=Origin.OVERRIDE, revision=9)
        assert Reason.OVERRIDE is client.decision("experiment").reason
    client.is_on("experiment", unit="v")
    client.close()
    assert 1 == len(server.exposures)


def test_token_ends_by_the_clock_where_nothing_else_changes(
    client: Client, rules: Any, bearing: Any, clock: ManualClock
) -> None:
    """The shortest path, which looks at no clock, does not answer for it."""
    with answering(rules()), bearing(token_of()):
        assert [True, True] == [client.is_on("checkout") for _ in range(2)]
        clock.advance(HOUR_S)
        assert [False, False] == [client.is_on("checkout") for _ in range(2)]


def test_later_use_of_an_override_is_no_new_decision(client: Client, rules: Any, bearing: Any) -> None:
    """The ledger holds one object, and so does what leaves."""
    with answering(rules()), bearing(token_of()) as context:
        client.is_on("checkout")
        (first,) = context.ledger.made.values()
        client.is_on("checkout")
        (second,) = context.ledger.made.values()
    assert first is second
