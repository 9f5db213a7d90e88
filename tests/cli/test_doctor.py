"""`pennon doctor propagation`: it finds each break that is built in, and none where there is none."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import requests
import urllib3
from click.testing import CliRunner, Result
from flask import Flask
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware

import pennon.http
from pennon.cli import doctor
from pennon.cli import propagation as doctoring
from pennon.cli.main import cli
from pennon.cli.propagation import Client, Crossing, Finding, Item, Level, State, environment
from pennon.headers import (
    BaggageKey,
    BaggagePolicy,
    Budgets,
    Contract,
    DeadlineForm,
    DeadlinePolicy,
    Downstream,
    mesh,
    networks,
    public,
    std,
)

IDENTITY = (std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF)
CONTRACT = Contract(
    "orders",
    version="1",
    owner="platform-team",
    fields=IDENTITY,
    baggage=BaggagePolicy(allow=[BaggageKey("tenant.tier", enum=("free", "pro"))]),
    deadline=DeadlinePolicy(accept=["x-request-deadline", "grpc-timeout"], cap_s=30),
    downstreams=(
        Downstream("posts", host="posts.internal", tenant=True, actor=True, deadline=DeadlineForm.TIMEOUT_MS),
        Downstream("wild", host="*.pay.internal:8443", decisions=False, deadline=DeadlineForm.ABSOLUTE),
        Downstream("stripe", host="api.stripe.com", external=True, trace=False, request_id=False),
        Downstream("feed", topic="feed.posts", tenant=True),
        Downstream("signed", topic="signed.posts", audience="feed"),
    ),
)

Find = Callable[[Client], list[Crossing]]


@pytest.fixture(autouse=True)
def _nobody_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name of a downstream is ever resolved: what is not loopback fails the test."""
    resolve = socket.getaddrinfo

    def loopback_only(host: Any, *args: Any, **named: Any) -> Any:
        assert host in ("127.0.0.1", b"127.0.0.1", "localhost", None), f"looked up {host!r}"
        return resolve(host, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", loopback_only)


def states(crossing: Crossing) -> dict[Item, State]:
    """What became of each thing."""
    return {verdict.item: verdict.state for verdict in crossing.verdicts}


def why(crossing: Crossing, item: Item) -> str:
    """What is said of one thing."""
    [said] = [verdict.why for verdict in crossing.verdicts if verdict.item is item]
    return said


@pytest.fixture
def find() -> Find:
    """What leaves through a client of the test's own."""
    return lambda client: list(doctoring.examine(CONTRACT, clients=(client,)).outgoing)


@pytest.mark.req(33, 116)
@pytest.mark.parametrize("has_sdk", [False, True])
def test_nothing_is_lost_through_our_doors(has_sdk: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every door and every client, with spans and without: what may go arrives, what may not does not."""
    if has_sdk:
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", TracerProvider())

    examined = doctoring.examine(CONTRACT)

    assert [] == [each for each in (*examined.incoming, *examined.outgoing, *examined.records) if each.is_broken]
    assert 0 == examined.breaks_count
    clients = {"httpx", "httpx async", "requests", "urllib3", "aiohttp"}
    ways = {f"{door} > {client}" for door in ("asgi", "wsgi") for client in clients}
    for hop in ("posts", "wild", "stripe"):
        assert ways == {each.door for each in examined.outgoing if each.hop == hop}
    assert clients == {each.door for each in examined.outgoing if each.hop == "stranger.invalid"}
    kept = {
        each.hop: {item for item, state in states(each).items() if state is State.KEPT} for each in examined.outgoing
    }
    assert {"posts": set(Item), "stripe": {Item.CORRELATION_ID}, "stranger.invalid": set()} == {
        hop: kept[hop] for hop in ("posts", "stripe", "stranger.invalid")
    }
    assert set(Item) - {Item.DECISIONS, Item.IDENTITY} == kept["wild"]
    for topic in ("feed", "signed"):
        [told] = {frozenset(states(each).items()) for each in examined.records if each.hop == topic}
        assert {Item.DEADLINE} == {item for item, state in told if state is State.WITHHELD}


@pytest.mark.req(33)
def test_withheld_names_the_contract_s_rule() -> None:
    """Who misses something reads why it is not there."""
    said = {each.hop: each for each in doctoring.examine(CONTRACT).outgoing}

    assert "decisions=False" == why(said["wild"], Item.DECISIONS)
    assert "trace=False" == why(said["stripe"], Item.TRACE)
    assert "it is external" == why(said["stripe"], Item.BAGGAGE)
    assert "it declares no deadline form" == why(said["stripe"], Item.DEADLINE)
    assert "the host is not declared" == why(said["stranger.invalid"], Item.REQUEST_ID)


@pytest.mark.req(33)
def test_client_without_a_door_loses_everything(find: Find) -> None:
    """As an adapter that was mounted after wrapping does."""

    def bare(_: Contract, url: str, proxy: str) -> None:
        with httpx.Client(proxy=proxy, trust_env=False) as client:
            client.get(url)

    posts = find(Client("bare", sync=bare))[0]

    assert dict.fromkeys(Item, State.LOST) == states(posts)


@pytest.mark.req(33)
def test_traceparent_that_somebody_overwrites_is_another_one(find: Find) -> None:
    """An instrumentation inside of the door has the last word on what leaves."""

    class Overwriting(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            request.headers["traceparent"] = f"00-{'a' * 32}-{'b' * 16}-00"
            return super().handle_request(request)

    def call(contract: Contract, url: str, proxy: str) -> None:
        with pennon.http.httpx(httpx.Client(transport=Overwriting(proxy=proxy)), contract) as client:
            client.get(url)

    posts = find(Client("overwritten", sync=call))[0]

    lost = {Item.TRACE, Item.PARENT, Item.SAMPLED}
    assert lost == {item for item, state in states(posts).items() if state is State.LOST}
    assert "another arrived than left" == why(posts, Item.TRACE)


@pytest.mark.req(33, 64)
def test_deadline_that_leaves_twice_is_another_one(find: Find) -> None:
    """A callee that is no pennon may believe the later one."""

    class Doubling(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            request.headers = httpx.Headers([*request.headers.raw, (b"x-request-timeout-ms", b"99999")])
            return super().handle_request(request)

    def call(contract: Contract, url: str, proxy: str) -> None:
        with pennon.http.httpx(httpx.Client(transport=Doubling(proxy=proxy)), contract) as client:
            client.get(url)

    posts = find(Client("doubled", sync=call))[0]

    assert {Item.DEADLINE} == {item for item, state in states(posts).items() if state is State.LOST}


@pytest.mark.req(33)
def test_parent_that_was_copied_from_the_caller_is_lost(find: Find) -> None:
    """The trace goes on, but this hop is missing in it."""

    class Copying(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            context = pennon.current()
            assert context is not None
            trace_ = context.trace
            request.headers["traceparent"] = f"00-{trace_.trace_id}-{trace_.parent_span_id}-01"
            return super().handle_request(request)

    def call(contract: Contract, url: str, proxy: str) -> None:
        with pennon.http.httpx(httpx.Client(transport=Copying(proxy=proxy)), contract) as client:
            client.get(url)

    posts = find(Client("copied", sync=call))[0]

    assert {Item.PARENT} == {item for item, state in states(posts).items() if state is State.LOST}


@pytest.mark.req(33)
def test_call_from_a_thread_without_context_loses_the_request(find: Find) -> None:
    """A door around the client does not help where the request is not there."""

    async def call(contract: Contract, url: str, proxy: str) -> None:
        def in_thread() -> None:
            with pennon.http.httpx(httpx.Client(proxy=proxy, trust_env=False), contract) as client:
                client.get(url)

        await asyncio.get_running_loop().run_in_executor(None, in_thread)

    posts = find(Client("executor", awaited=call))[0]

    assert State.LOST is states(posts)[Item.REQUEST_ID]
    assert State.LOST is states(posts)[Item.DECISIONS]


@pytest.mark.req(33)
def test_header_that_follows_a_redirect_is_a_leak(find: Find) -> None:
    """What an event hook writes into the request goes on to whoever is redirected to; a door cannot know of it."""

    def write(request: httpx.Request) -> None:
        request.headers["x-tenant-id"] = "t-1"

    class Around(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            write(request)
            return super().handle_request(request)

    def call(contract: Contract, url: str, proxy: str) -> None:
        client = httpx.Client(transport=Around(proxy=proxy), follow_redirects=True)
        with pennon.http.httpx(client, contract):
            client.get(url)

    stranger = find(Client("leaking", sync=call))[-1]

    assert "stranger.invalid" == stranger.hop
    assert {Item.IDENTITY} == {item for item, state in states(stranger).items() if state is State.LEAKED}
    assert "redirected to" in why(stranger, Item.IDENTITY)


@pytest.mark.req(33)
def test_client_that_fails_is_a_finding(find: Find) -> None:
    """And ends no other probe."""

    def fail(_: Contract, __: str, ___: str) -> None:
        raise OSError("no route")

    assert {"OSError: no route"} == {each.fault for each in find(Client("failing", sync=fail))}


def test_contract_that_refuses_the_probe_is_a_finding() -> None:
    """A budget that no request fits is not a table of LOST."""
    tight = Contract("tight", version="1", owner="tests", budgets=Budgets(total_count=1))

    found = doctoring.examine(tight)

    assert all("refused the probe" in each.fault for each in found.incoming)
    assert 4 + 4 <= found.breaks_count


@pytest.mark.req(33)
def test_contract_that_requires_a_field_is_probed_all_the_same() -> None:
    """What goes on is looked at; what must be there is not asked of the probe."""
    demanding = replace(CONTRACT, fields=[*IDENTITY, replace(std.IDEMPOTENCY_KEY, required=True)])

    assert not [each for each in doctoring.examine(demanding, clients=()).incoming if each.fault]


@pytest.mark.req(33)
def test_threads_that_lose_the_request_are_told_from_those_that_keep_it() -> None:
    """Measured here, not recited: an interpreter may differ."""
    found = {each.subject: each.level for each in doctoring.examine(CONTRACT, clients=()).threads}

    assert {
        "asyncio.create_task": Level.FINE,
        "asyncio.to_thread": Level.FINE,
        "pennon.ContextExecutor": Level.FINE,
        "loop.run_in_executor": Level.ADVICE,
        "ThreadPoolExecutor.submit": Level.ADVICE,
        "threading.Thread": Level.ADVICE,
    } == found


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("b3", Level.BREAK),
        ("baggage", Level.BREAK),
        ("pennon", Level.FINE),
        ("b3, tracecontext", Level.FINE),
        (None, Level.FINE),
    ],
)
@pytest.mark.req(33, 34)
def test_propagators_that_know_no_trace_are_a_break(
    said: str | None, expected: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services beside ours that only run OpenTelemetry would speak another language."""
    monkeypatch.delenv("OTEL_PROPAGATORS", raising=False)
    if said is not None:
        monkeypatch.setenv("OTEL_PROPAGATORS", said)

    [found] = [each for each in environment.surroundings() if each.subject == "OTEL_PROPAGATORS"]
    assert expected is found.level


@pytest.mark.parametrize(("is_active", "expected"), [(True, Level.BREAK), (False, Level.ADVICE)])
def test_kafka_instrumentation_is_named(is_active: bool, expected: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    """It appends a second traceparent to our records."""
    instrumentor = SimpleNamespace(is_instrumented_by_opentelemetry=is_active)
    entry = SimpleNamespace(name="confluent_kafka", load=lambda: lambda: instrumentor)
    monkeypatch.setattr(environment, "entry_points", lambda **_: [entry])

    [found] = [each for each in environment.surroundings() if each.subject == "confluent_kafka"]
    assert expected is found.level


INNER = Starlette()
DOOR = pennon.http.asgi(INNER, CONTRACT, boundary=public())
AROUND = GZipMiddleware(DOOR)
SESSION = pennon.http.requests(requests.Session(), CONTRACT)
MOUNTED = pennon.http.requests(requests.Session(), CONTRACT)
MOUNTED.mount("http://legacy.internal", requests.adapters.HTTPAdapter())
WRAPPED = pennon.http.httpx(httpx.Client(mounts={"http://": httpx.HTTPTransport()}), CONTRACT)


def levels(found: Iterator[Finding]) -> list[Level]:
    """How much each finding matters."""
    return [each.level for each in found]


def test_application_is_told_whether_its_door_stands_outermost() -> None:
    """Wrapped, by WSGI and in Flask too; wrapped inside of something; not at all; one whose middleware is a door."""

    def wsgi(_: Any, start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [])
        return []

    by_middleware = Starlette()
    by_middleware.add_middleware(pennon.http.asgi, contract=CONTRACT, boundary=public())
    door = pennon.http.wsgi(wsgi, CONTRACT, boundary=public())
    by_flask = Flask("shop")
    by_flask.wsgi_app = pennon.http.wsgi(by_flask.wsgi_app, CONTRACT, boundary=public())  # type: ignore[method-assign]
    assert [Level.FINE, Level.FINE] == levels(doctoring.application("app", DOOR))
    assert [Level.FINE, Level.FINE] == levels(doctoring.application("app", by_flask))
    assert [Level.FINE, Level.FINE] == levels(doctoring.application("app", door))
    assert [Level.ADVICE, Level.FINE] == levels(doctoring.application("app", AROUND))
    assert [Level.ADVICE, Level.FINE] == levels(doctoring.application("app", by_middleware))
    assert [Level.BREAK] == levels(doctoring.application("app", INNER))


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_application_that_does_not_answer_is_a_break(kind: str) -> None:
    """It is not waited for beyond its time, even where nothing can stop it."""
    end = threading.Event()

    async def waiting(_scope: Any, _receive: Any, _send: Any) -> None:
        await asyncio.to_thread(end.wait)

    def standing(_environ: Any, _start_response: Any) -> Any:
        end.wait()
        return []

    door: Any = (
        pennon.http.asgi(waiting, CONTRACT, boundary=public())
        if kind == "asgi"
        else pennon.http.wsgi(standing, CONTRACT, boundary=public())
    )
    try:
        _, found = doctoring.application("app", door, limit_s=0.05)
    finally:
        end.set()

    assert (Level.BREAK, "was not answered within 0.05 s") == (found.level, found.said)


def test_application_that_takes_the_ids_off_is_a_break() -> None:
    """The door writes them; something around it does not pass them on."""

    class Stripping:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def without(message: Any) -> None:
                await send({key: value for key, value in message.items() if key != "headers"} | {"headers": []})

            await self.app(scope, receive, without)

    assert [Level.ADVICE, Level.BREAK] == levels(doctoring.application("app", Stripping(DOOR)))


def test_client_is_told_what_of_it_is_not_wrapped() -> None:
    """An adapter that was mounted after wrapping stands outside of the contract."""
    assert [Level.FINE] == levels(doctoring.client("s", SESSION))
    assert [Level.FINE] == levels(doctoring.client("c", WRAPPED))
    [found] = doctoring.client("s", MOUNTED)
    assert (Level.BREAK, True) == (found.level, "http://legacy.internal" in found.said)
    assert [Level.FINE] == levels(doctoring.client("m", pennon.http.urllib3(urllib3.PoolManager(), CONTRACT)))
    assert [Level.BREAK] == levels(doctoring.client("m", urllib3.PoolManager()))
    assert [Level.BREAK] == levels(doctoring.client("c", httpx.Client()))
    assert [Level.BREAK] == levels(doctoring.client("c", object()))


Run = Callable[..., Result]
OURS = mesh(verify=networks("127.0.0.0/8"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command as typed, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OTEL_PROPAGATORS", raising=False)
    return lambda *words: CliRunner().invoke(cli, ["doctor", "propagation", *words])


def test_command_says_that_nothing_is_lost_and_fits_a_terminal(run: Run) -> None:
    """Exit code 0; no line is longer than 80."""
    shown = run(f"{__file__}:CONTRACT")

    assert 0 == shown.exit_code, shown.output
    assert "nothing is lost" in shown.output
    assert [] == [line for line in shown.output.splitlines() if len(line.rstrip()) > 80]
    for hop in ("posts", "wild", "stripe", "stranger.invalid", "feed"):
        assert f"\n{hop}\n" in shown.output


def test_command_ends_with_1_where_something_is_lost(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline stops by it."""
    monkeypatch.setenv("OTEL_PROPAGATORS", "b3")

    shown = run()

    assert (1, True) == (shown.exit_code, "1 break found" in shown.output)


def test_command_tells_programs_the_same(run: Run) -> None:
    """One JSON document with every verdict."""
    shown = run(f"{__file__}:CONTRACT", "--json")

    found = json.loads(shown.output)
    assert 0 == found["breaks"]
    first = found["probes"]["outgoing"][0]
    assert ("posts", "asgi > httpx", {"item": "trace", "state": "kept", "why": ""}) == (
        first["hop"],
        first["door"],
        first["verdicts"][0],
    )


@pytest.mark.parametrize(
    "named", ["nowhere:CONTRACT", "nothing", "missing.py:CONTRACT", f"{__file__}:NOTHING", f"{__file__}:INNER"]
)
def test_command_refuses_what_is_no_contract(named: str, run: Run) -> None:
    """With usage's exit code, and a sentence."""
    shown = run(named)

    assert 2 == shown.exit_code, shown.output


@pytest.mark.parametrize(
    ("boundary", "is_declared", "code"),
    [(OURS, True, 0), (public(), True, 1), (OURS, False, 1)],
)
def test_live_service_is_asked_whether_it_heard_us(
    boundary: Any, is_declared: bool, code: int, run: Run, tmp_path: Path, serving: Any
) -> None:
    """One that keeps our id does; one that takes us for a stranger makes its own; an undeclared one is not called."""
    app = pennon.http.asgi(Starlette(), Contract("s", version="1", owner="tests"), boundary=boundary)
    app.drain = lambda: None  # type: ignore[attr-defined]
    with serving(app) as url:
        host = url.removeprefix("http://") if is_declared else "elsewhere.internal"
        (tmp_path / "live.py").write_text(
            "from pennon.headers import Contract, Downstream\n"
            f"C = Contract('c', version='1', owner='o', downstreams=(Downstream('s', host='{host}'),))\n"
        )
        shown = run("live.py:C", "--live", f"{url}/health")

    assert code == shown.exit_code, shown.output
    # rich wraps what it says to the width of a terminal.
    said = " ".join(shown.output.split())
    assert said.count("it was kept") == (2 if code == 0 else 1 if is_declared else 0)


@pytest.mark.kafka
@pytest.mark.slow
def test_record_really_goes_through_a_broker(kafka: Any) -> None:
    """By a topic of its own, which is gone afterwards; the contract's topics get nothing."""
    from confluent_kafka.admin import AdminClient

    found = doctoring.examine(CONTRACT, clients=(), bootstrap=kafka.bootstrap)

    through = [each for each in found.records if each.door.startswith("a broker")]
    assert ["a broker, sent", "a broker, handled"] * 2 == [each.door for each in through]
    assert [] == [each for each in through if each.is_broken]
    topics = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=60).topics
    assert not any(name.startswith("pennon-doctor-") or name == "feed.posts" for name in topics)


def test_page_names_every_option() -> None:
    """A new one needs its line."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "doctor.md").read_text(encoding="utf-8")
    command = doctor.propagation

    options = [option for each in command.params for option in each.opts if option.startswith("--")]
    assert [] == [option for option in options if f"`{option}" not in page]


def test_broker_without_a_topic_to_ask_it_by_is_told(run: Run, tmp_path: Path) -> None:
    """Else of what nobody has tried it would be said that nothing is lost."""
    (tmp_path / "contract.toml").write_text('name = "orders"\nversion = "1"\nowner = "t"\n')
    result = run("contract.toml", "--bootstrap", "127.0.0.1:1")

    assert 2 == result.exit_code
    assert "'orders' declares no topic" in result.output
