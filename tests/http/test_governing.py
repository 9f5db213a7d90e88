"""What a contract governs at both doors: deadlines and their valve, unknown headers, proxies, identity."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pennon import counters
from pennon.context import Forwarded, Identity
from pennon.counters import Count
from pennon.headers import (
    Boundary,
    Contract,
    DeadlinePolicy,
    Inbound,
    UnknownHeaders,
    mesh,
    networks,
    public,
    std,
)
from pennon.headers.proxies import ForwardedSource, TrustedProxies
from pennon.testing import ManualClock

Raw = list[tuple[bytes, bytes]]
Ask = Callable[..., Any]

TRUSTED = mesh(verify=networks("127.0.0.0/8"))
# 2026-11-21T10:15:00Z
NOW_NS = 1_795_256_100_000_000_000
POLICY = DeadlinePolicy(
    accept=["x-request-deadline", "x-request-timeout-ms", "grpc-timeout"], cap_s=60, max_refused_share=1.0
)
TIMED = Contract("test", version="1", owner="tests", deadline=POLICY)
IDENTIFIED = Contract(
    "test",
    version="1",
    owner="tests",
    fields=[std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF, std.REGION],
)
SAID: Raw = [(b"x-tenant-id", b"t-1"), (b"x-actor-id", b"u-1"), (b"x-actor-type", b"HUMAN"), (b"x-region", b"eu")]


@pytest.fixture(params=["asgi", "wsgi"])
def ask(request: pytest.FixtureRequest, through: Any) -> Ask:
    """Either door: contract, boundary, headers."""
    asked: Ask = through[request.param]
    return asked


def _clock() -> ManualClock:
    return ManualClock(now_ns=NOW_NS, monotonic_ns=7_000_000_000)


def _count(name: Count) -> int:
    return sum(sample.total for sample in counters.samples() if sample.name is name)


def _values(headers: Raw, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]


@pytest.mark.req(59, 60, 61, 62, 67, 89)
@pytest.mark.parametrize(
    ("sent", "left_ms", "form"),
    [
        ([], 60_000, None),
        ([(b"x-request-deadline", b"2026-11-21T10:15:10Z")], 10_000, "x-request-deadline"),
        (
            [(b"x-request-timeout-ms", b"900"), (b"x-request-deadline", b"2026-11-21T10:15:10Z")],
            900,
            "x-request-timeout-ms",
        ),
        ([(b"grpc-timeout", b"2S"), (b"x-request-timeout-ms", b"3000")], 2_000, "grpc-timeout"),
        ([(b"x-request-timeout-ms", b"90000")], 60_000, "x-request-timeout-ms"),
    ],
)
def test_context_has_the_soonest_deadline(ask: Ask, sent: Raw, left_ms: int, form: str | None) -> None:
    """Both kinds of deadline are read, the minimum holds, the service's cap ends it, also where nothing was said."""
    deadline = ask(TIMED, TRUSTED, sent, clock=_clock()).context.deadline

    assert (7_000_000_000 + left_ms * 1_000_000, form) == (deadline.due_ns, deadline.form)
    assert (left_ms == 60_000 and form is not None) is deadline.is_capped


@pytest.mark.req(8, 60, 64)
@pytest.mark.parametrize("sent", [(b"x-request-timeout-ms", b"900"), (b"x-request-deadline", b"2026-11-21T10:14:00Z")])
def test_stranger_s_deadline_does_not_count(ask: Ask, sent: tuple[bytes, bytes]) -> None:
    """It could refuse nothing and shorten nothing; the application does not see it either."""
    asked = ask(TIMED, public(), [sent], clock=_clock())

    assert 67_000_000_000 == asked.context.deadline.due_ns
    assert [] == _values(asked.seen, sent[0])


@pytest.mark.req(65, 66)
@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ((b"x-request-deadline", b"2026-11-21T10:15:00.040Z"), "x-request-deadline"),
        ((b"x-request-timeout-ms", b"49"), "x-request-timeout-ms"),
        ((b"grpc-timeout", b"0m"), "grpc-timeout"),
    ],
)
def test_late_request_is_refused_at_once(ask: Ask, sent: tuple[bytes, bytes], field: str) -> None:
    """504 with a code of its own and the field; nothing runs, nobody is asked; it is counted apart from timeouts."""

    def never(_: Inbound) -> Identity:
        raise AssertionError("a late request's identity was asked for")

    before = _count(Count.DEADLINE_REFUSED)
    boundary = mesh(verify=networks("127.0.0.0/8"), identity=never)
    asked = ask(TIMED, boundary, [sent, (b"x-request-id", b"req_1"), (b"x-correlation-id", b"c-1")], clock=_clock())

    assert not asked.was_served
    problem = msgspec.json.decode(asked.body)
    assert (504, "deadline_exceeded", field) == (asked.status, problem["code"], problem["field"])
    assert f"{field}: less than 0.05 s left" == problem["detail"]
    assert [b"req_1"] == _values(asked.headers, b"x-request-id")
    assert [b"c-1"] == _values(asked.headers, b"x-correlation-id")
    assert sent[1] not in asked.body
    assert before + 1 == _count(Count.DEADLINE_REFUSED)


@pytest.mark.req(65)
def test_request_with_just_enough_left_is_served(ask: Ask) -> None:
    """The floor itself is enough."""
    assert ask(TIMED, TRUSTED, [(b"x-request-timeout-ms", b"50")], clock=_clock()).was_served


@pytest.mark.req(65, 66)
@pytest.mark.parametrize("share", [1.0, 0.0])
def test_late_request_says_so_on_its_span(ask: Ask, spans: InMemorySpanExporter, share: float) -> None:
    """Refused or spared: whoever looks at the trace sees that the deadline was over."""
    contract = replace(TIMED, deadline=replace(POLICY, max_refused_share=share))
    asked = ask(contract, TRUSTED, [(b"x-request-timeout-ms", b"1")], clock=_clock())
    [span] = spans.get_finished_spans()

    assert (share == 0.0) is asked.was_served
    assert True is (span.attributes or {})["pennon.deadline.exceeded"]
    assert (204 if share == 0.0 else 504) == (span.attributes or {})["http.response.status_code"]


def test_valve_spares_what_would_be_too_many(ask: Ask) -> None:
    """A door that has refused its share serves the late, and counts them as spared."""
    before = _count(Count.DEADLINE_SPARED)
    contract = replace(TIMED, deadline=replace(POLICY, max_refused_share=0.1))
    asked = ask(contract, TRUSTED, [(b"x-request-timeout-ms", b"1")], clock=_clock())

    assert asked.was_served
    assert before + 1 == _count(Count.DEADLINE_SPARED)


@pytest.mark.req(12)
def test_unknown_headers_are_seen_by_the_application_alone(ask: Ask) -> None:
    """By default they pass through to it; the context, from which everything leaves, does not have them."""
    asked = ask(IDENTIFIED, TRUSTED, [(b"x-internal-debug", b"1"), (b"x-api-key", b"k")])

    assert ([b"1"], [b"k"]) == (_values(asked.seen, b"x-internal-debug"), _values(asked.seen, b"x-api-key"))
    assert () == asked.context.fields


@pytest.mark.req(12)
@pytest.mark.parametrize("boundary", [TRUSTED, public()])
def test_unknown_headers_are_dropped_where_the_contract_says_so(ask: Ask, boundary: Boundary) -> None:
    """What neither the contract nor a standard names, the application does not see; the others it does."""
    contract = replace(IDENTIFIED, unknown=UnknownHeaders.DROP)
    asked = ask(contract, boundary, [(b"X-Surprise", b"1"), (b"accept", b"*/*"), (b"host", b"a")])

    assert [] == _values(asked.seen, b"x-surprise") + _values(asked.seen, b"X-Surprise")
    assert [b"*/*"] == _values(asked.seen, b"accept")


@pytest.mark.req(12)
def test_unknown_headers_are_rejected_where_the_contract_says_so(ask: Ask) -> None:
    """400 and the name, never the value."""
    contract = replace(IDENTIFIED, unknown=UnknownHeaders.REJECT)
    asked = ask(contract, TRUSTED, [(b"accept", b"*/*"), (b"x-surprise", b"secret")])

    assert (400, False) == (asked.status, asked.was_served)
    assert "x-surprise: not declared here" == msgspec.json.decode(asked.body)["detail"]
    assert b"secret" not in asked.body


@pytest.mark.req(68, 69, 10)
def test_declared_identity_headers_of_verified_callers_say_who_asks(ask: Ask) -> None:
    """They become the identity and are no fields; a stranger's are not even seen."""
    asked = ask(IDENTIFIED, TRUSTED, SAID)
    identity = asked.context.identity

    assert ("t-1", "u-1", "HUMAN") == (identity.tenant, identity.actor, identity.actor_type)
    assert (("x-region", "eu"),) == asked.context.fields
    stranger = ask(IDENTIFIED, public(), SAID)
    assert Identity() == stranger.context.identity
    assert [] == [name for name, _ in stranger.seen if name.startswith((b"x-tenant", b"x-actor"))]


@pytest.mark.req(8, 10, 104)
def test_stranger_s_identity_headers_are_hidden_also_undeclared(ask: Ask) -> None:
    """An application that reads them raw would believe anybody."""
    asked = ask(TIMED, public(), SAID, clock=_clock())

    assert [] == [name for name, _ in asked.seen if name.startswith((b"x-tenant", b"x-actor"))]


@pytest.mark.req(68, 69)
def test_identity_callable_s_word_is_all(ask: Ask) -> None:
    """Where one is asked, headers say nothing, and nobody inside reads them."""
    boundary = mesh(verify=networks("127.0.0.0/8"), identity=lambda _: Identity(tenant="other"))
    asked = ask(IDENTIFIED, boundary, SAID)

    assert Identity(tenant="other") == asked.context.identity
    assert [] == [name for name, _ in asked.seen if name.startswith((b"x-tenant", b"x-actor"))]
    assert (("x-region", "eu"),) == asked.context.fields


@pytest.mark.req(11)
@pytest.mark.parametrize(
    ("trusted", "expected"), [("127.0.0.0/8", Forwarded("192.0.2.9", proto="https")), ("10.0.0.0/8", None)]
)
def test_client_is_found_behind_trusted_proxies_alone(ask: Ask, trusted: str, expected: Forwarded | None) -> None:
    """Their word is the context's; anybody else's is gone, for the application too."""
    proxies = TrustedProxies([trusted], reads=[ForwardedSource.X_FORWARDED])
    sent = [
        (b"x-forwarded-for", b"1.1.1.1, 192.0.2.9"), (b"x-forwarded-proto", b"https"), (b"forwarded", b"for=127.0.0.1"),
    ]  # fmt: skip
    asked = ask(replace(TIMED, deadline=None, proxies=proxies), public(), sent)

    assert expected == asked.context.forwarded
    assert [] == _values(asked.seen, b"forwarded")
    assert (1 if expected else 0) == len(_values(asked.seen, b"x-forwarded-for"))


@pytest.mark.req(11)
def test_without_proxies_nobody_s_word_counts(ask: Ask) -> None:
    """A contract that declares none has no use for what they write."""
    asked = ask(IDENTIFIED, TRUSTED, [(b"X-Forwarded-For", b"1.1.1.1"), (b"forwarded", b"for=1.1.1.1")])

    assert None is asked.context.forwarded
    assert [] == [name for name, _ in asked.seen if b"forwarded" in name.lower()]
