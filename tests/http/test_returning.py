"""The return path, each side by itself: who is told what was decided, and from whom it is believed."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import pennon
import pennon.http
from pennon import ambient, counters
from pennon.carry import decode as decoded
from pennon.carry import encode_entries, fingerprint_of
from pennon.context import Entry, Ledger, Origin, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.headers import Boundary, Contract, Downstream, mesh, networks, public

CONTRACT = Contract(
    "test",
    version="1",
    owner="tests",
    downstreams=(
        Downstream("posts", host="posts.internal", decides=True),
        Downstream("silent", host="silent.internal"),
        Downstream("bank", host="bank.example", external=True),
    ),
)
TRUSTED = mesh(verify=networks("127.0.0.0/8"))
STRANGERS = [public(), mesh(), mesh(verify=networks("10.0.0.0/8"))]
RETURNS_DROPPED = "pennon.carry.returns_dropped"
MINUTE_NS = 60_000_000_000

Raw = list[tuple[bytes, bytes]]
Ask = Callable[[], object]


def entry(variant_id: int = 2, *, age_min: int = 0, flag_id: int = 10, revision: int = 41) -> Entry:
    """A decision about user 7 as the wire has it. variant_id: 1 is off, 2 is on."""
    minute = time.time_ns() // MINUTE_NS - age_min
    fingerprint = fingerprint_of("pepper", "user", "7")
    return Entry(0x1122334455, 9, fingerprint, minute, flag_id, variant_id, Origin.SPLIT, revision)


def value_of(*entries: Entry) -> str:
    """The header's value that says these."""
    return encode_entries(entries).value


def told(headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """The lines of Pennon-Decided."""
    return [value for name, value in headers if name.lower() == b"pennon-decided"]


# The callee's side.


class App:
    """It asks, then answers with headers of its own; after the response has begun it may ask again."""

    def __init__(self, ask: Ask | None = None, *, late: Ask | None = None, headers: Raw | None = None) -> None:
        self._ask, self._late, self._headers = ask, late, headers or []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._ask is not None:
            self._ask()
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept", "headers": self._headers})
            return
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        if self._late is not None:
            self._late()
        await send({"type": "http.response.body", "body": b""})


def answered(app: Any, boundary: Boundary = TRUSTED, sent: Raw | None = None, **more: Any) -> Raw:
    """The headers with which the application behind a door answers a request from loopback."""
    kind = {"type": "http", "method": "GET", "path": "/", "client": ("127.0.0.1", 4711), "headers": sent or []}
    messages: list[Any] = []

    async def call() -> None:
        async def send(message: Any) -> None:
            messages.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        await pennon.http.asgi(app, CONTRACT, boundary=boundary)({**kind, **more}, receive, send)

    asyncio.run(call())
    headers: Raw = list(messages[0]["headers"])
    return headers


def test_verified_caller_is_told_what_was_decided(replica: Any) -> None:
    """One header, in the format of the member."""
    [line] = told(answered(App(replica("on").ask)))

    [entry] = decoded(line.decode()).entries
    assert (10, 2, Origin.SPLIT, 41) == (entry.flag_id, entry.variant_id, entry.origin, entry.revision)


@pytest.mark.parametrize("boundary", STRANGERS)
def test_stranger_is_told_nothing(replica: Any, boundary: Boundary) -> None:
    """At a public boundary, and in a mesh where nobody vouches; also if the application copies a callee's header."""
    app = App(replica("on").ask, headers=[(b"Pennon-Decided", value_of(entry()).encode()), (b"etag", b'"1"')])
    headers = answered(app, boundary)

    assert [] == told(headers)
    assert (b"etag", b'"1"') in headers


def test_copied_header_is_replaced_not_doubled(replica: Any) -> None:
    """What this request knows is told, not what another response said."""
    copied = (b"PENNON-DECIDED", value_of(entry(1, flag_id=99)).encode())
    [line] = told(answered(App(replica("on").ask, headers=[copied, copied])))

    assert [10] == [each.flag_id for each in decoded(line.decode()).entries]


@pytest.mark.parametrize("boundary", [TRUSTED, *STRANGERS])
def test_trailers_tell_nothing(boundary: Boundary) -> None:
    """Neither what was decided nor an id a second time, to nobody; what is not ours leaves as it is."""
    hidden = [(b"Pennon-Decided", b"x"), (b"X-Request-Id", b"theirs")]
    checksum = (b"Content-MD5", b"Q2hlY2s=")
    messages: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
        await send(
            {"type": "http.response.trailers", "headers": [hidden[0], checksum, hidden[1]], "more_trailers": True}
        )
        await send({"type": "http.response.trailers", "more_trailers": False})

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "client": ("127.0.0.1", 4711), "headers": []}
    asyncio.run(pennon.http.asgi(app, CONTRACT, boundary=boundary)(scope, receive, send))

    assert [{"headers": [checksum], "more_trailers": True}, {"headers": [], "more_trailers": False}] == [
        {key: value for key, value in each.items() if key != "type"} for each in messages[1:]
    ]


def test_nothing_decided_is_nothing_told() -> None:
    """No empty header, and none that the application made up."""
    app = App(headers=[(b"pennon-decided", b"anything")])

    assert [] == told(answered(app))


def test_what_the_request_brought_is_not_told_back(replica: Any) -> None:
    """The caller knows it, asked about here or not."""
    brought = [(b"baggage", f"pennon={value_of(entry(1), entry(1, flag_id=11))}".encode())]

    assert [] == told(answered(App(), sent=brought))
    assert [] == told(answered(App(replica("on").ask), sent=brought))


def test_what_is_decided_after_the_response_began_is_not_told(replica: Any) -> None:
    """It is too late for headers."""
    assert [] == told(answered(App(late=replica("on").ask)))


def test_header_is_at_most_512_bytes(replica: Any) -> None:
    """Whole decisions go, and that is said and counted."""
    on = replica("on")

    def ask_about_many() -> None:
        for number in range(100):
            on.ask(f"user-{number}")

    before = total("pennon.carry.cut")
    [line] = told(answered(App(ask_about_many)))

    assert len(line) <= 512
    assert decoded(line.decode()).was_cut
    assert before + 100 - len(decoded(line.decode()).entries) == total("pennon.carry.cut")


def test_websocket_s_handshake_tells_nothing(replica: Any) -> None:
    """It is no response whose ledger would wait for it."""
    assert [] == told(answered(App(replica("on").ask), type="websocket"))


# The caller's side.


def total(name: str, cause: str = "") -> int:
    """How often something was counted so far."""
    return sum(each.total for each in counters.samples() if each.name == name and cause in ("", each.cause))


def request_here() -> RequestContext:
    """A request being served."""
    return RequestContext(Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, ""), RequestId("req-1"), Ledger())


Answer = Callable[[httpx.Request], httpx.Response]
Get = Callable[[str, Answer], httpx.Response]


def get_sync(url: str, answer: Answer) -> httpx.Response:
    """One call through the sync door, redirects followed."""
    transport = httpx.MockTransport(answer)
    with pennon.http.httpx(httpx.Client(transport=transport, follow_redirects=True), CONTRACT) as client:
        return client.get(url)


def get_async(url: str, answer: Answer) -> httpx.Response:
    """One call through the async door."""

    async def call() -> httpx.Response:
        transport = httpx.MockTransport(answer)
        bare = httpx.AsyncClient(transport=transport, follow_redirects=True)
        async with pennon.http.httpx(bare, CONTRACT) as client:
            return await client.get(url)

    return asyncio.run(call())


@pytest.fixture(params=[get_sync, get_async], ids=["sync", "async"])
def get(request: pytest.FixtureRequest) -> Get:
    """Either door."""
    chosen: Get = request.param
    return chosen


def answering(*headers: tuple[str, str]) -> Answer:
    """A host that answers with these headers."""
    return lambda _: httpx.Response(200, headers=[("etag", '"1"'), *headers], content=b"body")


def test_declared_host_s_decision_is_the_caller_s(get: Get, replica: Any) -> None:
    """The next ask in the request gets it, whatever is known here; the application sees the rest of the response."""
    with ambient.entered(request_here()) as context:
        response = get("http://posts.internal/", answering(("Pennon-Decided", value_of(entry(2)))))
        assert ("on", "CARRIED") == replica("off").ask()

    assert "pennon-decided" not in response.headers
    assert ('"1"', b"body") == (response.headers["etag"], response.content)
    assert [2] == [each.variant_id for each in context.ledger.returned]


def test_later_call_carries_it_on(get: Get) -> None:
    """What one callee decided, the next one is told."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, headers={"pennon-decided": value_of(entry(2))})

    with ambient.entered(request_here()):
        get("http://posts.internal/first", answer)
        get("http://posts.internal/second", answer)

    assert "baggage" not in sent[0].headers
    member = sent[1].headers["baggage"].removeprefix("pennon=")
    assert [2] == [each.variant_id for each in decoded(member).entries]


def good() -> tuple[str, str]:
    """A header that a host which decides may send. Made when it is needed: it gets old in five minutes."""
    return "pennon-decided", value_of(entry())


@pytest.mark.parametrize(
    ("cause", "url", "headers_of"),
    [
        ("not_declared", "http://elsewhere.example/", lambda: [good()]),
        ("not_declared", "http://silent.internal/", lambda: [good()]),
        ("not_declared", "http://bank.example/", lambda: [good()]),
        ("not_declared", "http://posts.internal.elsewhere.example/", lambda: [good()]),
        ("repeated", "http://posts.internal/", lambda: [good(), good()]),
        ("repeated", "http://posts.internal/", lambda: [good(), ("Pennon-Decided", "x")]),
        ("too_long", "http://posts.internal/", lambda: [("pennon-decided", f"{good()[1]}.{'A' * 512}")]),
        ("cached", "http://posts.internal/", lambda: [good(), ("Age", "0")]),
        ("stale", "http://posts.internal/", lambda: [("pennon-decided", value_of(entry(age_min=7)))]),
    ],
)
def test_anything_else_is_dropped_and_counted(
    get: Get, cause: str, url: str, headers_of: Callable[[], list[tuple[str, str]]]
) -> None:
    """Nothing of it is held, and the application does not see it either."""
    before = total(RETURNS_DROPPED, cause)
    with ambient.entered(request_here()) as context:
        response = get(url, answering(*headers_of()))

    assert ({}, []) == (context.ledger.arrived, context.ledger.returned)
    assert before + 1 == total(RETURNS_DROPPED, cause)
    assert "pennon-decided" not in response.headers


@pytest.mark.parametrize("is_detached", [False, True])
def test_call_outside_a_request_takes_nothing(get: Get, is_detached: bool) -> None:
    """There is no ledger for it, or the caller has left its request."""
    before = total(RETURNS_DROPPED, "no_request")
    if is_detached:
        with ambient.entered(request_here()) as context, pennon.detached():
            response = get("http://posts.internal/", answering(good()))
        assert [] == context.ledger.returned
    else:
        response = get("http://posts.internal/", answering(good()))

    assert before + 1 == total(RETURNS_DROPPED, "no_request")
    assert "pennon-decided" not in response.headers


def test_response_that_comes_after_the_door_has_closed_is_too_late(get: Get) -> None:
    """The ledger is sealed: nothing enters it."""
    before = total(RETURNS_DROPPED, "sealed")
    with ambient.entered(request_here()) as context:

        def answer(_: httpx.Request) -> httpx.Response:
            context.ledger.seal()
            return httpx.Response(200, headers=[good()])

        get("http://posts.internal/", answer)

    assert [] == context.ledger.returned
    assert before + 1 == total(RETURNS_DROPPED, "sealed")


def test_broken_value_is_counted_like_a_broken_member(get: Get) -> None:
    """Group by group; what is whole is taken."""
    before = total("pennon.carry.groups_dropped")
    with ambient.entered(request_here()) as context:
        get("http://posts.internal/", answering(("pennon-decided", f"AAAA.{good()[1]}")))

    assert 1 == len(context.ledger.returned)
    assert before + 1 == total("pennon.carry.groups_dropped")


NAMES = st.sampled_from(["pennon-decided", "Pennon-Decided", "PENNON-DECIDED", "age", "Age", "pennon-override", "etag"])
VALUES = st.sampled_from([lambda: value_of(entry()), lambda: value_of(entry(1)), lambda: value_of(entry(age_min=9))])
HOSTS = st.sampled_from(["posts.internal", "silent.internal", "bank.example", "elsewhere.example"])


@settings(max_examples=150, deadline=None)
@given(HOSTS, st.lists(st.tuples(NAMES, VALUES | st.text("aA.-_ ,\t", max_size=600).map(lambda text: lambda: text))))
def test_only_one_fresh_line_of_a_host_that_decides_is_ever_taken(
    host: str, drawn: list[tuple[str, Callable[[], str]]]
) -> None:
    """Whatever stands on the response: the ledger changes for nothing else, and the application sees none of it."""
    headers = [(name, value()) for name, value in drawn]
    with ambient.entered(request_here()) as context:
        response = get_sync(f"http://{host}/", lambda _: httpx.Response(200, headers=headers))

    lines = [value for name, value in headers if name.lower() == "pennon-decided"]
    is_cached = any(name.lower() == "age" for name, _ in headers)
    may_be_taken = host == "posts.internal" and len(lines) == 1 and not is_cached
    assert may_be_taken or [] == context.ledger.returned
    assert "pennon-decided" not in response.headers
    assert len(headers) - len(lines) == len(response.headers.raw)


@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b".", b"pennon", b"A" * 512, "é".encode()])
def test_no_value_raises(get: Get, value: bytes) -> None:
    """Whatever a host of ours answers, the call succeeds."""
    with ambient.entered(request_here()) as context:
        answer: Answer = lambda _: httpx.Response(200, headers=[(b"pennon-decided", value)])  # noqa: E731
        assert 200 == get("http://posts.internal/", answer).status_code

    assert [] == context.ledger.returned


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("posts.internal", "elsewhere.example", [1]),
        ("posts.internal", "bank.example", [1]),
        ("elsewhere.example", "posts.internal", [2]),
    ],
)
def test_redirect_counts_for_the_host_that_answered(get: Get, first: str, second: str, expected: list[int]) -> None:
    """Each response speaks for the host that its own request went to: a declared one lends nobody its word."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == first:
            headers = {"pennon-decided": value_of(entry(1)), "location": f"http://{second}/"}
            return httpx.Response(307, headers=headers)
        return httpx.Response(200, headers={"pennon-decided": value_of(entry(2))})

    with ambient.entered(request_here()) as context:
        response = get(f"http://{first}/", answer)

    assert expected == [each.variant_id for each in context.ledger.returned]
    assert ["pennon-decided" in each.headers for each in (*response.history, response)] == [False, False]


def test_error_s_decisions_count_as_well(get: Get, replica: Any) -> None:
    """The callee has decided, and may have acted, before it failed."""
    with ambient.entered(request_here()):
        get("http://posts.internal/", lambda _: httpx.Response(503, headers=[good()]))
        assert ("on", "CARRIED") == replica("off").ask()


def test_decision_that_stands_already_is_kept_and_the_conflict_counted(get: Get, replica: Any) -> None:
    """The first decision of a request holds, unless a kill comes back."""
    before = total("pennon.carry.noted", "conflict")
    off = replica("off")
    with ambient.entered(request_here()):
        assert ("off", "SPLIT") == off.ask()
        get("http://posts.internal/", answering(good()))
        assert ("off", "SPLIT") == off.ask()

    assert before + 1 == total("pennon.carry.noted", "conflict")


def test_kill_that_comes_back_is_obeyed_at_the_next_ask(get: Get, replica: Any) -> None:
    """A callee has heard of it earlier than we."""
    on = replica("on")
    killed = Entry(**{name: getattr(entry(1), name) for name in Entry.__struct_fields__} | {"origin": Origin.KILL})
    with ambient.entered(request_here()):
        assert ("on", "SPLIT") == on.ask()
        get("http://posts.internal/", answering(("pennon-decided", value_of(killed))))
        assert ("off", "KILLED") == on.ask()


def test_span_says_that_decisions_came_back(get: Get, spans: InMemorySpanExporter) -> None:
    """By name, as of anything that a crossing took."""
    with ambient.entered(request_here()):
        get("http://posts.internal/", answering(good()))

    [span] = spans.get_finished_spans()
    assert ("pennon-decided",) == (span.attributes or {})["pennon.headers.took"]
    assert 200 == (span.attributes or {})["http.response.status_code"]
