"""The pytest fixtures that come with pennon; pytest finds them by itself.

It is loaded in every test run of everybody who has pennon installed, so it imports nothing before a fixture is asked.
"""

import sys
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pennon.testing.headers import DownstreamSpy, HostileHeaders, W3cTraceContext
    from pennon.testing.kafka import Kafka


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Hang to a test the header contracts of which it has asked cases: `pytest --junitxml` writes them down."""
    if (asking := sys.modules.get(_ASKING)) is not None:
        asking.forget()
    result = yield
    if (asking := sys.modules.get(_ASKING)) is not None:
        item.user_properties += asking.properties()
    return result


_ASKING = "pennon.testing.headers.asking"


@pytest.fixture(scope="session")
def kafka() -> "Iterator[Kafka]":
    """A real Apache Kafka for the whole session: `kafka.bootstrap`, `kafka.fresh_topic()`.

    Started when the first test asks, about 4 s; `PENNON_TEST_KAFKA=host:port` names an outside one instead. A missing
    broker fails the test: it never skips.
    """
    from pennon.testing.kafka import open_kafka

    with open_kafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def header_contract_suite() -> "Callable[..., int]":
    """Every rule of a header contract, asked of an application: `pennon.testing.headers.run_suite`."""
    from pennon.testing.headers import run_suite

    return run_suite


@pytest.fixture
def downstream_spy() -> "DownstreamSpy":
    """What reaches the services that yours calls: `downstream_spy.watch(CONTRACT)["payments"].last.headers`."""
    from pennon.testing.headers import DownstreamSpy

    return DownstreamSpy()


@pytest.fixture(scope="session")
def w3c_trace_context() -> "W3cTraceContext":
    """W3C's cases for trace context: `w3c_trace_context.run(door)`, or `run_at(url)` for a service over HTTP."""
    from pennon.testing.headers import W3cTraceContext

    return W3cTraceContext()


@pytest.fixture(scope="session")
def hostile_headers() -> "HostileHeaders":
    """Headers that somebody sends who means harm: `hostile_headers.run(door, CONTRACT, boundary=BOUNDARY)`."""
    from pennon.testing.headers import HostileHeaders

    return HostileHeaders()
