"""Counters as OpenTelemetry metrics: once to each provider, by themselves to the one that everybody uses."""

import asyncio
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
from opentelemetry import metrics
from opentelemetry.environment_variables import OTEL_PYTHON_METER_PROVIDER
from opentelemetry.metrics import _internal as api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import DropAggregation, View
from opentelemetry.util._once import Once

import pennon
import pennon.http
import pennon.kafka
from pennon import counters, otel
from pennon.headers import Contract, DropReason, mesh, public
from pennon.otel import _live, spans

CONTRACT = Contract("counting", version="1", owner="tests")
RECORD: Any = SimpleNamespace(headers=[], topic="posts", partition=0, offset=0, timestamp=0, value=b"")


@pytest.fixture(autouse=True)
def fresh_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has set a meter provider, and nothing of ours has asked for one; the public setter works once."""
    monkeypatch.setattr(api, "_METER_PROVIDER", None)
    monkeypatch.setattr(api, "_METER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(api, "_PROXY_METER_PROVIDER", type(api._PROXY_METER_PROVIDER)())
    monkeypatch.setattr(_live, "_exported", {})
    monkeypatch.setattr(spans, "_is_looked_up", False)


@pytest.fixture
def reader() -> InMemoryMetricReader:
    """What a metrics SDK reads."""
    return InMemoryMetricReader()


class Asked(metrics.MeterProvider):
    """A provider that remembers which instruments it was asked for, and thinks nothing of asking twice."""

    def __init__(self) -> None:
        self.instruments: Counter[str] = Counter()

    def get_meter(self, name: str, *_: Any, **__: Any) -> metrics.Meter:
        """One that tells its provider."""
        return _AskedMeter(name, self.instruments)


class _AskedMeter(metrics.NoOpMeter):
    def __init__(self, name: str, instruments: Counter[str]) -> None:
        super().__init__(name)
        self._instruments = instruments

    def create_observable_counter(
        self, name: str, callbacks: Sequence[Any] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableCounter:
        self._instruments[name] += 1
        return super().create_observable_counter(name, callbacks, unit, description)


ONCE = Counter(str(name) for name in counters.Count)


def readings(reader: InMemoryMetricReader) -> dict[tuple[str, object], float]:
    """(metric, cause) -> value."""
    data = reader.get_metrics_data()
    return {
        (metric.name, (point.attributes or {}).get("cause", "")): point.value  # type: ignore[union-attr]
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def totals() -> dict[tuple[str, object], float]:
    """The same, as `pennon.counters()` says it, after something was counted with and without a cause."""
    counters.count(counters.Count.HEADERS_DROPPED, DropReason.UNKNOWN, by=3)
    counters.count(counters.Count.LEDGER_FULL)
    return {(sample.name.value, sample.cause): sample.total for sample in counters.samples()}


async def _asgi_app(*_: Any) -> None: ...


def _wsgi_app(*_: Any) -> list[bytes]:
    return []


def _aiohttp() -> None:
    async def wrapped() -> None:
        async with aiohttp.ClientSession() as session:
            pennon.http.aiohttp(session, CONTRACT)

    asyncio.run(wrapped())


def _httpx() -> None:
    with httpx.Client() as client:
        pennon.http.httpx(client, CONTRACT)


def _requests() -> None:
    with requests.Session() as session:
        pennon.http.requests(session, CONTRACT)


def _connect() -> None:
    with pennon.testing.flags({}), pennon.connect():
        pass


def _process() -> None:
    with pennon.kafka.process(RECORD, CONTRACT, boundary=mesh()):
        pass


def _batch() -> None:
    with pennon.kafka.batch([RECORD], CONTRACT, boundary=mesh()):
        pass


MADE: Mapping[str, Callable[[], object]] = {
    "asgi": lambda: pennon.http.asgi(_asgi_app, CONTRACT, boundary=public()),
    "wsgi": lambda: pennon.http.wsgi(_wsgi_app, CONTRACT, boundary=public()),
    "httpx": _httpx,
    "requests": _requests,
    "urllib3": lambda: pennon.http.urllib3(urllib3.PoolManager(), CONTRACT),
    "aiohttp": _aiohttp,
    "producer": lambda: pennon.kafka.producer(object(), CONTRACT),
    "aio producer": lambda: pennon.kafka.aio.producer(object(), CONTRACT),
    "process": _process,
    "batch": _batch,
    "client": _connect,
}


@pytest.mark.parametrize("is_set_before", [True, False], ids=["sdk set before", "sdk set later"])
@pytest.mark.parametrize("made", MADE.values(), ids=list(MADE))
def test_counters_are_exported_by_whatever_counts(
    made: Callable[[], object], reader: InMemoryMetricReader, *, is_set_before: bool
) -> None:
    """A door that is made, a record that is read, a client that connects: all totals, as they stand when read."""
    if is_set_before:
        metrics.set_meter_provider(MeterProvider([reader]))
    made()
    made()
    if not is_set_before:
        metrics.set_meter_provider(MeterProvider([reader]))

    expected = totals()
    assert expected == readings(reader)


def test_counters_are_exported_to_a_provider_that_is_named(reader: InMemoryMetricReader) -> None:
    """Beside the one that everybody uses, which may be none."""
    otel.export_counters(MeterProvider([reader]))

    expected = totals()
    assert expected == readings(reader)


def test_counters_are_left_out_by_a_view(reader: InMemoryMetricReader) -> None:
    """As the page says for whoever wants none of them."""
    view = View(meter_name="pennon", aggregation=DropAggregation())
    metrics.set_meter_provider(MeterProvider([reader], views=[view]))
    MADE["asgi"]()

    assert totals()
    assert {} == readings(reader)


def test_counters_go_once_to_each_provider() -> None:
    """However often and in which way they are exported there."""
    everybodys, own = Asked(), Asked()
    metrics.set_meter_provider(everybodys)
    for _ in range(2):
        MADE["asgi"]()
        otel.export_counters()
        otel.export_counters(everybodys)
        otel.export_counters(own)

    assert (ONCE, ONCE) == (everybodys.instruments, own.instruments)


def test_counters_go_once_to_a_provider_that_is_set_later() -> None:
    """What was exported before it was there is not exported to it again when it is named."""
    everybodys = Asked()
    MADE["asgi"]()
    metrics.set_meter_provider(everybodys)
    MADE["wsgi"]()
    otel.export_counters(everybodys)

    assert ONCE == everybodys.instruments


def test_counters_go_once_to_an_sdk_that_is_named_and_then_set(reader: InMemoryMetricReader) -> None:
    """Whoever named it need not know that everybody uses it from now on."""
    own = MeterProvider([reader])
    otel.export_counters(own)
    metrics.set_meter_provider(own)
    MADE["asgi"]()

    expected = totals()
    assert expected == readings(reader)


def test_provider_that_cannot_be_loaded_breaks_no_door(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, reader: InMemoryMetricReader
) -> None:
    """The environment names one that is not installed: OpenTelemetry says so, once. One that is set can be named."""
    monkeypatch.setenv(OTEL_PYTHON_METER_PROVIDER, "nonesuch")
    with caplog.at_level(logging.ERROR):
        for made in MADE.values():
            made()
    assert 1 == len(caplog.records)

    own = MeterProvider([reader])
    metrics.set_meter_provider(own)
    otel.export_counters(own)
    expected = totals()
    assert expected == readings(reader)


FORKED = """
import os
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
import pennon.http
from pennon import counters
from pennon.headers import Contract, public

def counted():
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    counters.count(counters.Count.LEDGER_FULL)
    metric, = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    return metric.name, [point.value for point in metric.data.data_points]

contract = Contract("counting", version="1", owner="tests")
pennon.http.asgi(None, contract, boundary=public())
counters.count(counters.Count.LEDGER_FULL)
child = os.fork()
if not child:
    pennon.http.asgi(None, contract, boundary=public())
    counters.count(counters.Count.LEDGER_FULL)
    assert ("pennon.carry.ledger_full", [3]) == counted(), counted()
    os._exit(0)
assert 0 == os.waitpid(child, 0)[1]
assert ("pennon.carry.ledger_full", [2]) == counted()
"""


def test_worker_that_was_forked_exports_its_own() -> None:
    """The door was made before the fork, the SDK set up in the worker; it counts on from where it began."""
    command = [sys.executable, "-W", "error", "-c", FORKED]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert 0 == ended.returncode, ended.stderr
