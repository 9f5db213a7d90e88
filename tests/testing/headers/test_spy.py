"""The spy: what reached each downstream, whoever called."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import aiohttp
import httpx
import pytest
import requests

import pennon.http
import pennon.kafka
from pennon import ambient
from pennon.context import Ledger, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.headers import Contract, Downstream
from pennon.testing.headers import UNDECLARED, DownstreamSpy

TRACE = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "")


@pytest.fixture(autouse=True)
def request_here() -> Iterator[None]:
    """A request is being served."""
    with ambient.entered(RequestContext(TRACE, RequestId("req-1"), Ledger(), fields=(("x-desk", "desk-1"),))):
        yield


@pytest.mark.req(35, 94, 95)
@pytest.mark.parametrize("way", ["sync", "async"])
def test_httpx_client_is_spied_on_in_process(way: str, contract: Contract, downstream_spy: DownstreamSpy) -> None:
    """By its transport: what a host got stands under its downstream's name, the rest under "undeclared"."""
    spy = downstream_spy.watch(contract)
    urls = ["http://kit.pay.internal/x?secret=1", "http://read.internal:8001/", "http://nobody.internal/"]
    if way == "sync":
        with pennon.http.httpx(httpx.Client(transport=spy.transport), contract) as client:
            for url in urls:
                client.get(url, headers={"x-own": "1"})
    else:

        async def call() -> None:
            bare = httpx.AsyncClient(transport=spy.transport)
            async with pennon.http.httpx(bare, contract) as client:
                for url in urls:
                    await client.get(url, headers={"x-own": "1"})

        asyncio.run(call())

    assert "req-1" == spy["pay"].last.headers["x-request-id"]
    assert ("kit.pay.internal", "GET", "/x") == (spy["pay"].last.place, spy["pay"].last.method, spy["pay"].last.path)
    assert "x-desk" not in spy["pay"].last.headers
    assert "desk-1" == spy["read"].last.headers["x-desk"]
    assert {"x-own"} == {"x-own", "x-request-id", "traceparent"} & set(spy[UNDECLARED].last.headers)
    assert [] == spy["stripe"]


@pytest.mark.req(35, 94)
def test_requests_and_aiohttp_reach_servers_on_loopback(contract: Contract, downstream_spy: DownstreamSpy) -> None:
    """Under the contract whose hosts are theirs, through real sockets."""
    with downstream_spy.watch(contract).loopback() as here:
        hosts = {each.name: each.host for each in here.downstreams}
        with pennon.http.requests(requests.Session(), here) as session:
            session.trust_env = False
            session.post(f"http://{hosts['pay']}/x", data=b"body", timeout=60)

        async def call() -> None:
            session = pennon.http.aiohttp(aiohttp.ClientSession(), here)
            async with session, session.get(f"http://{hosts['read']}/y"):
                pass

        asyncio.run(call())

    assert {"feed"} == {each.name for each in here.downstreams} - {each.name for each in here.downstreams if each.host}
    assert ("POST", "/x") == (downstream_spy["pay"].last.method, downstream_spy["pay"].last.path)
    assert "req-1" == downstream_spy["pay"].last.headers["x-request-id"]
    assert "desk-1" == downstream_spy["read"].last.headers["x-desk"]


@pytest.mark.req(43, 94)
def test_producers_are_spied_on_without_a_broker(contract: Contract, downstream_spy: DownstreamSpy) -> None:
    """confluent-kafka's way and aiokafka's, through the real doors."""
    spy = downstream_spy.watch(contract)
    producer = pennon.kafka.producer(spy.producer, contract)
    producer.produce("feed.posts", b"v", headers=[("own", b"1"), ("none", None)])
    producer.produce("elsewhere", b"v")
    producer.flush()

    async def send() -> None:
        await pennon.kafka.aio.producer(spy.producer, contract).send_and_wait("feed.posts", b"v")

    asyncio.run(send())

    first, second = spy["feed"]
    assert {"own": "1", "none": ""}.items() <= first.headers.items()
    assert first.headers["traceparent"][:35] == second.headers["traceparent"][:35]
    assert "traceparent" not in spy[UNDECLARED].last.headers


@pytest.mark.req(94)
def test_a_service_of_your_own_stands_in_a_downstreams_place(contract: Contract, downstream_spy: DownstreamSpy) -> None:
    """What it answers is the caller's to read, sync and async; the others answer nothing, as ever."""
    spy = downstream_spy.watch(contract)
    spy.answers["pay"] = lambda request: httpx.Response(201, json={"told": request.url.path})

    async def read(scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 203, "headers": []})
        await send({"type": "http.response.body", "body": body * 2})

    spy.answers["read"] = httpx.ASGITransport(read).handle_async_request
    with pennon.http.httpx(httpx.Client(transport=spy.transport), contract) as client:
        paid = client.get("http://kit.pay.internal/x")
        other = client.get("http://nobody.internal/")

    async def call() -> httpx.Response:
        async with pennon.http.httpx(httpx.AsyncClient(transport=spy.transport), contract) as client:
            return await client.post("http://read.internal:8001/", content=b"ab")

    found = asyncio.run(call())

    assert (201, {"told": "/x"}, 200) == (paid.status_code, paid.json(), other.status_code)
    assert (203, b"abab", b"ab") == (found.status_code, found.content, spy["read"].last.body)


@pytest.mark.req(43, 94)
@pytest.mark.parametrize("asked", ["on_delivery", "callback"])
def test_spied_producer_tells_of_deliveries_when_it_is_polled(
    contract: Contract, downstream_spy: DownstreamSpy, asked: str
) -> None:
    """Not before, each once, as confluent-kafka's does: who waits for a confirmation gets one."""
    spy = downstream_spy.watch(contract)
    producer = pennon.kafka.producer(spy.producer, contract)
    told: list[Any] = []
    for value in ("one", "two", "three"):
        confirm = {asked: lambda error, message: told.append((error, message))}
        producer.produce("feed.posts", value, "key", headers={"own": "1"}, **confirm)

    assert ([], 3) == (told, len(producer))
    assert (1, 1) == (producer.poll(0), len(told))
    assert (0, 0) == (producer.flush(), producer.poll(0.001))
    assert [None] * 3 == [error for error, _ in told]
    assert [(b"key", b"one"), (b"key", b"two"), (b"key", b"three")] == [(each.key(), each.value()) for _, each in told]
    message = told[0][1]
    assert ("feed.posts", 0, 0, None) == (message.topic(), message.partition(), message.offset(), message.error())
    assert ("own", "1") in message.headers()
    assert b"three" == spy["feed"].last.body


@pytest.mark.req(33, 35, 116)
def test_one_trace_runs_through_every_client(contract: Contract, downstream_spy: DownstreamSpy) -> None:
    """Httpx sync and async, requests, aiohttp, and both kinds of producers: no way out breaks it."""
    with downstream_spy.watch(contract).loopback() as here:
        url = f"http://{next(each.host for each in here.downstreams if each.name == 'pay')}/"
        with pennon.http.httpx(httpx.Client(trust_env=False), here) as client:
            client.get(url)
        with pennon.http.requests(requests.Session(), here) as session:
            session.trust_env = False
            session.get(url, timeout=60)

        async def call() -> None:
            async with pennon.http.httpx(httpx.AsyncClient(trust_env=False), here) as client:
                await client.get(url)
            session = pennon.http.aiohttp(aiohttp.ClientSession(), here)
            async with session, session.get(url):
                pass
            await pennon.kafka.aio.producer(downstream_spy.producer, here).send("feed.posts", b"v")

        asyncio.run(call())
        pennon.kafka.producer(downstream_spy.producer, here).produce("feed.posts", b"v")
        reached = [*downstream_spy["pay"], *downstream_spy["feed"]]

    assert [TRACE.trace_id] * 6 == [each.headers["traceparent"].split("-")[1] for each in reached]


def test_lines_of_one_name_stand_joined_and_each(downstream_spy: DownstreamSpy) -> None:
    """In order; names without case."""
    downstream_spy.reach("nobody", 80, [("X-A", "1"), ("x-a", "2")])

    assert {"x-a": "1, 2"} == downstream_spy[UNDECLARED].last.headers
    assert (("x-a", "1"), ("x-a", "2")) == downstream_spy[UNDECLARED].last.lines
    downstream_spy.clear()
    with pytest.raises(AssertionError, match="nothing reached this downstream"):
        _ = downstream_spy[UNDECLARED].last


def test_spy_knows_the_downstreams_that_it_watches(contract: Contract, downstream_spy: DownstreamSpy) -> None:
    """A name that is none is the test's mistake, not an empty answer."""
    with pytest.raises(KeyError, match="'pay' is no downstream of the contract that is watched"):
        downstream_spy["pay"]
    with pytest.raises(ValueError, match="loopback: watch a contract first"), downstream_spy.loopback():
        pass
    assert [] == downstream_spy.watch(contract)["pay"]


def test_suite_calls_by_the_service_s_own_clients_where_they_are_given(contract: Contract, boundaries: Any) -> None:
    """The client is the service's; the suite sees what it sends, and what it forgets."""
    from pennon.testing.headers import Probe, cases_of

    spy = DownstreamSpy(contract)
    ours = pennon.http.httpx(httpx.Client(transport=spy.transport), contract)
    bare = httpx.Client(transport=spy.transport)
    [case] = [each for each in cases_of(contract, boundaries["mesh"]) if each.id == "downstreams/pay/trace"]
    for client in (ours, bare):
        probe = Probe(contract, spy=spy, calls={"pay": partial(client.get, "http://kit.pay.internal/")})
        door = pennon.http.asgi(probe.asgi, contract, boundary=boundaries["mesh"])
        if client is ours:
            case.run(door, probe=probe)
        else:
            with pytest.raises(AssertionError, match="one traceparent arrives"):
                case.run(door, probe=probe)
    ours.close()
    bare.close()


def test_suite_waits_for_calls_that_are_async(contract: Contract, boundaries: Any) -> None:
    """An AsyncClient of the service's, which is called in its own event loop."""
    from pennon.testing.headers import Probe, cases_of

    spy = DownstreamSpy(contract)
    own = pennon.http.httpx(httpx.AsyncClient(transport=spy.transport), contract)
    probe = Probe(contract, spy=spy, calls={"pay": partial(own.get, "http://kit.pay.internal/")})
    door = pennon.http.asgi(probe.asgi, contract, boundary=boundaries["mesh"])
    [case] = [each for each in cases_of(contract, boundaries["mesh"]) if each.id == "downstreams/pay/trace"]
    case.run(door, probe=probe)

    assert "traceparent" in spy["pay"].last.headers
    asyncio.run(own.aclose())


def test_downstream_of_any_form_has_a_host_to_call() -> None:
    """A wildcard stands for a name below it; a port that is said is called."""
    from pennon.testing.headers.probing import host_of

    hosts = {"*.pay.internal": "kit.pay.internal", "[::1]:8001": "[::1]:8001", "posts.internal": "posts.internal"}
    for declared, called in hosts.items():
        downstream = Downstream("d", host=declared)
        contract = Contract("c", version="1", owner="t", downstreams=[downstream])
        url = httpx.URL(f"http://{called}/")

        assert called == host_of(downstream)
        assert downstream == contract.downstream_for_host(url.host, url.port)
