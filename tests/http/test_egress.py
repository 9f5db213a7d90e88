"""What the httpx door alone does, over transports that send nothing; what all clients share is in test_clients.py."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx
import pytest
from opentelemetry import baggage, context

import pennon.http
from pennon import ambient, counters
from pennon.context import Identity, Ledger, Member, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.headers import BaggagePolicy, Contract, Downstream, std

CONTRACT = Contract(
    "test",
    version="1",
    owner="tests",
    baggage=BaggagePolicy(allow=("region",)),
    downstreams=(
        Downstream("posts", host="posts.internal"),
        Downstream("port", host="127.0.0.1:8001"),
        Downstream("secure", host="secure.internal:443"),
    ),
)
HERE = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "vendor=1")
PARENT = "00-" + "c" * 32 + "-" + "d" * 16 + "-01"
OURS = {"traceparent", "tracestate", "baggage", "x-request-id", "x-correlation-id"}

Decide = Callable[[str], str]
Carried = Callable[[list[bytes]], list[tuple[int, str]]]


class Wire:
    """What was sent, and what is answered."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response] | None = None) -> None:
        self.sent: list[httpx.Request] = []
        self._answer = answer or (lambda _: httpx.Response(204))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return self._answer(request)

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """The headers of the last request."""
        return self.sent[-1].headers.raw

    def lines(self, name: str) -> list[bytes]:
        """All lines of a header of the last request."""
        return [value for key, value in self.raw if key.lower() == name.encode()]

    def names(self) -> set[str]:
        """The header names of the last request, lower-case."""
        return {key.decode().lower() for key, _ in self.raw}


def client(wire: Wire, contract: Contract = CONTRACT) -> httpx.Client:
    """A client behind the door."""
    return pennon.http.httpx(httpx.Client(transport=httpx.MockTransport(wire), follow_redirects=True), contract)


@contextmanager
def request_of(**more: Any) -> Iterator[RequestContext]:
    """A request being served."""
    fields: dict[str, Any] = {"correlation_id": "journey-1", "baggage": (Member("region", "eu", "p=1"),), **more}
    with ambient.entered(RequestContext(HERE, RequestId("req-1"), Ledger(), **fields)) as entered:
        yield entered


@pytest.mark.parametrize("url", ["http://elsewhere.example/", "http://127.0.0.1:8002/", "http://posts.internal.evil/"])
def test_undeclared_host_gets_nothing(url: str, decide: Decide) -> None:
    """Not even what the caller copied in of ours."""
    wire = Wire()
    by_hand = {"Baggage": "pennon=x,promo=y", "X-Request-ID": "req-1", "pennon-decided": "x", "accept": "text/plain"}
    with request_of():
        decide("blue")
        client(wire).get(url, headers=by_hand)

    assert set() == OURS & wire.names()
    assert not any("pennon" in name for name in wire.names())
    assert [b"text/plain"] == wire.lines("accept")


@pytest.mark.parametrize(
    ("url", "is_declared"),
    [
        ("http://127.0.0.1:8001/", True),
        ("https://secure.internal/", True),
        ("http://secure.internal/", False),
        ("http://secure.internal:443/", True),
    ],
)
def test_port_of_a_url_without_one_is_its_scheme_s(url: str, is_declared: bool) -> None:
    """A downstream declared with a port means that port, said or not."""
    wire = Wire()
    with request_of():
        client(wire).get(url)

    assert is_declared == ("x-request-id" in wire.names())


def test_caller_s_request_is_not_edited(decide: Decide) -> None:
    """It can be sent again, elsewhere."""
    wire = Wire()
    request = httpx.Request("POST", "http://posts.internal/", headers={"x-own": "1"}, content=b"body")
    before = list(request.headers.raw)
    with request_of():
        decide("blue")
        response = client(wire).send(request)

    assert before == request.headers.raw
    assert response.request is request
    assert b"body" == wire.sent[0].read()


@pytest.mark.parametrize("broken", ["00-1-1-01", PARENT + "-00", ""])
def test_caller_s_broken_traceparent_is_replaced(broken: str) -> None:
    """It would end the trace at the next hop."""
    wire = Wire()
    with request_of():
        client(wire).get("http://posts.internal/", headers={"traceparent": broken})

    assert [b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"] == wire.lines("traceparent")


def test_opentelemetry_s_baggage_joins_the_request_s() -> None:
    """What the application sets by its API leaves, what has only been through its form encoding does not win."""
    wire = Wire()
    inside = baggage.set_baggage("set", "a b", baggage.set_baggage("plus", "1 1"))
    token = context.attach(inside)
    try:
        with request_of(baggage=(Member("plus", "1+1"),)):
            client(wire).get("http://posts.internal/")
    finally:
        context.detach(token)

    assert [b"plus=1+1,set=a%20b"] == wire.lines("baggage")


def test_baggage_over_the_budget_is_cut_and_counted(decide: Decide, carried: Carried) -> None:
    """Whole members go, ours last."""
    wire = Wire()
    wanted = (counters.Count.HEADERS_DROPPED, "over_budget")
    before = sum(sample.total for sample in counters.samples() if (sample.name, sample.cause) == wanted)
    with request_of(baggage=tuple(Member(f"k{n}", "v" * 100) for n in range(20))):
        decide("blue")
        client(wire).get("http://posts.internal/")

    [line] = wire.lines("baggage")
    assert len(line) <= 1_024
    assert [(7, "b")] == carried([line])
    assert before < sum(sample.total for sample in counters.samples() if (sample.name, sample.cause) == wanted)


def test_mounted_transports_are_wrapped() -> None:
    """All ways out of the client, but not the ones that fall back to its own."""
    default, mounted = Wire(), Wire()
    mounts: dict[str, httpx.BaseTransport | None] = {
        "http://posts.internal": httpx.MockTransport(mounted),
        "http://none": None,
    }
    bare = httpx.Client(transport=httpx.MockTransport(default), mounts=mounts)
    wrapped = pennon.http.httpx(bare, CONTRACT)
    with request_of():
        wrapped.get("http://posts.internal/")
        wrapped.get("http://none/")

    assert wrapped is bare
    assert [b"req-1"] == mounted.lines("x-request-id")
    assert "x-request-id" not in default.names()


def test_wrapping_twice_takes_the_new_contract() -> None:
    """There is one door, not two that undo each other's work."""
    wire = Wire()
    nothing = Contract("none", version="1", owner="tests")
    with request_of():
        pennon.http.httpx(client(wire, nothing), CONTRACT).get("http://posts.internal/")

    assert [b"req-1"] == wire.lines("x-request-id")


class Closing(httpx.BaseTransport):
    """A transport that says whether it was opened and closed, and fails."""

    def __init__(self) -> None:
        self.was: list[str] = []

    def __enter__(self) -> Self:
        self.was.append("entered")
        return self

    def __exit__(self, *_: object) -> None:
        self.was.append("exited")

    def close(self) -> None:
        self.was.append("closed")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there", request=request)


def test_transport_inside_is_opened_and_closed_and_its_errors_go_on() -> None:
    """The door adds headers, it changes nothing else."""
    inside, outside = Closing(), Closing()
    wrapped = pennon.http.httpx(httpx.Client(transport=inside), CONTRACT)
    with wrapped, pytest.raises(httpx.ConnectError, match="nobody there"):
        wrapped.get("http://posts.internal/")
    pennon.http.httpx(httpx.Client(transport=outside), CONTRACT).close()

    assert ["entered", "exited"] == inside.was
    assert ["closed"] == outside.was


STRICT = Contract(
    "strict",
    version="1",
    owner="tests",
    fields=(std.IDEMPOTENCY_KEY, std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF),
    downstreams=(
        Downstream("posts", host="posts.internal", tenant=True, audience="posts"),
        Downstream("silent", host="silent.internal"),
    ),
)
HOP_BY_HOP = {
    "keep-alive": "timeout=5",
    "proxy-authorization": "Basic x",
    "proxy-connection": "keep-alive",
    "trailer": "x",
    "te": "gzip",
    "upgrade": "h2c",
    "http2-settings": "x",
    "forwarded": "for=1.2.3.4",
    "x-forwarded-for": "1.2.3.4",
    "x-envoy-expected-rq-timeout-ms": "10",
}
RESPONSE_ONLY = {
    "set-cookie": "s=1",
    "retry-after": "3",
    "etag": '"1"',
    "deprecation": "@1",
    "sunset": "x",
    "link": "<x>",
}


@pytest.mark.req(18, 20, 21, 100)
@pytest.mark.parametrize("url", ["http://posts.internal/", "http://elsewhere.example/"])
@pytest.mark.parametrize("name", sorted({**HOP_BY_HOP, **RESPONSE_ONLY}))
def test_what_concerns_another_message_does_not_leave(url: str, name: str) -> None:
    """Fields of one connection, of proxies, of responses: copied from what came in, to whomever."""
    wire = Wire()
    with request_of():
        client(wire, STRICT).get(url, headers={name: {**HOP_BY_HOP, **RESPONSE_ONLY}[name], "x-own": "1"})

    assert name not in wire.names()
    assert [b"1"] == wire.lines("x-own")


@pytest.mark.req(18)
@pytest.mark.parametrize("said", ["close, X-Secret-Thing", "keep-alive,x-secret-thing , host", "x-secret-thing"])
def test_what_a_connection_names_does_not_leave(said: str) -> None:
    """Nor the Connection, which was another one's; the client's own framing stays."""
    wire = Wire()
    before = dropped_count("nominated")
    with request_of():
        client(wire, STRICT).post(
            "http://posts.internal/", headers={"connection": said, "X-Secret-Thing": "1"}, content=b"body"
        )

    assert not {"connection", "x-secret-thing"} & wire.names()
    assert {"host", "content-length"} <= wire.names()
    assert 1 == dropped_count("nominated") - before


@pytest.mark.req(18)
@pytest.mark.parametrize(
    "asked",
    [
        {"connection": "keep-alive"},
        {"connection": "Close"},
        {"connection": "Upgrade", "upgrade": "h2c"},
        {"te": "trailers"},
    ],
)
def test_what_a_client_asks_of_its_own_connection_stays(asked: dict[str, str]) -> None:
    """A WebSocket begins so, and gRPC needs the last one."""
    wire = Wire()
    with request_of():
        client(wire, STRICT).get("http://posts.internal/", headers=asked)

    assert asked.keys() <= wire.names()


def dropped_count(reason: str) -> int:
    """How many headers were dropped for it."""
    return sum(each.total for each in counters.samples() if (each.name.name, each.cause) == ("HEADERS_DROPPED", reason))


@pytest.mark.req(58)
@pytest.mark.parametrize(
    ("sent", "leaves"), [('"key-1"', False), ("key-1", False), ('"payment-captured:event:1"', True), ('"key-10"', True)]
)
@pytest.mark.parametrize("url", ["http://posts.internal/", "http://elsewhere.example/"])
def test_idempotency_key_that_came_in_does_not_go_out(url: str, sent: str, leaves: bool) -> None:
    """In either spelling; one that was made for the call does."""
    wire = Wire()
    before = dropped_count("not_forwarded")
    with request_of(fields=(("idempotency-key", '"key-1"'),)):
        client(wire, STRICT).post(url, headers={"Idempotency-Key": sent})

    assert ([sent.encode()] if leaves else []) == wire.lines("idempotency-key")
    assert (not leaves) == dropped_count("not_forwarded") - before


@pytest.mark.req(21, 69, 95, 100, 104)
def test_identity_leaves_from_the_context_alone() -> None:
    """Whatever a handler copies: where it is granted the verified one stands, elsewhere none."""
    wire = Wire()
    copied = {"X-Tenant-Id": "forged", "X-Actor-Id": "forged", "x-actor-type": "SYSTEM", "x-on-behalf-of": "forged"}
    with request_of(identity=Identity(tenant="tenant-42", actor="user-9")):
        client(wire, STRICT).get("http://posts.internal/", headers=copied)
        told = wire.lines("x-tenant-id")
        client(wire, STRICT).get("http://silent.internal/", headers=copied)
        client(wire, STRICT).get("http://elsewhere.example/", headers=copied)

    assert [b"tenant-42"] == told
    assert not any(b"forged" in value for request in wire.sent for _, value in request.headers.raw)
    assert not any({"x-tenant-id", "x-actor-id"} & request.headers.keys() for request in wire.sent[1:])


@pytest.mark.req(21, 69, 95, 104)
@pytest.mark.parametrize("name", ["X_Tenant_Id", "x_tenant-id", "X-Tenant_ID"])
@pytest.mark.parametrize("host", ["posts", "silent", "elsewhere"])
def test_twin_of_identity_by_hand_does_not_leave(name: str, host: str) -> None:
    """An application behind WSGI reads it as the real one."""
    wire = Wire()
    with request_of(identity=Identity(tenant="tenant-42")):
        client(wire, STRICT).get(f"http://{host}.internal/", headers={name: "forged"})

    assert name.lower() not in wire.names()


class Signing:
    """Signs as a test reads it."""

    def signed(self, identity: Identity, audience: str | None) -> str | None:
        """Whom it is for, and whose request it is."""
        return None if audience is None else f"{audience}.{identity.tenant}"


def test_signed_context_goes_to_its_audience_alone() -> None:
    """By the signer that the door was given; a copied one goes nowhere."""
    wire = Wire()
    signing = pennon.http.httpx(httpx.Client(transport=httpx.MockTransport(wire)), STRICT, signer=Signing())
    said = []
    with request_of(identity=Identity(tenant="tenant-42")):
        for host in ("posts.internal", "silent.internal", "elsewhere.example"):
            signing.get(f"http://{host}/", headers={"Pennon-Context": "a.b.c"})
            said.append(wire.lines("pennon-context"))

    assert [[b"posts.tenant-42"], [], []] == said


@pytest.mark.parametrize("is_known", [True, False])
def test_door_keeps_to_the_public_way_where_httpx_keeps_headers_otherwise(
    monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    """The quick way and the public one lead to the same request."""
    monkeypatch.setattr("pennon.http.httpx_door._IS_LIST_KNOWN", is_known)
    wire = Wire()
    by_hand = [("X-Own", "1"), ("x-own", "2"), ("X-Request-ID", "mine"), ("traceparent", PARENT), ("Baggage", "set=1")]
    with request_of():
        client(wire).get("http://posts.internal/", headers=by_hand)
    sent = [(key.lower(), value) for key, value in wire.raw]

    assert [(b"x-own", b"1"), (b"x-own", b"2")] == [each for each in sent if each[0] == b"x-own"]
    assert [PARENT.encode()] == wire.lines("traceparent")
    assert [b"req-1"] == wire.lines("x-request-id") == [value for name, value in sent if name == b"x-request-id"]
    assert [b"region=eu;p=1,set=1"] == wire.lines("baggage")
