"""A request to log in, and a logger of one's own."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pennon import ambient
from pennon.context import (
    ActorType,
    CorrelationId,
    Deadline,
    Identity,
    Ledger,
    RequestContext,
    RequestId,
    SpanId,
    Trace,
    TraceId,
)
from pennon.headers import Contract
from pennon.logs import ContextFilter
from pennon.testing import ManualClock

SALT = b"salt"
CONTRACT = Contract("orders", version="1", owner="t")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def request_context(clock: ManualClock) -> RequestContext:
    """A request of which everything is known."""
    return RequestContext(
        trace=Trace(TraceId("4bf92f3577b34da6a3ce929d0e0e4736"), SpanId("00f067aa0ba902b7"), None, 1, ""),
        request_id=RequestId("req_1"),
        ledger=Ledger(),
        correlation_id=CorrelationId("order-4711"),
        caller_request_id=RequestId("theirs"),
        identity=Identity(tenant="acme", actor="support-3", actor_type=ActorType.SUPPORT, on_behalf_of="user-7"),
        is_replay=True,
        deadline=Deadline(clock.monotonic_ns() + 250_900_000),
    )


@pytest.fixture
def serving(request_context: RequestContext) -> Iterator[RequestContext]:
    """That request is being served."""
    with ambient.entered(request_context):
        yield request_context


class Written:
    """A logger behind our filter, and what its handler was given and wrote."""

    def __init__(self, contract: Contract, clock: ManualClock) -> None:
        self.records: list[logging.LogRecord] = []
        self.lines: list[str] = []
        self.log = logging.getLogger(f"pennon.test.{id(self)}")
        self.log.propagate = False
        self.log.setLevel(logging.DEBUG)
        handler = logging.Handler()
        handler.addFilter(ContextFilter(contract, salt=SALT, clock=clock))
        handler.emit = self._emit  # type: ignore[method-assign]
        self.log.addHandler(handler)

    def _emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.lines.append(logging.Formatter().format(record))

    @property
    def line(self) -> str:
        return self.lines[-1]

    @property
    def record(self) -> Any:
        return self.records[-1]


@pytest.fixture
def logging_under(clock: ManualClock) -> Callable[[Contract], Written]:
    return lambda contract: Written(contract, clock)


@pytest.fixture
def written(logging_under: Callable[[Contract], Written]) -> Written:
    """One under a contract that declares nothing."""
    return logging_under(CONTRACT)
