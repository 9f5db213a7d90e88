"""The doors from which requests go out, over real sockets: one suite for httpx (two), requests, urllib3 and aiohttp."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
from opentelemetry import baggage, context
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

import pennon
import pennon.http
from pennon import ambient, counters
from pennon.carry import encode_entries, fingerprint_of
from pennon.context import Entry, Ledger, Member, Origin, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.headers import BaggagePolicy, Contract, Downstream

HERE = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "vendor=1")
OURS = {"traceparent", "tracestate", "baggage", "x-request-id", "x-correlation-id"}
PARENT = "00-" + "c" * 32 + "-" + "d" * 16 + "-01"

Decide = Callable[[str], str]
Carried = Callable[[list[bytes]], list[tuple[int, str]]]
Lines = dict[str, list[bytes]]


@dataclass
class Answer:
    """A response, whichever client's."""

    status: int
    headers: dict[str, str]
    body: bytes


Call = Callable[..., Answer]


def by_httpx(contract: Contract, method: str, url: str, **more: Any) -> Answer:
    """Through httpx, redirects followed."""
    with pennon.http.httpx(httpx.Client(follow_redirects=True, trust_env=False), contract) as client:
        got = client.request(method, url, **more)
    return Answer(got.status_code, {name.lower(): value for name, value in got.headers.items()}, got.content)


def by_httpx_async(contract: Contract, method: str, url: str, **more: Any) -> Answer:
    """The same, async."""

    async def call() -> Answer:
        bare = httpx.AsyncClient(follow_redirects=True, trust_env=False)
        async with pennon.http.httpx(bare, contract) as client:
            got = await client.request(method, url, **more)
        return Answer(got.status_code, {name.lower(): value for name, value in got.headers.items()}, got.content)

    return asyncio.run(call())


def by_requests(contract: Contract, method: str, url: str, **more: Any) -> Answer:
    """Through requests."""
    with pennon.http.requests(requests.Session(), contract) as session:
        session.trust_env = False
        more["data"] = more.pop("content", None)
        got = session.request(method, url, **more)
    assert "pennon-decided" not in got.raw.headers
    return Answer(got.status_code, {name.lower(): value for name, value in got.headers.items()}, got.content)


def by_urllib3(contract: Contract, method: str, url: str, **more: Any) -> Answer:
    """Through urllib3."""
    more["body"] = more.pop("content", None)
    retries = urllib3.Retry(connect=False, redirect=5)
    with pennon.http.urllib3(urllib3.PoolManager(retries=retries), contract) as manager:
        got = manager.request(method, url, **more)
    return Answer(got.status, {name.lower(): value for name, value in got.headers.items()}, got.data)


def by_aiohttp(contract: Contract, method: str, url: str, **more: Any) -> Answer:
    """Through aiohttp."""

    async def call() -> Answer:
        async with pennon.http.aiohttp(aiohttp.ClientSession(), contract) as session:
            more["data"] = more.pop("content", None)
            async with session.request(method, url, **more) as got:
                assert not [name for name, _ in got.raw_headers if name.lower() == b"pennon-decided"]
                body = await got.read()
                return Answer(got.status, {name.lower(): value for name, value in got.headers.items()}, body)

    return asyncio.run(call())


CLIENTS = [by_httpx, by_httpx_async, by_requests, by_urllib3, by_aiohttp]


class Host:
    """It remembers the headers of every path; `/to/host:port/path` leads there, `/decided…` says what it was told."""

    def __init__(self) -> None:
        self.received: dict[str, Lines] = {}
        self.bodies: dict[str, bytes] = {}
        self.says: list[tuple[bytes, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        lines: Lines = defaultdict(list)
        for name, value in scope["headers"]:
            lines[name.decode()].append(value)
        self.received[scope["path"]] = lines
        self.bodies[scope["path"]] = (await receive()).get("body", b"")
        status, headers = 200, self.says if scope["path"].startswith("/decided") else []
        if "/to/" in scope["path"]:
            place = scope["path"].partition("/to/")[2]
            status, headers = 307, [*headers, (b"location", f"http://{place}".encode())]
        elif scope["path"] == "/missing":
            status = 404
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"4"), *headers]})
        await send({"type": "http.response.body", "body": b"body"})


class Hosts:
    """A declared host that decides, a quiet one, an external one, an undeclared one, and the contract that says so."""

    def __init__(self, serve: Callable[..., str]) -> None:
        self.declared, self.quiet, self.external, self.undeclared = (Host() for _ in range(4))
        self.at = {id(host): serve(host) for host in (self.declared, self.quiet, self.external, self.undeclared)}
        self.contract = Contract(
            "test",
            version="1",
            owner="tests",
            baggage=BaggagePolicy(allow=("region",)),
            downstreams=(
                Downstream("declared", host=self.place(self.declared), decides=True),
                Downstream("quiet", host=self.place(self.quiet), trace=False, request_id=False, correlation_id=False),
                Downstream("external", host=self.place(self.external), external=True),
            ),
        )

    def place(self, host: Host) -> str:
        """Its host:port."""
        return self.at[id(host)]


@pytest.fixture(scope="module")
def hosts(serve_on: Callable[..., str]) -> Hosts:
    """Four hosts on loopback, for all tests here."""
    return Hosts(serve_on)


@pytest.fixture(params=CLIENTS, ids=["httpx", "httpx async", "requests", "urllib3", "aiohttp"])
def call(request: pytest.FixtureRequest, hosts: Hosts) -> Call:
    """Calls a host through one of the doors: host, path; what else the client is told."""
    through: Call = request.param
    for host in (hosts.declared, hosts.quiet, hosts.external, hosts.undeclared):
        host.received.clear()
        host.says = []

    def call(host: Host | str, path: str = "/", *, method: str = "GET", **more: Any) -> Answer:
        place = host if isinstance(host, str) else hosts.place(host)
        return through(hosts.contract, method, f"http://{place}{path}", **more)

    return call


@contextmanager
def request_of(**more: Any) -> Iterator[RequestContext]:
    """A request being served."""
    given: dict[str, Any] = {"correlation_id": "journey-1", "baggage": (Member("region", "eu", "p=1"),), **more}
    with ambient.entered(RequestContext(HERE, RequestId("req-1"), Ledger(), **given)) as entered:
        yield entered


@pytest.mark.req(35, 94)
def test_declared_host_gets_the_request(call: Call, hosts: Hosts, decide: Decide, carried: Carried) -> None:
    """Trace, ids, baggage with its properties, and the decisions, each header once."""
    with request_of():
        decide("blue")
        call(hosts.declared, "/x")

    got = hosts.declared.received["/x"]
    assert [b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"] == got["traceparent"]
    assert ([b"vendor=1"], [b"req-1"], [b"journey-1"]) == (
        got["tracestate"],
        got["x-request-id"],
        got["x-correlation-id"],
    )
    [line] = got["baggage"]
    assert b"region=eu;p=1" in line.split(b",")
    assert [(7, "b")] == carried([line])


@pytest.mark.req(95, 100)
def test_undeclared_host_gets_nothing(call: Call, hosts: Hosts, decide: Decide) -> None:
    """Not even what the caller copied in of ours; everything else of its leaves."""
    by_hand = {"Baggage": "pennon=x,promo=y", "X-Request-ID": "req-1", "pennon-decided": "x", "x-own": "1"}
    with request_of():
        decide("blue")
        call(hosts.undeclared, "/x", headers=by_hand)

    got = hosts.undeclared.received["/x"]
    assert set() == OURS & set(got)
    assert not any("pennon" in name for name in got)
    assert [b"1"] == got["x-own"]


@pytest.mark.req(86, 95, 121)
def test_each_downstream_gets_what_it_is_declared_to_get(
    call: Call, hosts: Hosts, decide: Decide, carried: Carried
) -> None:
    """Its policy holds, also over what the caller set; somebody else's host gets no baggage."""
    with request_of():
        decide("blue")
        call(hosts.quiet, "/x", headers={"traceparent": PARENT, "x-request-id": "mine"})
        call(hosts.external, "/x")

    assert {"baggage"} == OURS & set(hosts.quiet.received["/x"])
    assert [(7, "b")] == carried(hosts.quiet.received["/x"]["baggage"])
    assert {"traceparent", "tracestate", "x-request-id", "x-correlation-id"} == OURS & set(
        hosts.external.received["/x"]
    )


@pytest.mark.req(95)
def test_redirect_starts_clean(call: Call, hosts: Hosts, decide: Decide, carried: Carried) -> None:
    """What the first host got does not follow to an undeclared one; a declared one gets it, whoever led there."""
    by_hand = {"baggage": "own=1"}
    with request_of():
        decide("blue")
        away = call(hosts.declared, f"/away/to/{hosts.place(hosts.undeclared)}/away", headers=by_hand)
        back = call(hosts.undeclared, f"/back/to/{hosts.place(hosts.declared)}/back", headers=by_hand)

    assert [200, 200] == [away.status, back.status]
    assert {"traceparent", "baggage"} <= set(hosts.declared.received[f"/away/to/{hosts.place(hosts.undeclared)}/away"])
    assert set() == OURS & set(hosts.undeclared.received["/away"])
    assert set() == OURS & set(hosts.undeclared.received[f"/back/to/{hosts.place(hosts.declared)}/back"])
    got = hosts.declared.received["/back"]
    assert [(7, "b")] == carried(got["baggage"])
    assert [1, 1] == [len(got[name]) for name in ("traceparent", "baggage")]
    assert b"own=1" in got["baggage"][0].split(b",")


def test_caller_s_valid_traceparent_wins(call: Call, hosts: Hosts) -> None:
    """Whoever set it meant it: it leaves once, also to an undeclared host; a broken one is replaced."""
    with request_of():
        call(hosts.declared, "/own", headers={"traceparent": PARENT, "tracestate": "own=1"})
        call(hosts.declared, "/broken", headers={"Traceparent": "00-1-1-01"})
        call(hosts.undeclared, "/own", headers={"TraceParent": PARENT})

    got = hosts.declared.received
    assert ([PARENT.encode()], [b"own=1"]) == (got["/own"]["traceparent"], got["/own"]["tracestate"])
    assert [b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"] == got["/broken"]["traceparent"]
    assert [PARENT.encode()] == hosts.undeclared.received["/own"]["traceparent"]


def test_caller_s_baggage_joins_the_request_s(call: Call, hosts: Hosts, decide: Decide, carried: Carried) -> None:
    """By hand and by OpenTelemetry's API; a key it sets takes the place of what came in; decisions are the ledger's."""
    token = context.attach(baggage.set_baggage("set", "a b"))
    try:
        with request_of(baggage=(Member("region", "eu", "p=1"), Member("tier", "free"))):
            decide("blue")
            call(hosts.declared, "/x", headers={"baggage": "region=us,own=1,pennon=AAAA,pennon9=x"})
    finally:
        context.detach(token)

    [line] = hosts.declared.received["/x"]["baggage"]
    members = line.split(b",")
    assert {b"tier=free", b"region=us", b"own=1", b"set=a%20b"} == {each for each in members if b"pennon" not in each}
    assert b"pennon9" not in line
    assert [(7, "b")] == carried([line])


def test_call_outside_a_request_carries_what_the_caller_set(call: Call, hosts: Hosts) -> None:
    """A declared host gets it, and OpenTelemetry's baggage; an undeclared one gets none of it."""
    by_hand = {"baggage": "own=1,pennon9=later", "x-request-id": "mine"}
    token = context.attach(baggage.set_baggage("set", "here"))
    try:
        call(hosts.declared, "/x", headers=by_hand)
        call(hosts.undeclared, "/x", headers=by_hand)
    finally:
        context.detach(token)

    got = hosts.declared.received["/x"]
    assert ([b"own=1,pennon9=later,set=here"], [b"mine"]) == (got["baggage"], got["x-request-id"])
    assert set() == OURS & set(hosts.undeclared.received["/x"])


def test_detached_call_leaves_the_request_behind(call: Call, hosts: Hosts, decide: Decide) -> None:
    """Work that a request begins and does not wait for."""
    with request_of():
        decide("blue")
        with pennon.detached():
            call(hosts.declared, "/x")

    assert set() == OURS & set(hosts.declared.received["/x"])


@pytest.mark.req(94)
def test_caller_s_headers_are_not_edited(call: Call, hosts: Hosts, decide: Decide) -> None:
    """They may be shared by all calls of a service; the body arrives as it was sent."""
    mine = {"x-own": "1", "baggage": "own=1"}
    with request_of():
        decide("blue")
        call(hosts.declared, "/x", method="POST", headers=mine, content=b"sent")

    assert {"x-own": "1", "baggage": "own=1"} == mine
    assert b"sent" == hosts.declared.bodies["/x"]


def entry(variant_id: int, *, age_min: int = 0) -> Entry:
    """A decision about user 7 as the wire has it."""
    minute = time.time_ns() // 60_000_000_000 - age_min
    fingerprint = fingerprint_of("pepper", "user", "7")
    return Entry(0x1122334455, 9, fingerprint, minute, 10, variant_id, Origin.SPLIT, 41)


def said(variant_id: int, **more: Any) -> tuple[bytes, bytes]:
    """The header that says so."""
    return b"Pennon-Decided", encode_entries((entry(variant_id, **more),)).value.encode()


def returns_dropped(cause: str) -> int:
    """How many were so far."""
    wanted = (counters.Count.CARRY_RETURNS_DROPPED, cause)
    return sum(each.total for each in counters.samples() if (each.name, each.cause) == wanted)


def test_declared_host_s_decision_is_the_caller_s(call: Call, hosts: Hosts, replica: Any, carried: Carried) -> None:
    """The next ask gets it, the next call carries it; the application sees the rest of the response alone."""
    hosts.declared.says = [said(2), (b"etag", b'"1"')]
    with request_of() as current:
        answer = call(hosts.declared, "/decided")
        assert ("on", "CARRIED") == replica("off").ask()
        call(hosts.declared, "/next")

    assert (200, b"body", '"1"') == (answer.status, answer.body, answer.headers["etag"])
    assert "pennon-decided" not in answer.headers
    assert [2] == [each.variant_id for each in current.ledger.returned]
    assert [(10, "\x02")] == carried(hosts.declared.received["/next"]["baggage"])


@pytest.mark.parametrize("cause", ["not_declared", "repeated", "cached", "stale", "too_long"])
def test_anything_else_is_dropped_and_counted(cause: str, call: Call, hosts: Hosts) -> None:
    """Nothing of it is held, and the application does not see it either."""
    host = hosts.undeclared if cause == "not_declared" else hosts.declared
    host.says = {
        "not_declared": [said(2)],
        "repeated": [said(2), (b"pennon-decided", b"x")],
        "cached": [said(2), (b"Age", b"0")],
        "stale": [said(2, age_min=7)],
        "too_long": [(b"pennon-decided", said(2)[1] + b"." + b"A" * 512)],
    }[cause]
    before = returns_dropped(cause)
    with request_of() as current:
        answer = call(host, "/decided")

    assert ({}, []) == (current.ledger.arrived, current.ledger.returned)
    assert before + 1 == returns_dropped(cause)
    assert "pennon-decided" not in answer.headers


def test_redirect_s_response_speaks_for_the_host_that_sent_it(call: Call, hosts: Hosts) -> None:
    """A declared host lends nobody its word, wherever it leads."""
    hosts.declared.says, hosts.undeclared.says = [said(1)], [said(2)]
    with request_of() as current:
        call(hosts.declared, f"/decided/to/{hosts.place(hosts.undeclared)}/decided")

    assert [1] == [each.variant_id for each in current.ledger.returned]


def test_no_value_of_the_header_raises(call: Call, hosts: Hosts) -> None:
    """Whatever a host of ours answers, the call succeeds."""
    hosts.declared.says = [(b"pennon-decided", b"\xff\xfe")]
    with request_of() as current:
        assert 200 == call(hosts.declared, "/decided").status
    assert [] == current.ledger.returned


def test_client_span_is_what_the_next_hop_continues(call: Call, hosts: Hosts, spans: InMemorySpanExporter) -> None:
    """One per call, a redirect's too; it says what was added and how it was answered, no query and no password."""
    hosts.declared.says = [said(2)]
    with request_of():
        place = hosts.place(hosts.declared)
        call(f"user:secret@{place}", f"/decided/to/{place}/missing?token=secret")

    first, second = [span for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT]
    sent = hosts.declared.received
    for span, path in ((first, f"/decided/to/{place}/missing"), (second, "/missing")):
        attributes = dict(span.attributes or {})
        assert [f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-03".encode()] == sent[path]["traceparent"]
        assert ("GET", f"http://{place}{path}") == (span.name, attributes["url.full"])
        assert (place.partition(":")[0], int(place.partition(":")[2])) == (
            attributes["server.address"],
            attributes["server.port"],
        )
        assert "baggage" in attributes["pennon.headers.added"]  # type: ignore[operator]
        assert "secret" not in str(attributes)
    assert ("pennon-decided",) == (first.attributes or {})["pennon.headers.took"]
    assert ("404", 404) == (
        (second.attributes or {})["error.type"],
        (second.attributes or {})["http.response.status_code"],
    )


def test_failure_of_a_call_is_the_client_s_own(call: Call, spans: InMemorySpanExporter) -> None:
    """And stands on the span."""
    errors = (
        httpx.ConnectError,
        requests.ConnectionError,
        urllib3.exceptions.NewConnectionError,
        aiohttp.ClientConnectorError,
    )
    with request_of(), pytest.raises(errors) as raised:
        call("127.0.0.1:1")

    (span,) = spans.get_finished_spans()
    raised_type = type(raised.value)
    assert f"{raised_type.__module__}.{raised_type.__qualname__}" == (span.attributes or {})["error.type"]


@pytest.mark.parametrize("door", [pennon.http.httpx, pennon.http.requests, pennon.http.urllib3, pennon.http.aiohttp])
def test_client_of_another_library_is_told_so(door: Callable[[Any, Contract], Any]) -> None:
    """Also a class in place of an object."""
    contract = Contract("c", version="1", owner="tests")
    for wrong in (object(), requests.Session):
        with pytest.raises(TypeError, match="each library has a door of its own"):
            door(wrong, contract)
