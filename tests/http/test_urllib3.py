"""What urllib3's door alone does, over real sockets; what all clients share is in test_clients.py."""

import gc
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from urllib3 import HTTPConnectionPool, HTTPHeaderDict, PoolManager, ProxyManager, Retry, Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    EmptyPoolError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)
from wrapt import FunctionWrapper

import pennon.http
from pennon import ambient
from pennon.clock import SYSTEM_CLOCK
from pennon.context import Deadline, Ledger, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.errors import DeadlineExceeded
from pennon.headers import Contract, DeadlineForm, DeadlinePolicy, Downstream, Retries
from pennon.http.urllib3_door import _is_late
from pennon.testing import ManualClock

NOTHING = Contract("none", version="1", owner="tests")
SIXTY = DeadlinePolicy(accept=("grpc-timeout",), cap_s=60, floor_s=0.05, margin_s=0.01)
OURS = {"traceparent", "x-request-id", "baggage"}


class Host:
    """Answers with what is next in `answers`, then 200; (status, headers), or None: it hangs up."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]] | None] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.place = ""
        self.when_asked: Callable[[], None] = lambda: None

    @property
    def headers(self) -> list[dict[str, str]]:
        """Of each request, names in lower case."""
        return [headers for _, headers in self.asked]

    def url(self, path: str = "/") -> str:
        """Of a path here."""
        return f"http://{self.place}{path}"


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """Two that listen."""
    listening = [_listening(Host()), _listening(Host())]
    yield listening[0][0], listening[1][0]
    for _, server, thread in listening:
        server.shutdown()
        thread.join()
        server.server_close()


def _listening(host: Host) -> tuple[Host, ThreadingHTTPServer, threading.Thread]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            host.when_asked()
            answer = host.answers.pop(0) if host.answers else (200, {})
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            for name, value in {"content-length": "0", **answer[1]}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    host.place = f"127.0.0.1:{server.server_address[1]}"
    return host, server, thread


@pytest.fixture
def host(hosts: tuple[Host, Host]) -> Host:
    """The first of them."""
    return hosts[0]


def declaring(place: str, **more: Any) -> Contract:
    """A contract that knows this host."""
    downstream = Downstream("posts", host=place, **more)
    return Contract("test", version="1", owner="tests", deadline=SIXTY, downstreams=(downstream,))


def serving(deadline: Deadline | None = None) -> Any:
    """A request being served."""
    here = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "")
    return ambient.entered(RequestContext(here, RequestId("req-1"), Ledger(), deadline=deadline))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """Of this process: it stands at 0 until a test moves it."""
    clock = ManualClock()
    for module in ("pennon.deadlines", "pennon.http.calling"):
        monkeypatch.setattr(f"{module}.SYSTEM_CLOCK", clock)
    return clock


@pytest.mark.req(94, 95)
@pytest.mark.parametrize(
    "own",
    [{"X-Own": "1", "Baggage": "own=1"}, HTTPHeaderDict({"X-Own": "1", "Baggage": "own=1"})],
    ids=["dict", "HTTPHeaderDict"],
)
@pytest.mark.parametrize("is_default", [False, True])
def test_headers_are_the_caller_s_again_at_each_hop(hosts: tuple[Host, Host], own: Any, is_default: bool) -> None:
    """Those of a call and those of the manager, in either form: nothing of one host reaches the next by a redirect."""
    first, second = hosts
    first.answers = [(302, {"location": second.url()})]
    before = dict(own)
    manager = pennon.http.urllib3(PoolManager(headers=own if is_default else None), declaring(first.place))
    with serving(), manager:
        manager.request("GET", first.url(), headers=None if is_default else own)

    [there], [elsewhere] = first.headers, second.headers
    assert ("req-1", "own=1", "1") == (there["x-request-id"], there["baggage"], there["x-own"])
    assert ("1", set()) == (elsewhere["x-own"], OURS & elsewhere.keys())
    assert before == dict(own)


def test_lines_of_one_name_stay_lines(host: Host) -> None:
    """As urllib3 sends what was added to its own dictionary."""
    own = HTTPHeaderDict([("X-Own", "1"), ("X-Own", "2")])
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with listener.accept()[0] as connection:
                seen.append(connection.recv(65_536))
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        with serving(), pennon.http.urllib3(PoolManager(), declaring(place)) as manager:
            manager.urlopen("GET", f"http://{place}/", headers=own)
        thread.join()

    assert [b"X-Own: 1", b"X-Own: 2"] == [line for line in seen[0].split(b"\r\n") if line.startswith(b"X-Own")]
    assert b"x-request-id: req-1" in seen[0].split(b"\r\n")


@pytest.mark.req(63, 64, 67)
def test_each_try_is_told_what_is_left_by_then(host: Host, clock: ManualClock, spans: InMemorySpanExporter) -> None:
    """A status that is tried again, and a connection that breaks; each is a call with a span."""
    host.answers = [(503, {}), None]
    host.when_asked = lambda: clock.advance(1)
    contract = declaring(host.place, deadline=DeadlineForm.TIMEOUT_MS)
    retries = Retry(3, status_forcelist=[503])
    with serving(Deadline(5 * 10**9)), pennon.http.urllib3(PoolManager(retries=retries), contract) as manager:
        assert 200 == manager.request("GET", host.url()).status

    assert ["4990", "3990", "2990"] == [headers["x-request-timeout-ms"] for headers in host.headers]
    made = [span for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT]
    assert [f"{span.context.span_id:016x}" for span in made] == [
        headers["traceparent"].split("-")[2] for headers in host.headers
    ]


@pytest.mark.req(63, 65)
def test_tries_end_with_the_deadline(host: Host, clock: ManualClock) -> None:
    """However many were to come: the one for which no time is left is not sent."""
    host.answers = [(503, {})] * 9
    host.when_asked = lambda: clock.advance(1)
    retries = Retry(9, status_forcelist=[503])
    manager = pennon.http.urllib3(PoolManager(retries=retries), declaring(host.place))
    with serving(Deadline(int(2.5e9))), manager, pytest.raises(DeadlineExceeded) as raised:
        manager.request("GET", host.url())

    assert (3, False) == (len(host.asked), raised.value.was_sent)


def test_pool_of_one_host_is_under_its_contract(host: Host) -> None:
    """As a manager is."""
    name, port = host.place.split(":")
    with serving(), pennon.http.urllib3(HTTPConnectionPool(name, int(port)), declaring(host.place)) as pool:
        pool.request("GET", "/x")

    assert ("/x", "req-1") == (host.asked[0][0], host.headers[0]["x-request-id"])


@pytest.mark.parametrize("is_wrapped_first", [True, False])
def test_pools_of_a_manager_are_wrapped_whenever_they_were_made(host: Host, is_wrapped_first: bool) -> None:
    """Also those that somebody holds, by whichever way they are asked; the manager is the same."""
    bare = PoolManager()
    if not is_wrapped_first:
        pool = bare.connection_from_url(host.url())
    wrapped = pennon.http.urllib3(bare, declaring(host.place))
    if is_wrapped_first:
        pool = wrapped.connection_from_url(host.url())
    with serving(), bare:
        pool.request("GET", "/")

    assert wrapped is bare
    assert "req-1" == host.headers[0]["x-request-id"]


def test_wrapping_twice_takes_the_new_contract(host: Host) -> None:
    """Also in a pool that was made under the old one; there is one door, not two."""
    manager = pennon.http.urllib3(PoolManager(), NOTHING)
    with serving(), manager:
        manager.request("GET", host.url())
        manager = pennon.http.urllib3(manager, declaring(host.place))
        manager.request("GET", host.url())

    assert [False, True] == ["x-request-id" in headers for headers in host.headers]
    assert 1 == sum("pennon" in each.__module__ for each in type(manager).__mro__) - 1


def test_wrapped_pool_is_collected_as_it_was(host: Host) -> None:
    """At once, and with it its connections: nothing of ours holds on to it."""
    name, port = host.place.split(":")
    pool = pennon.http.urllib3(HTTPConnectionPool(name, int(port)), declaring(host.place))
    gone = weakref.ref(pool)
    gc.disable()
    try:
        del pool
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.req(95)
@pytest.mark.parametrize("is_declared", [True, False])
def test_host_behind_a_proxy_is_judged_not_the_proxy(hosts: tuple[Host, Host], is_declared: bool) -> None:
    """The proxy gets what is meant for it, and passes on the rest."""
    proxy, other = hosts
    contract = declaring("posts.internal" if is_declared else proxy.place)
    manager = ProxyManager(proxy.url(), proxy_headers={"Proxy-Authorization": "Basic eA=="})
    with serving(), pennon.http.urllib3(manager, contract):
        manager.request("GET", "http://posts.internal/x", headers={"x-own": "1"})

    assert ("http://posts.internal/x", []) == (proxy.asked[0][0], other.asked)
    [got] = proxy.headers
    assert ("Basic eA==", "1") == (got["proxy-authorization"], got["x-own"])
    assert is_declared == ("x-request-id" in got)


@pytest.mark.req(18)
def test_proxy_s_credentials_in_the_caller_s_hand_do_not_leave(host: Host) -> None:
    """Copied from what came in, they are somebody else's."""
    with serving(), pennon.http.urllib3(PoolManager(), declaring(host.place)) as manager:
        manager.request("GET", host.url(), headers={"Proxy-Authorization": "Basic eA=="})

    assert "proxy-authorization" not in host.headers[0]


@pytest.mark.req(95)
@pytest.mark.parametrize(
    "path", ["http://elsewhere.example/", "http://posts.internal/", "http://127.0.0.1:99999/", "*"]
)
def test_address_of_somebody_else_gets_nothing_by_a_declared_pool(host: Host, path: str) -> None:
    """Whoever uses it as a proxy that urllib3 does not know of; nor does a declared name that it is not."""
    name, port = host.place.split(":")
    downstreams = (Downstream("here", host=host.place), Downstream("posts", host="posts.internal"))
    contract = Contract("test", version="1", owner="tests", downstreams=downstreams)
    with serving(), pennon.http.urllib3(HTTPConnectionPool(name, int(port)), contract) as pool:
        try:
            pool.urlopen("GET", path, assert_same_host=False, retries=False)
        except urllib3.exceptions.HTTPError:
            assert [] == host.asked

    assert set() == OURS & {name for headers in host.headers for name in headers}


@pytest.mark.req(62, 63)
def test_pool_that_is_empty_is_waited_for_until_the_deadline(host: Host) -> None:
    """And for as long as the caller says, where that is less."""
    name, port = host.place.split(":")
    pool = pennon.http.urllib3(HTTPConnectionPool(name, int(port), block=True, maxsize=1), declaring(host.place))
    with pool, serving():
        held = pool.urlopen("GET", "/", preload_content=False, release_conn=False)
        with pytest.raises(EmptyPoolError):
            pool.urlopen("GET", "/", pool_timeout=0.01)  # type: ignore[arg-type]  # as it is waited for
        with serving(_left(0.1)), pytest.raises(DeadlineExceeded):
            pool.urlopen("GET", "/")
        held.release_conn()

    assert 1 == len(host.asked)


@pytest.mark.req(62, 63)
@pytest.mark.parametrize(("own_s", "left_s", "kind"), [(None, 0.2, DeadlineExceeded), (0.01, 30, MaxRetryError)])
def test_proxy_that_hangs_is_waited_for_until_the_deadline(
    own_s: float | None, left_s: float, kind: type[Exception]
) -> None:
    """Which is to open a tunnel: nothing was sent through it yet."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        proxy = ProxyManager(f"http://127.0.0.1:{deaf.getsockname()[1]}", retries=0, timeout=own_s)
        with serving(_left(left_s)), pennon.http.urllib3(proxy, NOTHING), pytest.raises(kind):
            proxy.request("GET", "https://posts.internal/")


@pytest.mark.req(66)
@pytest.mark.parametrize(
    ("error", "timeout", "is_late"),
    [
        (ConnectTimeoutError(), Timeout(30), True),
        (ConnectTimeoutError(), Timeout(connect=1, read=30), False),
        (ProxyError("no proxy", ConnectTimeoutError()), Timeout(30), True),
        (ProxyError("no proxy", OSError()), Timeout(30), False),
        (ReadTimeoutError(None, None, ""), Timeout(connect=1, read=30), True),  # type: ignore[arg-type]
        (ReadTimeoutError(None, None, ""), Timeout(connect=30, read=1), False),  # type: ignore[arg-type]
        (TimeoutError(), Timeout(connect=30, read=1), True),
        (TimeoutError(), Timeout(connect=1, read=30), False),
        (NewConnectionError(None, ""), Timeout(30), False),  # type: ignore[arg-type]
    ],
)
def test_time_that_ran_out_is_the_deadline_s_or_the_caller_s(error: Exception, timeout: Timeout, is_late: bool) -> None:
    """Of connecting, of a proxy, of reading, and of writing, which urllib3 limits as it does connecting."""
    assert is_late == _is_late(error, timeout, 2.0)
    assert not _is_late(error, timeout, None)


@pytest.mark.req(64)
def test_what_urllib3_has_tried_before_it_found_nobody_is_not_done_again() -> None:
    """The first try may have arrived; that the second did not, says nothing of it."""
    listener = socket.create_server(("127.0.0.1", 0))
    place = f"127.0.0.1:{listener.getsockname()[1]}"

    def hang_up() -> None:
        with listener.accept()[0] as connection:
            connection.recv(65_536)
            listener.close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    made: list[int] = []
    contract = declaring(place, retries=Retries(attempts=3, initial_s=0.001, max_s=0.001))
    with pennon.http.urllib3(PoolManager(retries=1), contract) as manager:

        def put() -> object:
            made.append(1)
            return manager.request("PUT", f"http://{place}/", body=b"1")

        with pytest.raises(MaxRetryError, match="refused"):
            pennon.http.Guard(contract, "posts").call(put)
    thread.join()

    assert [1] == made


def _left(left_s: float) -> Deadline:
    return Deadline(SYSTEM_CLOCK.monotonic_ns() + round(left_s * 1e9))


@pytest.fixture
def _hooked_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """What OpenTelemetry's instrumentation of urllib3 does."""

    def urlopen(wrapped: Any, _pool: Any, arguments: Any, named: Any) -> Any:
        with trace.get_tracer("urllib3").start_as_current_span("GET", kind=SpanKind.CLIENT):
            named["headers"] = dict(named["headers"])
            inject(named["headers"])
            return wrapped(*arguments, **named)

    monkeypatch.setattr(HTTPConnectionPool, "urlopen", FunctionWrapper(HTTPConnectionPool.urlopen, urlopen))


@pytest.mark.usefixtures("_hooked_around")
@pytest.mark.parametrize("may_trace", [True, False])
def test_instrumented_urllib3_has_one_client_span(may_trace: bool, host: Host, spans: InMemorySpanExporter) -> None:
    """The instrumentation's; what it wrote leaves for a host that may have the trace, and for no other."""
    with serving(), pennon.http.urllib3(PoolManager(), declaring(host.place, trace=may_trace)) as manager:
        manager.request("GET", host.url())

    [span] = [span for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT]
    expected = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-03"
    assert (expected if may_trace else None) == host.headers[0].get("traceparent")
    assert "req-1" == host.headers[0]["x-request-id"]
