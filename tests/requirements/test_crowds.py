"""A baggage key that is to have few values, and has many, is noticed: by its number, never by its values."""

import asyncio
from collections.abc import Callable, Iterable
from threading import Barrier, Thread
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

import pennon.http
import pennon.kafka
from pennon import counters
from pennon.context import Member
from pennon.counters import Count
from pennon.headers import BaggageKey, BaggagePolicy, Contract, mesh, public

Come = Callable[[Contract, Iterable[str]], None]


def _crowded(key: str) -> int:
    """How often this key was counted so far."""
    return sum(each.total for each in counters.samples() if (each.name, each.cause) == (Count.BAGGAGE_CROWDED, key))


@pytest.fixture
def key() -> str:
    """One that nothing in this process has seen."""
    return f"k{uuid4().hex[:12]}"


def _contract(*allow: str | BaggageKey) -> Contract:
    return Contract("orders", version="1", owner="platform", baggage=BaggagePolicy(allow=allow))


def _by_http(contract: Contract, lines: Iterable[str]) -> None:
    """A stranger's requests, one for each line of baggage."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nothing(*_: Any) -> Any:
        return {"type": "http.request"}

    async def ask() -> None:
        # A new door each time, as tests and reloads make them: the process is what counts.
        for line in lines:
            scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "client": ("10.0.0.1", 1)}
            door = pennon.http.asgi(app, contract, boundary=public())
            await door({**scope, "headers": [(b"baggage", line.encode())]}, nothing, nothing)

    asyncio.run(ask())


def _by_kafka(contract: Contract, lines: Iterable[str]) -> None:
    """Records, one for each line."""
    for line in lines:
        headers = [("baggage", line.encode())]
        record: Any = SimpleNamespace(headers=headers, topic="t", partition=0, offset=0, timestamp=0, value=None)
        with pennon.kafka.process(record, contract, boundary=mesh()):
            pass


@pytest.fixture(params=[_by_http, _by_kafka], ids=["http", "kafka"])
def come(request: pytest.FixtureRequest) -> Come:
    """By either door."""
    found: Come = request.param
    return found


@pytest.mark.req(27)
def test_one_value_too_many_is_counted_once_by_its_declared_key(come: Come, key: str) -> None:
    """The same again is no more; what comes after it is not counted, and all of it is kept."""
    contract = _contract(BaggageKey(key, max_values=2))
    counted = []
    for value in ("a", "b", "a", "c", "c", "d"):
        come(contract, [f"{key}={value}"])
        counted.append(_crowded(key))

    assert [0, 0, 0, 1, 1, 1] == counted


@pytest.mark.req(27)
def test_keys_of_a_prefix_are_counted_together(come: Come, key: str) -> None:
    """By the prefix, as it was declared: who sends keys chooses no label."""
    come(_contract(BaggageKey(f"{key}.*", max_values=2)), [f"{key}.x=a,{key}.y=b,{key}.z=c"])

    assert (1, 0) == (_crowded(f"{key}.*"), _crowded(f"{key}.z"))


@pytest.mark.req(27)
def test_key_that_says_nothing_is_not_watched(come: Come, key: str) -> None:
    """Nor is one that nobody has declared."""
    come(_contract(key, BaggageKey(f"{key}2", max_values=1)), [f"{key}={value},other={value}" for value in "abc"])

    assert 0 == _crowded(key)


@pytest.mark.req(27)
def test_contract_without_a_limit_asks_for_nothing() -> None:
    """Its doors look at one attribute."""
    assert not _contract("a", BaggageKey("b", max_length=3)).priorities.has_crowds
    assert _contract("a", BaggageKey("b", max_values=3)).priorities.has_crowds


@pytest.mark.req(27)
def test_threads_count_once_together(key: str) -> None:
    """However many of them bring the value that is too many."""
    allow = _contract(BaggageKey(key, max_values=100)).priorities
    together = Barrier(8)

    def bring() -> None:
        together.wait()
        for number in range(300):
            counters.count_values([Member(key, str(number))], allow)

    threads = [Thread(target=bring) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert 1 == _crowded(key)
