"""The doors at which requests come in, ASGI's and WSGI's, driven in process: one suite for both."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pennon import ambient, counters
from pennon.carry import encode_entries
from pennon.context import Entry, Identity, Member, Origin, RequestContext
from pennon.headers import (
    BaggagePolicy,
    Boundary,
    Category,
    Classification,
    Contract,
    Field,
    Inbound,
    Log,
    Propagate,
    Trust,
    mesh,
    networks,
    public,
)

Raw = list[tuple[bytes, bytes]]
# Sends a request through either door: boundary, headers; what its application saw, and how it was answered.
Ask = Callable[..., Any]

TENANT = Field(
    "x-tenant-id",
    category=Category.SECURITY,
    owner="identity",
    syntax="[a-z]+",
    max_length=16,
    trust=Trust.GATEWAY,
    caller_may_set=False,
    gateway_overwrites=True,
    downstream_may_forward=True,
    propagate=Propagate.PER_DOWNSTREAM,
    log=Log.HASH,
    classification=Classification.INTERNAL_ID,
    description="who pays",
    kafka="tenant",
)
CONTRACT = Contract("test", version="1", owner="tests", fields=(TENANT,), baggage=BaggagePolicy(allow=("region",)))
TRUSTED = mesh(verify=networks("127.0.0.0/8"))

MEMBER = encode_entries([Entry(1, 2, 3, 29_000_000, 7, 1, Origin.SPLIT, 41)]).value
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SENT: Raw = [
    (b"host", b"posts"),
    (b"traceparent", PARENT),
    (b"tracestate", b"vendor=1"),
    (b"X-Request-Id", b"theirs"),
    (b"x-correlation-id", b"journey-1"),
    (b"X-Tenant-Id", b"acme"),
    (b"baggage", f"region=eu,promo=x;p=1,pennon={MEMBER},pennon2=later".encode()),
    (b"Pennon-Decided", b"anything"),
]


@pytest.fixture(params=["asgi", "wsgi"])
def ask(request: pytest.FixtureRequest, through: Any) -> Ask:
    """Either door."""
    return partial(through[request.param], CONTRACT)


def values(headers: Raw, name: bytes) -> list[bytes]:
    """All lines of a header."""
    return [value for key, value in headers if key.lower() == name]


@pytest.mark.req(36)
def test_verified_caller_is_continued(ask: Ask) -> None:
    """Trace, ids, baggage and decisions of one of ours are the request's."""
    asked = ask(TRUSTED, SENT)

    context = asked.context
    assert "4bf92f3577b34da6a3ce929d0e0e4736" == context.trace.trace_id
    assert "00f067aa0ba902b7" == context.trace.parent_span_id
    assert ("theirs", "journey-1") == (context.request_id, context.correlation_id)
    assert [("region", "eu"), ("promo", "x")] == [(member.key, member.value) for member in context.baggage]
    assert [(1, 7)] == list(context.ledger.arrived)
    assert (Member("pennon2", "later"),) == context.ledger.foreign


@pytest.mark.req(8, 9, 104, 123)
@pytest.mark.parametrize("boundary", [public(), mesh(), mesh(verify=networks("10.0.0.0/8"))])
def test_stranger_is_not_believed(ask: Ask, boundary: Boundary) -> None:
    """At a public boundary, and in a mesh when nobody vouches: a new trace and id, none of ours, no unknown member."""
    asked = ask(boundary, SENT)

    context = asked.context
    assert "4bf92f3577b34da6a3ce929d0e0e4736" != context.trace.trace_id
    assert context.trace.parent_span_id is None
    assert "theirs" != context.request_id
    assert "theirs" == context.caller_request_id
    assert ["region"] == [member.key for member in context.baggage]
    assert {} == context.ledger.arrived
    assert () == context.ledger.foreign


@pytest.mark.req(16, 89)
@pytest.mark.parametrize("boundary", [public(), TRUSTED])
def test_application_sees_nothing_of_ours(ask: Ask, boundary: Boundary) -> None:
    """Whatever reads raw headers inside finds no member of ours, and the ids that the context has, once."""
    asked = ask(boundary, SENT)

    assert not any(b"pennon" in name.lower() or b"pennon" in value for name, value in asked.seen)
    assert [asked.context.request_id.encode()] == values(asked.seen, b"x-request-id")
    assert [b"journey-1"] == values(asked.seen, b"x-correlation-id")
    assert 1 == len(values(asked.seen, b"baggage"))


def test_application_sees_no_trace_of_a_stranger(ask: Ask) -> None:
    """An instrumentation inside would take its parent, and switch sampling on, from it."""
    asked = ask(public(), SENT)

    assert [] == values(asked.seen, b"traceparent") + values(asked.seen, b"tracestate")


def test_application_sees_the_trace_of_a_verified_caller(ask: Ask) -> None:
    """An instrumentation inside continues it, with properties of members kept."""
    asked = ask(TRUSTED, SENT)

    assert [PARENT] == values(asked.seen, b"traceparent")
    assert [b"region=eu,promo=x;p=1"] == values(asked.seen, b"baggage")


@pytest.mark.req(8, 89)
@pytest.mark.parametrize("name", [b"X-Tenant-Id", b"tenant", b"X_Tenant_Id", b"x-tenant_id"])
def test_application_does_not_see_a_field_that_its_caller_may_not_set(ask: Ask, name: bytes) -> None:
    """Also not under the name that it has on records, nor in the spelling that WSGI makes one with it."""
    asked = ask(public(), [(name, b"acme")])

    assert [] == values(asked.seen, name.lower())


@pytest.mark.req(38, 91)
def test_response_has_each_id_once(ask: Ask) -> None:
    """Whatever the application, or a library in it, has set."""
    theirs: Raw = [(b"X-Request-ID", b"x"), (b"x-request-id", b"y"), (b"X-Correlation-Id", b"z"), (b"etag", b'"1"')]
    asked = ask(TRUSTED, SENT, answer=[*theirs, (b"pennon-decided", b"leak")])

    assert [(b"etag", b'"1"'), (b"x-request-id", b"theirs"), (b"x-correlation-id", b"journey-1")] == asked.headers


def test_response_without_a_conversation_has_no_correlation_id(ask: Ask) -> None:
    """Nobody began one."""
    asked = ask(public(), [])

    assert [b"x-request-id"] == [name for name, _ in asked.headers]


@pytest.mark.req(92)
def test_ledger_is_sealed_when_the_call_ends(ask: Ask) -> None:
    """A task that outlives the request asks in vain, it does not decide for the next one."""
    asked = ask(public(), [])

    assert asked.context.ledger.is_sealed
    assert ambient.current() is None


@pytest.mark.req(92)
def test_ledger_is_sealed_when_the_application_fails(ask: Ask) -> None:
    """Its error goes on to the server."""
    seen: list[RequestContext | None] = []

    def fail() -> None:
        seen.append(ambient.current())
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        ask(public(), [], run=fail)
    [context] = seen
    assert context is not None
    assert context.ledger.is_sealed
    assert ambient.current() is None


def test_what_the_boundary_s_callables_raise_is_the_application_s_error(ask: Ask) -> None:
    """It goes on to the server, and nothing stays open."""

    def broken(_: Inbound) -> Identity:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        ask(public(identity=broken), [])
    assert ambient.current() is None


def test_decide_is_called_in_the_request_before_the_application(ask: Ask) -> None:
    """What it raises is the application's error, and the ledger is sealed."""
    seen: list[tuple[str, RequestContext | None]] = []

    def note(what: str) -> None:
        seen.append((what, ambient.current()))

    asked = ask(public(), [], decide=lambda: note("decide"), run=lambda: note("run"))

    def fail() -> None:
        note("again")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(public(), [], decide=fail)

    assert [("decide", asked.context), ("run", asked.context)] == seen[:2]
    again = seen[2][1]
    assert again is not None
    assert again.ledger.is_sealed


@pytest.mark.req(10, 68, 123)
def test_identity_fills_the_context(ask: Ask) -> None:
    """At a public boundary it is asked about everybody: it looks at credentials."""
    known = Identity(tenant="acme", actor="user-7", units={"user": "7"}, attributes={"plan": "pro"})

    def identity(inbound: Inbound) -> Identity:
        assert ("127.0.0.1", "GET", "/", None) == (inbound.address, inbound.method, inbound.path, inbound.topic)
        return known if inbound.header("Authorization") == "Bearer 7" else Identity()

    asked = ask(public(identity=identity), [(b"authorization", b"Bearer 7")])

    assert known == asked.context.identity


def test_identity_in_a_mesh_is_asked_of_verified_callers_only(ask: Ask) -> None:
    """There it may believe plain headers, so a stranger does not get as far."""
    about: list[Inbound] = []

    def identity(inbound: Inbound) -> Identity:
        about.append(inbound)
        return Identity(actor=inbound.header("x-actor"))

    strangers = mesh(verify=networks("10.0.0.0/8"), identity=identity)
    asked = ask(strangers, [(b"x-actor", b"root")])

    assert [] == about
    assert asked.context.identity.actor is None


HOSTILE: dict[str, tuple[Raw, str]] = {
    "8 kB of baggage": ([(b"baggage", b"secret=" + b"a" * 8_192)], "baggage"),
    "8 kB of baggage in lines": ([(b"baggage", b"k=" + b"a" * 1_000)] * 9, "baggage"),
    "5,000 headers": ([(b"x-%d" % n, b"secret") for n in range(5_000)], "headers"),
    "1 MB": ([(b"x-big", b"secret" * 170_000)], "headers"),
}


@pytest.mark.req(7, 110)
@pytest.mark.parametrize("what", HOSTILE)
def test_request_over_the_limits_is_refused_by_name(ask: Ask, what: str) -> None:
    """431 and the field, never its value; the application is not called, nobody's identity is asked, it is counted."""
    sent, field = HOSTILE[what]
    before = sum(sample.total for sample in counters.samples() if sample.name is counters.Count.HEADERS_DROPPED)

    asked = ask(public(identity=_never), sent)

    assert 431 == asked.status
    assert [b"application/problem+json"] == values(asked.headers, b"content-type")
    assert 1 == len(values(asked.headers, b"x-request-id"))
    problem = msgspec.json.decode(asked.body)
    assert ("headers_refused", 431, field) == (problem["code"], problem["status"], problem["field"])
    assert b"secret" not in asked.body
    assert b"aaaa" not in asked.body
    assert not asked.was_served
    after = sum(sample.total for sample in counters.samples() if sample.name is counters.Count.HEADERS_DROPPED)
    assert before < after


def _never(_: Inbound) -> Identity:
    raise AssertionError("a refused request's identity was asked for")


def test_two_hundred_members_are_cut_and_counted(ask: Ask) -> None:
    """They are within the wire's limit, so the request is served, with as many as the policy allows."""
    lines = [(b"baggage", ",".join(f"k{n}=v" for n in range(200)).encode())]
    before = _dropped("over_budget") + _dropped("too_many")

    asked = ask(TRUSTED, lines)

    assert 204 == asked.status
    assert 16 == len(asked.context.baggage)
    assert before < _dropped("over_budget") + _dropped("too_many")


@pytest.mark.parametrize("parent", [b"00-" + b"0" * 32 + b"-1-01", PARENT + b"\n", b"\xff\xfe", b""])
def test_broken_traceparent_begins_a_trace(ask: Ask, parent: bytes) -> None:
    """And takes nothing else with it."""
    before = _dropped("malformed")
    asked = ask(TRUSTED, [(b"traceparent", parent), (b"x-request-id", b"theirs")])

    assert asked.context.trace.parent_span_id is None
    assert "theirs" == asked.context.request_id
    assert before + 1 == _dropped("malformed")
    assert [] == values(asked.seen, b"traceparent")


def test_malformed_decisions_are_dropped_and_counted(ask: Ask) -> None:
    """Group by group; the request is served."""
    before = _total(counters.Count.CARRY_GROUPS_DROPPED)
    broken = f"pennon={MEMBER}.AAAA.!!".encode()
    asked = ask(TRUSTED, [(b"baggage", broken)])

    assert [(1, 7)] == list(asked.context.ledger.arrived)
    assert before + 2 == _total(counters.Count.CARRY_GROUPS_DROPPED)


def _total(name: counters.Count) -> int:
    return sum(sample.total for sample in counters.samples() if sample.name is name)


def _dropped(cause: str) -> int:
    wanted = (counters.Count.HEADERS_DROPPED, cause)
    return sum(sample.total for sample in counters.samples() if (sample.name, sample.cause) == wanted)


KNOWN = (
    *(b"baggage", b"Baggage", b"traceparent", b"tracestate", b"x-request-id", b"x-correlation-id"),
    *(b"x-tenant-id", b"pennon-override", b"Pennon-Decided", b"host"),
)
NAMES = st.sampled_from(KNOWN) | st.binary(max_size=12)
VALUES = st.binary(max_size=200) | st.sampled_from(
    [PARENT, f"pennon={MEMBER}".encode(), b"a=b,c=%ff;x=y", b"," * 500, b"pennon=%00", b"k=%0d%0aset-cookie:x"]
)


@pytest.mark.req(7)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(NAMES, VALUES), max_size=120), st.booleans())
def test_any_headers_are_served_or_refused(ask: Ask, headers: Raw, is_trusted: bool) -> None:
    """No bytes raise; what the application sees is within the limits and not ours; ids are safe to put in a header."""
    asked = ask(TRUSTED if is_trusted else public(), headers)

    assert asked.status in (204, 431)
    if asked.status == 204:
        context = asked.context
        sizes = [len(member.key) + 1 + len(member.value.encode()) for member in context.baggage]
        assert len(sizes) <= 16
        assert sum(sizes) <= 1_024
        assert not any(member.key.startswith("pennon") for member in context.baggage)
        assert not any(name.lower().startswith(b"pennon-") for name, _ in asked.seen)
        assert len(values(asked.seen, b"baggage")) <= 1
        assert not any(b"pennon" in line.partition(b"=")[0] for line in values(asked.seen, b"baggage"))
    assert 1 == len(values(asked.headers, b"x-request-id"))
    assert all(b"\r" not in value and b"\n" not in value for _, value in asked.headers)


@pytest.mark.req(88)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(KNOWN), VALUES | st.sampled_from([b"theirs", b"acme", b"eu,us"])), max_size=12),
    st.booleans(),
)
def test_same_request_has_the_same_context_behind_either_door(through: Any, headers: Raw, is_trusted: bool) -> None:
    """Although WSGI joins lines that repeat, all rules about them hold."""
    boundary = TRUSTED if is_trusted else public()
    by_asgi, by_wsgi = (through[way](CONTRACT, boundary, headers) for way in ("asgi", "wsgi"))

    assert by_asgi.status == by_wsgi.status
    if by_asgi.status == 204:
        assert known_of(by_asgi.context) == known_of(by_wsgi.context)
        names = [{name.lower() for name, _ in each.seen} - {b"host"} for each in (by_asgi, by_wsgi)]
        assert names[0] == names[1]


def known_of(context: RequestContext) -> tuple[object, ...]:
    """All that is not made anew for each request."""
    ledger = context.ledger
    return (
        *(context.correlation_id, context.caller_request_id, context.baggage, context.fields, context.trace.state),
        *(context.trace.parent_span_id, ledger.arrived, ledger.foreign, ledger.override, ledger.was_cut),
    )


def test_verified_caller_alone_is_told_what_was_decided(ask: Ask, replica: Any) -> None:
    """Up to the response's start; the override of a tester is read at a public boundary alone."""
    token = [(b"Pennon-Override", b"a.token.x")]
    tokens: list[str | None] = []

    def run() -> None:
        context = ambient.current()
        assert context is not None
        tokens.append(context.ledger.override)
        replica("on").ask()

    told = [values(ask(at, token, run=run).headers, b"pennon-decided") for at in (TRUSTED, mesh(), public())]

    assert [1, 0, 0] == [len(lines) for lines in told]
    assert [None, None, "a.token.x"] == tokens
