"""Guarded calls, against a server on loopback that fails on purpose; nobody waits."""

import asyncio
import contextlib
import gc
import importlib.util
import logging
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import stamina
import structlog
import urllib3
from stamina import instrumentation

import pennon.http
from pennon import ambient, counters
from pennon.context import Deadline, Ledger, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.errors import CircuitOpen, DeadlineExceeded, SettingInvalid
from pennon.headers import Breaker, Contract, DeadlinePolicy, Downstream, Retries
from pennon.http.failing import retry_after_s, status_of

HERE = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "")
# A port that nobody listens on: reserved by IANA, and never given out by a kernel.
NOBODY = "http://127.0.0.1:1/"


class Host:
    """Answers with what is next in `answers`, then 200; (status, headers), or None: it hangs up."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]] | None] = []
        self.asked_count = 0
        self.url = ""

    def next(self) -> tuple[int, dict[str, str]] | None:
        """What the request that has come is answered with."""
        self.asked_count += 1
        return self.answers.pop(0) if self.answers else (200, {})


@pytest.fixture
def host() -> Iterator[Host]:
    """One that listens."""
    host = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = host.next()
            if answer is None:
                self.close_connection = True
                return
            status, headers = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        host.url = f"http://127.0.0.1:{server.server_address[1]}/"
        yield host
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    """The library's own switch: as many attempts as are declared, no waits."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


def guard(*, fallback: Callable[[Exception], Any] | None = None, **declared: Any) -> pennon.http.Guard:
    """Calls to a downstream that is declared so."""
    downstream = Downstream("payments", host="127.0.0.1", **declared)
    contract = Contract(
        "shop",
        version="1",
        owner="tests",
        downstreams=(downstream,),
        deadline=DeadlinePolicy(accept=("grpc-timeout",), cap_s=60),
    )
    return pennon.http.Guard(contract, "payments", fallback=fallback)


RETRIES = Retries(attempts=3)
BREAKER = Breaker(failures=2, rest_s=30)


def total(name: counters.Count) -> int:
    """What was counted under it, whatever the cause."""
    return sum(sample.total for sample in counters.samples() if sample.name is name)


def by_httpx(url: str) -> Callable[[], Any]:
    """One call that raises for a status."""
    return lambda: httpx.get(url, trust_env=False).raise_for_status()


def by_requests(url: str) -> Callable[[], Any]:
    """The same."""

    def call() -> requests.Response:
        answer = requests.get(url, timeout=60)
        answer.raise_for_status()
        return answer

    return call


def by_urllib3(url: str) -> Callable[[], Any]:
    """The same; for a status urllib3 raises nothing, whoever uses it does."""

    def call() -> urllib3.BaseHTTPResponse:
        with urllib3.PoolManager() as manager:
            answer = manager.request("GET", url, retries=0)
        if answer.status >= 400:
            raise Refused(answer)
        return answer

    return call


class Refused(urllib3.exceptions.HTTPError):
    """What they raise."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        super().__init__()
        self.response = response


CLIENTS = [by_httpx, by_requests, by_urllib3]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("failure", [(503, {}), (502, {}), (504, {}), (429, {}), None])
def test_idempotent_call_is_made_again(host: Host, client: Any, failure: Any) -> None:
    """Also one that may have arrived, whichever client says so in its own words."""
    host.answers = [failure, failure]
    before = total(counters.Count.CALLS_RETRIED)
    answer = guard(retries=RETRIES).call(client(host.url), is_idempotent=True)

    assert 200 == status_of(answer)
    assert (3, 2) == (host.asked_count, total(counters.Count.CALLS_RETRIED) - before)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("failure", [(503, {"Retry-After": "0"}), (429, {}), None])
def test_other_call_that_may_have_arrived_is_not_made_again(host: Host, client: Any, failure: Any) -> None:
    """It could be done twice."""
    host.answers = [failure]
    with pytest.raises((httpx.HTTPError, requests.RequestException, urllib3.exceptions.HTTPError)):
        guard(retries=RETRIES).call(client(host.url))

    assert 1 == host.asked_count


@pytest.mark.parametrize("client", CLIENTS)
def test_call_that_reached_nobody_is_made_again(client: Any) -> None:
    """Without a connection nothing can have been done."""
    made: list[int] = []

    def call() -> Any:
        made.append(1)
        return client(NOBODY)()

    with pytest.raises((httpx.ConnectError, requests.ConnectionError, urllib3.exceptions.MaxRetryError)):
        guard(retries=RETRIES).call(call)

    assert 3 == len(made)


@pytest.mark.parametrize("status", [200, 304, 400, 404, 409, 500, 501])
def test_an_answer_is_not_asked_for_again(host: Host, status: int) -> None:
    """Neither what it says no to, nor what it fell over: the same call falls over again."""
    host.answers = [(status, {})]
    answer = guard(retries=RETRIES).call(lambda: httpx.get(host.url, trust_env=False), is_idempotent=True)

    assert (status, 1) == (answer.status_code, host.asked_count)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """All that the library's hooks have told: to structlog, to logging, and to whoever reads an error's whole story."""
    told: list[str] = []
    caplog.set_level(logging.WARNING)

    def story(details: Any) -> None:
        told.append("".join(traceback.format_exception(details.caused_by)))

    hooks = (instrumentation.StructlogOnRetryHook, instrumentation.LoggingOnRetryHook, story)
    instrumentation.set_on_retry_hooks(hooks)
    with structlog.testing.capture_logs() as events:
        yield lambda: [*map(str, events), *(str(vars(record)) for record in caplog.records), *told]
    instrumentation.set_on_retry_hooks(None)


@pytest.mark.req(96)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("is_there", [True, False])
def test_retry_is_logged_without_what_the_error_says(
    host: Host, logged: Callable[[], list[str]], client: Callable[[str], Callable[[], Any]], is_there: bool
) -> None:
    """A client's error names the URL, and a URL may hold a token; its class and the outcome are told."""
    host.answers = [(503, {}), (503, {})]
    url = (host.url if is_there else NOBODY) + "?access_token=s3cr3t"
    with contextlib.suppress(httpx.ConnectError, requests.ConnectionError, urllib3.exceptions.MaxRetryError):
        guard(retries=RETRIES).call(client(url), is_idempotent=True)
    lines = logged()

    assert 6 == len(lines)
    assert not any("s3cr3t" in line for line in lines)
    assert all(("failed" if is_there else "unsent") in line for line in lines)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", [ConnectionRefusedError, ZeroDivisionError])
def test_error_comes_back_as_it_was_raised(kind: type[Exception], is_async: bool) -> None:
    """Itself, with its own cause and nothing of ours behind it, whether it was retried or not."""
    raised: list[Exception] = []

    def fail() -> None:
        raised.append(kind("s3cr3t"))
        raise raised[-1]

    async def fail_async() -> None:
        fail()

    payments = guard(retries=RETRIES)
    with pytest.raises(kind) as found:
        asyncio.run(payments.acall(fail_async)) if is_async else payments.call(fail)

    assert raised[-1] is found.value
    assert (None, None, False) == (found.value.__cause__, found.value.__context__, found.value.__suppress_context__)
    assert "fail" == found.traceback[-1].name


def test_failing_response_that_is_returned_is_made_again_and_the_last_one_comes_back(host: Host) -> None:
    """As httpx users have it: a status is no exception."""
    host.answers = [(503, {}), (503, {}), (503, {"x-last": "1"})]
    answer = guard(retries=RETRIES).call(lambda: httpx.get(host.url, trust_env=False), is_idempotent=True)

    assert (503, "1", 3) == (answer.status_code, answer.headers["x-last"], host.asked_count)


def test_response_that_is_not_wanted_is_closed(host: Host) -> None:
    """Its connection goes back to the pool."""
    host.answers = [(503, {})]
    seen: list[httpx.Response] = []
    with httpx.Client(trust_env=False) as client:

        def stream() -> httpx.Response:
            seen.append(client.send(client.build_request("GET", host.url), stream=True))
            return seen[-1]

        guard(retries=RETRIES).call(stream, is_idempotent=True)

        assert [True, False] == [each.is_closed for each in seen]


def test_async_calls_are_guarded_alike(host: Host) -> None:
    """By httpx and aiohttp, awaited; what is not wanted is closed."""
    seen: list[Any] = []

    async def run() -> None:
        payments = guard(retries=RETRIES)
        async with httpx.AsyncClient(trust_env=False) as client, aiohttp.ClientSession() as session:

            async def stream() -> httpx.Response:
                seen.append(await client.send(client.build_request("GET", host.url), stream=True))
                return seen[-1]  # type: ignore[no-any-return]

            host.answers = [(503, {})]
            assert 200 == (await payments.acall(stream, is_idempotent=True)).status_code
            host.answers = [(503, {}), None]
            answer = await payments.acall(lambda: session.get(host.url), is_idempotent=True)
            assert 200 == answer.status
            answer.release()
            with pytest.raises(aiohttp.ClientConnectorError):
                await payments.acall(lambda: session.get(NOBODY))
            assert seen[0].is_closed
            await seen[1].aclose()

    asyncio.run(run())
    assert 5 == host.asked_count


@pytest.mark.parametrize(
    ("said", "waits_s"),
    [("0", 0.0), ("2", 2.0), ("Sat, 21 Nov 2026 10:15:01 GMT", 1.0), ("Sat, 21 Nov 2020 10:15:01 GMT", 0.0)],
)
def test_retry_after_is_waited_for(host: Host, monkeypatch: pytest.MonkeyPatch, said: str, waits_s: float) -> None:
    """In both of its forms, exactly: not sooner, and not by our own reckoning."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr("pennon.http.failing.SYSTEM_CLOCK", _Standing())
    host.answers = [(503, {"Retry-After": said})]
    with stamina.set_testing(False):
        guard(retries=RETRIES).call(by_httpx(host.url), is_idempotent=True)

    assert [waits_s] == waited


class _Standing:
    def now_ns(self) -> int:
        """2026-11-21T10:15:00Z."""
        return 1_795_256_100 * 10**9

    def monotonic_ns(self) -> int:
        """The beginning."""
        return 0


def test_usual_wait_is_within_what_is_declared(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exponential with jitter, up to max_s."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    host.answers = [(503, {"Retry-After": "soon"})] * 4
    with stamina.set_testing(False):
        guard(retries=Retries(attempts=5, initial_s=0.1, max_s=0.5)).call(by_httpx(host.url), is_idempotent=True)

    assert 4 == len(waited)
    for number, wait_s in enumerate(waited):
        assert min(0.5, 0.1 * 2**number) <= wait_s <= min(0.5, 0.1 * 2**number + 0.1)


@pytest.mark.parametrize("said", ["soon", "", "-1", "1.5", "Mon, 01 Jan 99999999999 00:00:00 GMT"])
def test_retry_after_that_cannot_be_read_says_nothing(said: str) -> None:
    """Whatever a host answers, a call's outcome is what is handed on, not what reading the header raised."""
    assert retry_after_s(httpx.Response(503, headers={"Retry-After": said})) is None


def test_longer_retry_after_than_is_worth_waiting_for_is_not_cut_short(host: Host) -> None:
    """To come back sooner than asked would be the one wrong thing."""
    host.answers = [(429, {"Retry-After": "60"})]
    with pytest.raises(httpx.HTTPStatusError):
        guard(retries=RETRIES).call(by_httpx(host.url), is_idempotent=True)

    assert 1 == host.asked_count


@pytest.mark.req(64, 65)
@pytest.mark.parametrize(("left_s", "asked_count"), [(10.0, 3), (0.3, 2), (0.2, 1), (0.05, 1)])
def test_no_attempt_begins_that_could_not_finish(
    host: Host, monkeypatch: pytest.MonkeyPatch, left_s: float, asked_count: int
) -> None:
    """At most 0.2, then 0.3 s of waiting, and 0.075 s of margin and floor, must fit what is left."""
    monkeypatch.setattr("pennon.deadlines.SYSTEM_CLOCK", _Standing())
    host.answers = [(503, {})] * 3
    due = Deadline(round(left_s * 1e9))
    with (
        ambient.entered(RequestContext(HERE, RequestId("req-1"), Ledger(), deadline=due)),
        pytest.raises(httpx.HTTPStatusError),
    ):
        guard(retries=RETRIES).call(by_httpx(host.url), is_idempotent=True)

    assert asked_count == host.asked_count


@pytest.mark.req(65, 66)
def test_deadline_is_neither_retried_nor_the_downstream_s_failure(host: Host) -> None:
    """It says that nobody waits any more, and nothing about who was asked."""
    payments = guard(retries=RETRIES, breaker=BREAKER)
    made: list[int] = []

    def late() -> None:
        made.append(1)
        raise DeadlineExceeded("too late")

    for _ in range(5):
        with pytest.raises(DeadlineExceeded):
            payments.call(late, is_idempotent=True)

    assert 5 == len(made)
    assert 200 == payments.call(by_httpx(host.url)).status_code


def test_circuit_opens_after_failures_in_a_row_and_then_refuses(host: Host) -> None:
    """An answer between them begins the count anew; refused calls reach nobody."""
    payments = guard(breaker=BREAKER)
    before = total(counters.Count.CALLS_REFUSED)
    for status in (500, 200, 500, 404, 503, 500):
        host.answers = [(status, {})]
        assert status == payments.call(lambda: httpx.get(host.url, trust_env=False)).status_code
    for _ in range(3):
        with pytest.raises(CircuitOpen, match="payments: 2 failures in a row; it rests for 30 s"):
            payments.call(by_httpx(host.url))

    assert (6, 3) == (host.asked_count, total(counters.Count.CALLS_REFUSED) - before)


def test_circuit_counts_attempts_and_ends_the_retries(host: Host) -> None:
    """A downstream that is given a rest is not asked a third time."""
    host.answers = [(503, {})] * 3
    with pytest.raises(CircuitOpen):
        guard(retries=Retries(attempts=9), breaker=BREAKER).call(by_httpx(host.url), is_idempotent=True)

    assert 2 == host.asked_count


@pytest.mark.parametrize("status", [429, 404])
def test_circuit_stays_closed_for_who_is_there(host: Host, status: int) -> None:
    """Too many calls, or the wrong ones, are no sickness of the downstream."""
    payments = guard(breaker=BREAKER)
    host.answers = [(status, {})] * 5
    for _ in range(5):
        with pytest.raises(httpx.HTTPStatusError):
            payments.call(by_httpx(host.url))

    assert 200 == payments.call(by_httpx(host.url)).status_code


def test_error_of_one_s_own_says_nothing_of_the_downstream() -> None:
    """Neither fallback nor circuit nor retry hides a bug."""
    payments = guard(retries=RETRIES, breaker=BREAKER, fallback=lambda _: "instead")
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            payments.call(lambda: 1 // 0, is_idempotent=True)


def _rested(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = time.time()
    monkeypatch.setattr("purgatory.domain.model.time.time", lambda: now_s + 31)


def test_circuit_is_tried_by_one_call_after_its_rest(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are refused while that one is under way; its answer closes the circuit."""
    payments = guard(breaker=BREAKER)
    host.answers = [(500, {})] * 2
    for _ in range(2):
        payments.call(lambda: httpx.get(host.url, trust_env=False))
    _rested(monkeypatch)

    def trying() -> str:
        with pytest.raises(CircuitOpen):
            payments.call(lambda: "another")
        return "answered"

    assert "answered" == payments.call(trying)
    assert "closed" == payments.call(lambda: "closed")


@pytest.mark.parametrize("ends", [asyncio.CancelledError(), DeadlineExceeded("late"), ValueError("own")])
def test_trying_call_that_tells_nothing_lets_the_next_one_try(
    monkeypatch: pytest.MonkeyPatch, ends: BaseException
) -> None:
    """The circuit neither closes for it nor is held by it."""
    payments = guard(breaker=BREAKER)

    def fail() -> None:
        raise ConnectionResetError

    def end() -> None:
        raise ends

    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            payments.call(fail)
    _rested(monkeypatch)
    with pytest.raises(type(ends)):
        payments.call(end)
    with pytest.raises(ConnectionResetError):
        payments.call(fail)
    monkeypatch.undo()
    with pytest.raises(CircuitOpen):
        payments.call(lambda: "again")


def test_circuit_is_shared_by_threads() -> None:
    """Many failures at once open it once, and nobody falls over another's count."""
    payments = guard(breaker=Breaker(failures=50, rest_s=30))
    barrier = threading.Barrier(8)
    seen: list[type[BaseException]] = []

    def work() -> None:
        barrier.wait()
        for _ in range(50):
            try:
                payments.call(lambda: (_ for _ in ()).throw(ConnectionResetError()))
            except Exception as error:  # noqa: BLE001  # whatever comes is looked at below
                seen.append(type(error))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {ConnectionResetError, CircuitOpen} == set(seen)
    assert seen.count(ConnectionResetError) <= 57


def test_refusals_hold_on_to_nothing() -> None:
    """The library raises one exception again and again; its traceback must not grow, nor keep its callers alive."""

    class Held:
        pass

    payments = guard(breaker=Breaker(failures=1, rest_s=30))
    with pytest.raises(ConnectionResetError):
        payments.call(lambda: (_ for _ in ()).throw(ConnectionResetError()))

    def refused() -> None:
        held = Held()
        assert held is not None
        with pytest.raises(CircuitOpen):
            payments.call(lambda: held)

    refused()
    gc.collect()

    # Not isinstance, which asks the object: somebody's dead weak proxy would raise.
    assert [] == [each for each in gc.get_objects() if type(each) is Held]


@pytest.mark.parametrize(
    "error", [CircuitOpen("open"), DeadlineExceeded("late"), ConnectionResetError(), TimeoutError()]
)
def test_fallback_gets_the_error_and_answers_instead(error: Exception) -> None:
    """For what the downstream did not do."""
    before = total(counters.Count.CALLS_FALLEN_BACK)

    def fail() -> object:
        raise error

    assert ("instead", error) == guard(retries=RETRIES, fallback=lambda found: ("instead", found)).call(fail)
    assert 1 == total(counters.Count.CALLS_FALLEN_BACK) - before


def test_fallback_can_be_awaited() -> None:
    """A cache is asked over the network as well."""

    async def instead(_: Exception) -> str:
        return "cached"

    async def fail() -> str:
        raise ConnectionResetError

    assert "cached" == asyncio.run(guard(breaker=BREAKER, fallback=instead).acall(fail))


def test_what_is_async_is_not_taken_for_guarded() -> None:
    """What it gives would be awaited outside: no retry, no circuit, no fallback, and nobody would notice."""

    async def answered(*_: object) -> str:
        raise ConnectionResetError

    def failing() -> str:
        raise ConnectionResetError

    declared = guard(breaker=BREAKER)
    fallen_back = guard(breaker=BREAKER, fallback=answered)

    with pytest.raises(TypeError, match="only acall awaits"):
        _ = declared.call(answered)
    with pytest.raises(TypeError, match="only acall awaits"):
        fallen_back.call(failing)


def test_guard_is_a_decorator(host: Host) -> None:
    """Of functions of both kinds; arguments go through, names stay."""
    payments = guard(retries=RETRIES)

    @payments
    def once(path: str, *, status: int) -> int:
        """Kept."""
        host.answers = [(status, {})]
        return httpx.get(host.url + path, trust_env=False).status_code

    @payments.idempotent
    async def again(path: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(host.url + path)

    assert (503, "once", "Kept.") == (once("x", status=503), once.__name__, once.__doc__)
    host.answers = [(503, {})]
    assert 200 == asyncio.run(again("y")).status_code


def test_guard_of_nobody_does_not_build() -> None:
    """What is wrong is said where it is written."""
    contract = Contract("c", version="1", owner="t", downstreams=(Downstream("plain", host="plain.internal"),))
    with pytest.raises(SettingInvalid, match="'payment' is no host of the contract; there are 'plain'"):
        pennon.http.Guard(contract, "payment")
    with pytest.raises(SettingInvalid, match="'plain' is declared with neither retries nor breaker"):
        pennon.http.Guard(contract, "plain")


@pytest.mark.parametrize(
    ("library", "declared"), [("stamina", {"retries": RETRIES}), ("purgatory", {"breaker": BREAKER})]
)
def test_guard_without_its_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, library: str, declared: dict[str, Any]
) -> None:
    """At once, not when something fails."""
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "pennon.http.breaking", raising=False)
    with pytest.raises(SettingInvalid, match=rf"{library} is missing.*pip install 'pennon\[resilience\]'"):
        guard(**declared)


def test_libraries_are_loaded_by_who_guards_alone() -> None:
    """A service that makes no guarded calls needs neither."""
    assert importlib.util.find_spec("stamina") is not None
    code = "import sys, pennon.http; assert not {'stamina', 'purgatory', 'tenacity'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
