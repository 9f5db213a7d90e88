"""The ASGI door, driven in process."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
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
from pennon.http import asgi

Raw = list[tuple[bytes, bytes]]

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


class App:
    """An application that keeps what it saw and answers 204, with ids of its own making."""

    def __init__(self, headers: Raw | None = None) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.contexts: list[RequestContext] = []
        self._headers = headers or []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        context = ambient.current()
        if context is not None:
            self.contexts.append(context)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204, "headers": self._headers})
            await send({"type": "http.response.body", "body": b""})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.accept"})

    @property
    def seen(self) -> Raw:
        """The headers of the only request."""
        [scope] = self.scopes
        return list(scope["headers"])

    @property
    def context(self) -> RequestContext:
        """The context of the only request."""
        [context] = self.contexts
        return context


def scope_of(headers: Iterable[tuple[bytes, bytes]], **more: Any) -> dict[str, Any]:
    """A request from loopback."""
    return {
        "type": "http",
        "method": "GET",
        "path": "/",
        "scheme": "http",
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 80),
        "headers": list(headers),
        **more,
    }


def exchange(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """What the application sent."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect" if scope["type"] == "websocket" else "http.request"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def values(headers: Raw, name: bytes) -> list[bytes]:
    """All lines of a header."""
    return [value for key, value in headers if key.lower() == name]


def test_verified_caller_is_continued() -> None:
    """Trace, ids, baggage and decisions of one of ours are the request's."""
    app = App()
    exchange(asgi(app, CONTRACT, boundary=TRUSTED), scope_of(SENT))

    context = app.context
    assert "4bf92f3577b34da6a3ce929d0e0e4736" == context.trace.trace_id
    assert "00f067aa0ba902b7" == context.trace.parent_span_id
    assert ("theirs", "journey-1") == (context.request_id, context.correlation_id)
    assert [("region", "eu"), ("promo", "x")] == [(member.key, member.value) for member in context.baggage]
    assert [(1, 7)] == list(context.ledger.arrived)
    assert (Member("pennon2", "later"),) == context.ledger.foreign


@pytest.mark.parametrize("boundary", [public(), mesh(), mesh(verify=networks("10.0.0.0/8"))])
def test_stranger_is_not_believed(boundary: Boundary) -> None:
    """At a public boundary, and in a mesh when nobody vouches: a new trace and id, none of ours, no unknown member."""
    app = App()
    exchange(asgi(app, CONTRACT, boundary=boundary), scope_of(SENT))

    context = app.context
    assert "4bf92f3577b34da6a3ce929d0e0e4736" != context.trace.trace_id
    assert context.trace.parent_span_id is None
    assert "theirs" != context.request_id
    assert "theirs" == context.caller_request_id
    assert ["region"] == [member.key for member in context.baggage]
    assert {} == context.ledger.arrived
    assert () == context.ledger.foreign


@pytest.mark.parametrize("boundary", [public(), TRUSTED])
def test_application_sees_nothing_of_ours(boundary: Boundary) -> None:
    """Whatever reads raw headers inside finds no member of ours, and the ids that the context has, once."""
    app = App()
    exchange(asgi(app, CONTRACT, boundary=boundary), scope_of(SENT))

    assert not any(b"pennon" in name.lower() or b"pennon" in value for name, value in app.seen)
    assert [app.context.request_id.encode()] == values(app.seen, b"x-request-id")
    assert [b"journey-1"] == values(app.seen, b"x-correlation-id")
    assert 1 == len(values(app.seen, b"baggage"))


def test_application_sees_no_trace_of_a_stranger() -> None:
    """An instrumentation inside would take its parent, and switch sampling on, from it."""
    app = App()
    exchange(asgi(app, CONTRACT, boundary=public()), scope_of(SENT))

    assert [] == values(app.seen, b"traceparent") + values(app.seen, b"tracestate")


def test_application_sees_the_trace_of_a_verified_caller() -> None:
    """An instrumentation inside continues it, with properties of members kept."""
    app = App()
    exchange(asgi(app, CONTRACT, boundary=TRUSTED), scope_of(SENT))

    assert [PARENT] == values(app.seen, b"traceparent")
    assert [b"region=eu,promo=x;p=1"] == values(app.seen, b"baggage")


@pytest.mark.parametrize("name", [b"X-Tenant-Id", b"tenant"])
def test_application_does_not_see_a_field_that_its_caller_may_not_set(name: bytes) -> None:
    """Also not under the name that it has on records."""
    app = App()
    exchange(asgi(app, CONTRACT, boundary=public()), scope_of([(name, b"acme")]))

    assert [] == values(app.seen, name.lower())


def test_scope_of_the_server_is_not_edited() -> None:
    """A server may log or reuse it."""
    scope = scope_of(SENT)
    exchange(asgi(App(), CONTRACT, boundary=public()), scope)

    assert SENT == scope["headers"]


def test_response_has_each_id_once() -> None:
    """Whatever the application, or a library in it, has set."""
    theirs: Raw = [(b"X-Request-ID", b"x"), (b"x-request-id", b"y"), (b"X-Correlation-Id", b"z"), (b"etag", b'"1"')]
    app = App([*theirs, (b"pennon-decided", b"leak")])
    start = exchange(asgi(app, CONTRACT, boundary=TRUSTED), scope_of(SENT))[0]

    assert [(b"etag", b'"1"'), (b"x-request-id", b"theirs"), (b"x-correlation-id", b"journey-1")] == start["headers"]


def test_response_without_a_conversation_has_no_correlation_id() -> None:
    """Nobody began one."""
    start = exchange(asgi(App(), CONTRACT, boundary=public()), scope_of([]))[0]

    assert [b"x-request-id"] == [name for name, _ in start["headers"]]


def test_lifespan_passes_through() -> None:
    """It is no request: the same scope, no context."""
    app = App()
    scope = {"type": "lifespan", "state": {}}
    exchange(asgi(app, CONTRACT, boundary=public()), scope)

    assert app.scopes[0] is scope
    assert [] == app.contexts


def test_websocket_has_a_context_and_ids() -> None:
    """From its handshake on, as long as its call."""
    app = App()
    [accept] = exchange(asgi(app, CONTRACT, boundary=TRUSTED), scope_of(SENT, type="websocket", scheme="ws"))

    assert [(b"x-request-id", b"theirs"), (b"x-correlation-id", b"journey-1")] == accept["headers"]
    assert [(1, 7)] == list(app.context.ledger.arrived)


def test_ledger_is_sealed_when_the_call_ends() -> None:
    """A task that outlives the request asks in vain, it does not decide for the next one."""
    app = App()
    exchange(asgi(app, CONTRACT, boundary=public()), scope_of([]))

    assert app.context.ledger.is_sealed
    assert ambient.current() is None


def test_ledger_is_sealed_when_the_application_fails() -> None:
    """Its error goes on to the server."""
    seen: list[RequestContext] = []

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        context = ambient.current()
        assert context is not None
        seen.append(context)
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        exchange(asgi(failing, CONTRACT, boundary=public()), scope_of([]))
    assert seen[0].ledger.is_sealed


def test_identity_fills_the_context() -> None:
    """At a public boundary it is asked about everybody: it looks at credentials."""
    app = App()
    known = Identity(tenant="acme", actor="user-7", units={"user": "7"}, attributes={"plan": "pro"})

    def identity(inbound: Inbound) -> Identity:
        assert ("127.0.0.1", "GET", "/", None) == (inbound.address, inbound.method, inbound.path, inbound.topic)
        return known if inbound.header("Authorization") == "Bearer 7" else Identity()

    exchange(asgi(app, CONTRACT, boundary=public(identity=identity)), scope_of([(b"authorization", b"Bearer 7")]))

    assert known == app.context.identity


def test_identity_in_a_mesh_is_asked_of_verified_callers_only() -> None:
    """There it may believe plain headers, so a stranger does not get as far."""
    app = App()
    asked: list[Inbound] = []

    def identity(inbound: Inbound) -> Identity:
        asked.append(inbound)
        return Identity(actor=inbound.header("x-actor"))

    strangers = mesh(verify=networks("10.0.0.0/8"), identity=identity)
    exchange(asgi(app, CONTRACT, boundary=strangers), scope_of([(b"x-actor", b"root")]))

    assert [] == asked
    assert app.context.identity.actor is None


HOSTILE: dict[str, tuple[Raw, str]] = {
    "8 kB of baggage": ([(b"baggage", b"secret=" + b"a" * 8_192)], "baggage"),
    "8 kB of baggage in lines": ([(b"baggage", b"k=" + b"a" * 1_000)] * 9, "baggage"),
    "5,000 headers": ([(b"x-%d" % n, b"secret") for n in range(5_000)], "headers"),
    "1 MB": ([(b"x-big", b"secret" * 170_000)], "headers"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_request_over_the_limits_is_refused_by_name(what: str) -> None:
    """431 and the field, never its value; the application is not called, nobody's identity is asked, it is counted."""
    sent, field = HOSTILE[what]
    app = App()
    before = sum(sample.total for sample in counters.samples() if sample.name is counters.Count.HEADERS_DROPPED)

    start, body = exchange(asgi(app, CONTRACT, boundary=public(identity=_never)), scope_of(sent))

    assert 431 == start["status"]
    assert [b"application/problem+json"] == values(start["headers"], b"content-type")
    assert 1 == len(values(start["headers"], b"x-request-id"))
    problem = msgspec.json.decode(body["body"])
    assert ("headers_refused", 431, field) == (problem["code"], problem["status"], problem["field"])
    assert b"secret" not in body["body"]
    assert b"aaaa" not in body["body"]
    assert [] == app.scopes
    after = sum(sample.total for sample in counters.samples() if sample.name is counters.Count.HEADERS_DROPPED)
    assert before < after


def _never(_: Inbound) -> Identity:
    raise AssertionError("a refused request's identity was asked for")


def test_websocket_over_the_limits_is_refused_before_its_handshake() -> None:
    """With the status where the server can say it, else by closing (RFC 6455, 1008)."""
    sent = HOSTILE["5,000 headers"][0]
    door = asgi(App(), CONTRACT, boundary=public())

    [closed] = exchange(door, scope_of(sent, type="websocket"))
    start, _ = exchange(door, scope_of(sent, type="websocket", extensions={"websocket.http.response": {}}))

    assert {"type": "websocket.close", "code": 1008} == closed
    assert ("websocket.http.response.start", 431) == (start["type"], start["status"])


def test_two_hundred_members_are_cut_and_counted() -> None:
    """They are within the wire's limit, so the request is served, with as many as the policy allows."""
    app = App()
    lines = [(b"baggage", ",".join(f"k{n}=v" for n in range(200)).encode())]
    before = _dropped("over_budget") + _dropped("too_many")

    start = exchange(asgi(app, CONTRACT, boundary=TRUSTED), scope_of(lines))[0]

    assert 204 == start["status"]
    assert 16 == len(app.context.baggage)
    assert before < _dropped("over_budget") + _dropped("too_many")


@pytest.mark.parametrize("parent", [b"00-" + b"0" * 32 + b"-1-01", PARENT + b"\n", b"\xff\xfe", b""])
def test_broken_traceparent_begins_a_trace(parent: bytes) -> None:
    """And takes nothing else with it."""
    app = App()
    before = _dropped("malformed")
    exchange(asgi(app, CONTRACT, boundary=TRUSTED), scope_of([(b"traceparent", parent), (b"x-request-id", b"theirs")]))

    assert app.context.trace.parent_span_id is None
    assert "theirs" == app.context.request_id
    assert before + 1 == _dropped("malformed")
    assert [] == values(app.seen, b"traceparent")


def test_malformed_decisions_are_dropped_and_counted() -> None:
    """Group by group; the request is served."""
    app = App()
    before = _total(counters.Count.CARRY_GROUPS_DROPPED)
    broken = f"pennon={MEMBER}.AAAA.!!".encode()
    exchange(asgi(app, CONTRACT, boundary=TRUSTED), scope_of([(b"baggage", broken)]))

    assert [(1, 7)] == list(app.context.ledger.arrived)
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


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=120), st.booleans())
def test_any_headers_are_served_or_refused(headers: Raw, is_trusted: bool) -> None:
    """No bytes raise; what the application sees is within the limits and not ours; ids are safe to put in a header."""
    app = App()
    start = exchange(asgi(app, CONTRACT, boundary=TRUSTED if is_trusted else public()), scope_of(headers))[0]

    assert start["status"] in (204, 431)
    if start["status"] == 204:
        context = app.context
        sizes = [len(member.key) + 1 + len(member.value.encode()) for member in context.baggage]
        assert len(sizes) <= 16
        assert sum(sizes) <= 1_024
        assert not any(member.key.startswith("pennon") for member in context.baggage)
        assert not any(name.lower().startswith(b"pennon-") for name, _ in app.seen)
        assert len(values(app.seen, b"baggage")) <= 1
        assert not any(b"pennon" in line.partition(b"=")[0] for line in values(app.seen, b"baggage"))
    assert 1 == len(values(start["headers"], b"x-request-id"))
    assert all(b"\r" not in value and b"\n" not in value for _, value in start["headers"])


def test_door_keeps_the_application_at_hand() -> None:
    """So that tools that walk middlewares, ours too, find what is inside."""
    app: Callable[..., Any] = App()

    assert app is asgi(app, CONTRACT, boundary=public()).app
