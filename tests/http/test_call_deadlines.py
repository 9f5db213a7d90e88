"""How long calls may take: all that the deadline leaves, in every client, over real sockets.

Our clock stands still, so that what is left is a number and no machine is too slow; the sockets' own timers run.
"""

import asyncio
import gzip
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Final

import aiohttp
import httpx
import pytest
import requests
import urllib3
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError
from urllib3.util import Retry

import pennon
import pennon.http
from pennon import ambient, counters
from pennon.context import Deadline, Ledger, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.errors import CircuitOpen, DeadlineExceeded
from pennon.headers import Breaker, Contract, DeadlineForm, DeadlinePolicy, Downstream, Retries
from pennon.http import on_urllib3
from pennon.testing import ManualClock

HERE = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "")
FORMS = {
    "absolute.internal": "ABSOLUTE",
    "ms.internal": "TIMEOUT_MS",
    "grpc.internal": "GRPC",
    "envoy.internal": "ENVOY_MS",
}
CONTRACT = Contract(
    "test",
    version="1",
    owner="tests",
    deadline=DeadlinePolicy(accept=list(DeadlineForm), cap_s=60, floor_s=0.05, margin_s=0.01),
    downstreams=[
        *(Downstream(form, host=host, deadline=DeadlineForm[form]) for host, form in FORMS.items()),
        Downstream("silent", host="silent.internal"),
        Downstream("here", host="127.0.0.1", deadline=DeadlineForm.ABSOLUTE),
    ],
)
NAMES = {form.value for form in DeadlineForm}
GUARDED = replace(
    CONTRACT,
    downstreams=[
        Downstream("here", host="127.0.0.1", retries=Retries(attempts=3), breaker=Breaker(failures=2, rest_s=30))
    ],
)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """Of this process: it stands at 0 and at the first moment of 2026, until a test moves it."""
    clock = ManualClock()
    for module in ("pennon.deadlines", "pennon.http.calling"):
        monkeypatch.setattr(f"{module}.SYSTEM_CLOCK", clock)
    return clock


def serving(left_s: float | None) -> Any:
    """A request with this long left of a clock that stands at 0; None: without a deadline."""
    due = None if left_s is None else Deadline(round(left_s * 1e9))
    return ambient.entered(RequestContext(HERE, RequestId("req-1"), Ledger(), deadline=due))


def exceeded() -> dict[str, int]:
    """What was counted, by cause."""
    return {each.cause: each.total for each in counters.samples() if each.name is counters.Count.DEADLINE_EXCEEDED}


class Deaf:
    """A host that takes connections and never answers; what it was sent is counted by the kernel alone."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"

    def was_asked(self) -> bool:
        """Whether anybody has connected."""
        self.listener.settimeout(0)
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def deaf() -> Iterator[Deaf]:
    """One of them."""
    host = Deaf()
    yield host
    host.listener.close()


def by_httpx(url: str, timeout_s: float = 30) -> None:
    """One call."""
    with pennon.http.httpx(httpx.Client(trust_env=False), CONTRACT) as client:
        client.get(url, timeout=timeout_s)


def by_httpx_async(url: str, timeout_s: float = 30) -> None:
    """One call."""

    async def call() -> None:
        async with pennon.http.httpx(httpx.AsyncClient(trust_env=False), CONTRACT) as client:
            await client.get(url, timeout=timeout_s)

    asyncio.run(call())


def by_requests(url: str, timeout_s: Any = 30) -> None:
    """One call."""
    with pennon.http.requests(requests.Session(), CONTRACT) as session:
        session.trust_env = False
        session.get(url, timeout=timeout_s)


def by_urllib3(url: str, timeout_s: Any = 30) -> None:
    """One call, which urllib3 would try four times."""
    with pennon.http.urllib3(urllib3.PoolManager(retries=3), CONTRACT) as manager:
        manager.request("GET", url, timeout=timeout_s)


def by_aiohttp(url: str, timeout_s: float = 30) -> None:
    """One call."""

    async def call() -> None:
        limit = aiohttp.ClientTimeout(total=timeout_s)
        async with pennon.http.aiohttp(aiohttp.ClientSession(timeout=limit), CONTRACT) as session:
            await session.get(url)

    asyncio.run(call())


CLIENTS = [by_httpx, by_httpx_async, by_requests, by_urllib3, by_aiohttp]
Call = Callable[..., None]


@pytest.mark.req(63, 65)
@pytest.mark.parametrize("call", CLIENTS)
@pytest.mark.parametrize("left_s", [-1.0, 0.0, 0.059])
def test_call_that_could_not_finish_is_not_sent(deaf: Deaf, call: Call, left_s: float) -> None:
    """Less than floor and margin is left: nobody hears of it."""
    before = exceeded().get("unsent", 0)
    with (
        serving(left_s),
        pytest.raises(DeadlineExceeded, match=r"127\.0\.0\.1: too little time is left for a call") as raised,
    ):
        call(deaf.url)

    assert not raised.value.was_sent
    assert not deaf.was_asked()
    assert 1 == exceeded()["unsent"] - before


@pytest.mark.req(62, 63, 66)
@pytest.mark.parametrize("call", CLIENTS)
def test_call_ends_with_the_deadline_and_says_that_it_was_the_deadline(deaf: Deaf, call: Call) -> None:
    """In place of the client's timeout, which stays its cause; counted apart."""
    before = exceeded().get("given_up", 0)
    with serving(0.4), pytest.raises(DeadlineExceeded, match=r"no answer in the 0\.390 s") as raised:
        call(deaf.url)

    assert isinstance(
        raised.value.__cause__,
        httpx.TimeoutException | requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError,
    )
    assert not isinstance(raised.value, TimeoutError)
    assert raised.value.was_sent
    assert 1 == exceeded()["given_up"] - before


@pytest.mark.req(62, 66)
def test_tries_of_the_adapter_s_own_end_with_the_deadline_as_such(deaf: Deaf) -> None:
    """Requests says of them only that they are over."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", HTTPAdapter(max_retries=Retry(total=0)))
        pennon.http.requests(session, CONTRACT)
        with serving(0.2), pytest.raises(DeadlineExceeded) as raised:
            session.get(deaf.url, timeout=30)

    assert isinstance(raised.value.__cause__, requests.ConnectionError)
    assert raised.value.was_sent


@pytest.mark.req(66)
@pytest.mark.parametrize("call", CLIENTS)
def test_host_that_hangs_opens_its_circuit_though_every_call_ends_with_a_deadline(deaf: Deaf, call: Call) -> None:
    """That is what a circuit is for: deadlines are shorter than a client's own limits. None of them is made again."""
    before = exceeded().get("given_up", 0)
    guard = pennon.http.Guard(GUARDED, "here")
    with serving(0.08):
        for _ in range(2):
            with pytest.raises(DeadlineExceeded):
                guard.call(lambda: call(deaf.url), is_idempotent=True)
        with pytest.raises(CircuitOpen):
            guard.call(lambda: call(deaf.url))

    assert 2 == exceeded()["given_up"] - before


@pytest.mark.req(66)
def test_host_that_hangs_opens_its_circuit_for_async_calls(deaf: Deaf) -> None:
    """The same, awaited."""

    async def calls() -> None:
        guard = pennon.http.Guard(GUARDED, "here", fallback=lambda error: type(error).__name__)
        async with pennon.http.httpx(httpx.AsyncClient(trust_env=False), GUARDED) as client:
            said: list[Any] = [await guard.acall(lambda: client.get(deaf.url), is_idempotent=True) for _ in range(3)]
        assert ["DeadlineExceeded", "DeadlineExceeded", "CircuitOpen"] == said

    with serving(0.08):
        asyncio.run(calls())


@pytest.mark.req(65, 66)
def test_call_that_is_never_sent_opens_no_circuit(deaf: Deaf) -> None:
    """Too little time was left for it: that is nobody's failure."""
    guard = pennon.http.Guard(GUARDED, "here")
    with serving(0.02):
        for _ in range(5):
            with pytest.raises(DeadlineExceeded):
                guard.call(lambda: by_httpx(deaf.url))

    assert "answered" == guard.call(lambda: "answered")


@pytest.mark.req(64, 66)
@pytest.mark.parametrize("call", CLIENTS)
@pytest.mark.parametrize("left_s", [20.0, None])
def test_shorter_timeout_of_the_caller_stays_its_own(deaf: Deaf, call: Call, left_s: float | None) -> None:
    """A generic timeout is the client's error, and no deadline is counted."""
    before = exceeded()
    with serving(left_s), pytest.raises((httpx.TimeoutException, requests.Timeout, MaxRetryError, TimeoutError)):
        call(deaf.url, 0.05)

    assert before == exceeded()


@pytest.mark.req(64)
@pytest.mark.parametrize(
    ("own", "lowered"),
    [
        (None, 2.0),
        (3, 2.0),
        (1, 1),
        ((5, 1), (2.0, 1)),
        ((None, None), (2.0, 2.0)),
        (urllib3.Timeout(connect=1, read=9), (2.0, 1, 9)),
        (urllib3.Timeout(total=1), (1, None, None)),
    ],
)
def test_requests_timeouts_are_lowered_in_whatever_form(own: Any, lowered: Any) -> None:
    """None, a number, a pair, urllib3's own."""
    found = on_urllib3.lowered(own, 2.0)
    if isinstance(found, urllib3.Timeout):
        said = (found.total, found._connect, found._read)
        found = tuple(each if isinstance(each, int | float) else None for each in said)

    assert lowered == found


def sent_by_httpx(url: str, *, left_s: float | None, **options: Any) -> httpx.Request:
    """What leaves for a host that is never reached."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(204)

    with serving(left_s), httpx.Client(transport=httpx.MockTransport(answer)) as client:
        pennon.http.httpx(client, CONTRACT).get(url, **options)
    return sent[0]


@pytest.mark.req(59, 63, 67, 111)
@pytest.mark.parametrize(
    ("host", "value"),
    [
        ("absolute.internal", "2026-01-01T00:00:04.990Z"),
        ("ms.internal", "4990"),
        ("grpc.internal", "4990000u"),
        ("envoy.internal", "4990"),
    ],
)
def test_downstream_is_told_in_its_own_form_what_is_left(host: str, value: str) -> None:
    """The remainder without the margin, not a fresh budget; one form, and an absolute one ends in Z."""
    request = sent_by_httpx(f"http://{host}/", left_s=5, headers=dict.fromkeys(NAMES, "9999"))

    [name] = NAMES & request.headers.keys()
    assert FORMS[host] == DeadlineForm(name).name
    assert value == request.headers[name]


@pytest.mark.req(20, 64, 95)
@pytest.mark.parametrize("host", ["silent.internal", "elsewhere.example"])
def test_who_is_not_told_is_limited_all_the_same(host: str) -> None:
    """No header leaves, not even one that was copied from what came in."""
    request = sent_by_httpx(f"http://{host}/", left_s=3, headers=dict.fromkeys(NAMES, "9999"), timeout=None)

    assert set() == NAMES & request.headers.keys()
    assert dict.fromkeys(("connect", "read", "write", "pool"), 2.99) == request.extensions["timeout"]


@pytest.mark.req(64)
def test_each_of_a_request_s_limits_is_lowered_by_itself() -> None:
    """What is shorter stays, and the caller's request is left as it was."""
    own = httpx.Timeout(connect=1, read=None, write=50, pool=2)
    limits = sent_by_httpx("http://silent.internal/", left_s=3, timeout=own).extensions["timeout"]

    assert {"connect": 1, "read": 2.99, "write": 2.99, "pool": 2} == limits


def test_without_a_deadline_nothing_is_lowered() -> None:
    """Detached work and scripts keep the client's own limits."""
    request = sent_by_httpx("http://silent.internal/", left_s=None, timeout=7)
    with serving(0.0), pennon.detached():
        sent_detached = sent_by_httpx("http://ms.internal/", left_s=None, timeout=7)

    assert {7} == set(request.extensions["timeout"].values()) == set(sent_detached.extensions["timeout"].values())
    assert set() == NAMES & sent_detached.headers.keys()


def test_contract_without_deadlines_keeps_to_the_request_s_all_the_same(deaf: Deaf) -> None:
    """The clients of a library may have a contract of their own."""
    plain = Contract("plain", version="1", owner="tests")
    client = pennon.http.httpx(httpx.Client(trust_env=False), plain)
    with serving(0.06), client, pytest.raises(DeadlineExceeded):
        client.get(deaf.url)

    assert not deaf.was_asked()


@pytest.mark.req(66)
@pytest.mark.parametrize("left_s", [0.0, 0.4])
def test_span_says_that_it_was_the_deadline(spans: InMemorySpanExporter, deaf: Deaf, left_s: float) -> None:
    """Sent or not; its error is ours, not a timeout."""
    with serving(left_s), pytest.raises(DeadlineExceeded):
        by_httpx(deaf.url)
    [span] = spans.get_finished_spans()
    attributes = dict(span.attributes or {})

    assert (True, "pennon.errors.DeadlineExceeded") == (
        attributes["pennon.deadline.exceeded"],
        attributes["error.type"],
    )


class Slow(httpx.SyncByteStream):
    """A body that stops."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"some"
        raise httpx.ReadTimeout("slow")


@pytest.mark.req(66)
@pytest.mark.parametrize(("own_s", "kind"), [(None, DeadlineExceeded), (30, DeadlineExceeded), (1, httpx.ReadTimeout)])
def test_body_that_stops_is_the_deadline_s_or_the_caller_s(own_s: float | None, kind: type[Exception]) -> None:
    """By whose time ran out, as for the head."""
    before = exceeded().get("given_up", 0)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Slow()))
    with serving(5), httpx.Client(transport=transport) as client, pytest.raises(kind):
        pennon.http.httpx(client, CONTRACT).get("http://silent.internal/", timeout=own_s)

    assert (kind is DeadlineExceeded) == exceeded().get("given_up", 0) - before


class Dripping(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body of ten pieces, a second each: no wait for one is long."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(10):
            self._clock.advance(1)
            yield b"x"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def read_from(body: Dripping) -> None:
    """All of it."""
    with pennon.http.httpx(httpx.Client(transport=httpx.MockTransport(lambda _: body_of(body))), CONTRACT) as client:
        client.get("http://silent.internal/")


def read_async_from(body: Dripping) -> None:
    """The same, async."""

    async def read() -> None:
        inner = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: body_of(body)))
        async with pennon.http.httpx(inner, CONTRACT) as client:
            await client.get("http://silent.internal/")

    asyncio.run(read())


def body_of(body: Dripping) -> httpx.Response:
    """A response with it."""
    return httpx.Response(200, stream=body)


@pytest.mark.req(62, 63, 66)
@pytest.mark.parametrize("read", [read_from, read_async_from])
def test_body_that_drips_ends_with_the_deadline(read: Callable[[Dripping], None], clock: ManualClock) -> None:
    """However short each wait for a piece is: with the first that comes when the time is over."""
    before = exceeded().get("given_up", 0)
    with serving(3.5), pytest.raises(DeadlineExceeded, match=r"silent\.internal: no answer in the 3\.490 s"):
        read(Dripping(clock))

    assert (4 * 10**9, 1) == (clock.monotonic_ns(), exceeded()["given_up"] - before)


@pytest.mark.req(62, 64)
@pytest.mark.parametrize("read", [read_from, read_async_from])
@pytest.mark.parametrize("left_s", [10.1, None])
def test_body_that_is_there_in_time_is_read_to_its_end(
    read: Callable[[Dripping], None], left_s: float | None, clock: ManualClock
) -> None:
    """Or where there is no deadline."""
    before = exceeded()
    with serving(left_s):
        read(Dripping(clock))

    assert (10 * 10**9, before) == (clock.monotonic_ns(), exceeded())


LENGTH: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", [b"x"] * 10
CHUNKS: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", [b"1\r\nx\r\n"] * 9 + [b"1\r\nx\r\n0\r\n\r\n"]
GZIPPED: Final = gzip.compress(b"x" * 10, mtime=0)
GZIP: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIPPED),
    [GZIPPED[at : at + 1] for at in range(9)] + [GZIPPED[9:]],
)
# A chunk whose length, of nothing but zeros, takes its time, and compressed bytes of which nothing comes.
LONG_LENGTH: Final = CHUNKS[0], [b"0"] * 9 + [b"a\r\nxxxxxxxxxx\r\n0\r\n\r\n"]
BODIES: Final = {"length": LENGTH, "chunks": CHUNKS, "chunk's length": LONG_LENGTH, "gzip": GZIP}


@contextmanager
def dripping_host(clock: ManualClock, head: bytes, pieces: list[bytes]) -> Iterator[str]:
    """The address of a host that says one body a second long each piece, twice on one connection, and then no more."""

    def drip() -> None:
        with listener.accept()[0] as connection, suppress(OSError):
            while connection.recv(65_536):
                connection.sendall(head)
                for piece in pieces:
                    clock.advance(1)
                    connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = threading.Thread(target=drip)
        host.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        host.join()


def requests_content(url: str, **more: Any) -> bytes:
    """A body that is read at once."""
    return _by_session(lambda session: session.get(url, **more).content)


def requests_pieces(url: str, **more: Any) -> bytes:
    """A body that is read in pieces, later."""
    return _by_session(lambda session: b"".join(session.get(url, stream=True, **more).iter_content(4)))


def requests_raw(url: str, **more: Any) -> bytes:
    """What urllib3 has received for requests."""
    return _by_session(lambda session: session.get(url, stream=True, **more).raw.read(decode_content=True))


def _by_session(read: Callable[[requests.Session], bytes]) -> bytes:
    with requests.Session() as session:
        session.trust_env = False
        return read(pennon.http.requests(session, CONTRACT))


def urllib3_data(url: str, **more: Any) -> bytes:
    """A body that is read at once."""
    return _by_manager(lambda manager: manager.request("GET", url, **more).data)


def urllib3_read(url: str, **more: Any) -> bytes:
    """A body that is read later, as a whole."""
    return _by_manager(lambda manager: manager.request("GET", url, preload_content=False, **more).read())


def urllib3_pieces(url: str, **more: Any) -> bytes:
    """A body that is read in pieces."""
    return _by_manager(lambda manager: b"".join(manager.request("GET", url, preload_content=False, **more).stream(4)))


def _by_manager(read: Callable[[urllib3.PoolManager], bytes]) -> bytes:
    with pennon.http.urllib3(urllib3.PoolManager(), CONTRACT) as manager:
        return read(manager)


READS = [requests_content, requests_pieces, requests_raw, urllib3_data, urllib3_read, urllib3_pieces]
Read = Callable[..., bytes]


@pytest.mark.req(62, 63, 66)
@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(("head", "pieces"), BODIES.values(), ids=BODIES)
def test_body_that_drips_by_the_socket_ends_with_the_deadline(
    read: Read, head: bytes, pieces: list[bytes], clock: ManualClock
) -> None:
    """With the first piece that comes when the time is over; the rest never comes, and the caller's limit is nearer."""
    before = exceeded().get("given_up", 0)
    with (
        dripping_host(clock, head, pieces[:-1]) as url,
        serving(3.5),
        pytest.raises(DeadlineExceeded, match=r"127\.0\.0\.1: no answer in the 3\.490 s"),
    ):
        read(url, timeout=3)

    assert 1 == exceeded()["given_up"] - before


@pytest.mark.req(62, 64)
@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("left_s", [20.1, None])
@pytest.mark.parametrize(("head", "pieces"), BODIES.values(), ids=BODIES)
def test_body_that_the_socket_has_in_time_is_read_to_its_end(
    read: Read, head: bytes, pieces: list[bytes], left_s: float | None, clock: ManualClock
) -> None:
    """However it is framed and read."""
    with dripping_host(clock, head, pieces) as url, serving(left_s):
        found = read(url)

    assert (b"x" * 10, 10 * 10**9) == (found, clock.monotonic_ns())


@pytest.mark.req(62, 64)
@pytest.mark.parametrize("left_s", [20.1, None])
@pytest.mark.parametrize(("head", "pieces"), BODIES.values(), ids=BODIES)
def test_connection_serves_the_next_call_when_its_body_is_read(
    head: bytes, pieces: list[bytes], left_s: float | None, clock: ManualClock
) -> None:
    """The host has but one."""
    with dripping_host(clock, head, pieces) as url, serving(left_s):
        by_session = _by_session(lambda session: session.get(url).content + session.get(url).content)
    with dripping_host(clock, head, pieces) as url, serving(None if left_s is None else 20 + left_s):
        by_manager = _by_manager(lambda manager: manager.request("GET", url).data + manager.request("GET", url).data)

    assert (b"x" * 20, b"x" * 20, 40 * 10**9) == (by_session, by_manager, clock.monotonic_ns())


@pytest.mark.req(66)
@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("is_the_deadlines", [True, False])
def test_body_that_stops_at_the_socket_is_the_deadline_s_or_the_caller_s(
    read: Read, is_the_deadlines: bool, clock: ManualClock
) -> None:
    """By whose time ran out, as for the head."""
    own_s = 30 if is_the_deadlines else 0.01
    is_pair = read in {requests_content, requests_pieces, requests_raw}
    timeout = (30, own_s) if is_pair else urllib3.Timeout(connect=30, read=own_s)
    kinds = (DeadlineExceeded,) if is_the_deadlines else (urllib3.exceptions.HTTPError, requests.ConnectionError)
    head, pieces = LENGTH
    with dripping_host(clock, head, pieces[:0]) as url, serving(0.1), pytest.raises(kinds):
        read(url, timeout=timeout)


def test_request_that_failed_can_be_sent_again(clock: ManualClock) -> None:
    """Each try is told what is left by then."""
    first = sent_by_httpx("http://ms.internal/", left_s=4).headers["x-request-timeout-ms"]
    clock.advance(2)
    second = sent_by_httpx("http://ms.internal/", left_s=4).headers["x-request-timeout-ms"]

    assert ("3990", "1990") == (first, second)
