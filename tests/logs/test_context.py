"""Which request a line is about: read when the line is written, tenant and actor in the form that a contract allows."""

import asyncio
import dataclasses
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from pennon import ambient
from pennon.context import Identity, Ledger, RequestContext, RequestId
from pennon.headers import Contract, Log, std
from pennon.headers.redaction import Redaction
from pennon.logs import ContextFilter, facts, structlog_processor
from pennon.testing import ManualClock

SALT = b"salt"
CONTRACT = Contract("orders", version="1", owner="t")
OWN = logging.makeLogRecord({}).__dict__.keys() | {"message"}


def hashed(field: str, value: str) -> str:
    return Redaction(CONTRACT, salt=SALT).safe_value(field, value)


FACTS = {
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "span_id": "00f067aa0ba902b7",
    "request_id": "req_1",
    "caller_request_id": "theirs",
    "correlation_id": "order-4711",
    "tenant": hashed("x-tenant-id", "acme"),
    "actor": hashed("x-actor-id", "support-3"),
    "on_behalf_of": hashed("x-on-behalf-of", "user-7"),
    "actor_type": "SUPPORT",
    "deadline_left_ms": 250,
    "is_replay": True,
}


def added(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in OWN}


@pytest.mark.req(37, 39, 90)
def test_record_says_which_request_it_is_about(serving: RequestContext, written: Any) -> None:
    """All that is known, tenant and actors as hashes."""
    written.log.info("order.placed")

    assert added(written.record) == FACTS


@pytest.mark.req(37, 39, 90)
def test_event_says_which_request_it_is_about(serving: RequestContext, clock: ManualClock) -> None:
    """The same by structlog's way."""
    process = structlog_processor(CONTRACT, salt=SALT, clock=clock)

    assert {"event": "order.placed", **FACTS} == process(None, "info", {"event": "order.placed"})


@pytest.mark.req(37, 92)
def test_outside_a_request_nothing_is_added(request_context: RequestContext, written: Any) -> None:
    """Before the door has opened, and for whoever is left over when it has closed."""
    with ambient.entered(request_context):
        left_over = ambient.CURRENT.get()
    ambient.CURRENT.set(left_over)
    try:
        written.log.info("late")
        event = structlog_processor(CONTRACT, salt=SALT)(None, "info", {"event": "late"})
    finally:
        ambient.CURRENT.set(None)
    written.log.info("outside")

    assert [{}, {}] == [added(record) for record in written.records]
    assert {"event": "late"} == event


@pytest.mark.req(93)
def test_requests_side_by_side_are_told_apart(request_context: RequestContext, written: Any) -> None:
    """What a task logs is about its own request, also where another has come in between."""

    async def serve(request_id: str, go_on: asyncio.Event, other: asyncio.Event) -> None:
        with ambient.entered(RequestContext(request_context.trace, RequestId(request_id), Ledger())):
            go_on.set()
            await other.wait()
            written.log.info("served")

    async def both() -> None:
        a, b = asyncio.Event(), asyncio.Event()
        await asyncio.gather(serve("a", a, b), serve("b", b, a))

    asyncio.run(both())

    assert {"a", "b"} == {record.request_id for record in written.records}


@pytest.mark.req(90)
@pytest.mark.parametrize(("log", "tenant"), [(Log.CLEAR, "acme"), (Log.REDACTED, "<redacted>"), (Log.NEVER, None)])
def test_tenant_stands_as_the_contract_says(
    log: Log, tenant: str | None, serving: RequestContext, logging_under: Callable[[Contract], Any]
) -> None:
    """In clear only where it says so; not even its name where it says never."""
    field = dataclasses.replace(std.TENANT_ID, log=log)
    written = logging_under(Contract("c", version="1", owner="t", fields=[field]))
    written.log.info("order.placed")

    assert tenant == getattr(written.record, "tenant", None)
    assert (log is not Log.NEVER) is hasattr(written.record, "tenant")


def test_what_is_not_known_is_not_said(request_context: RequestContext, written: Any) -> None:
    """A stranger's request without identity and deadline has three ids."""
    with ambient.entered(RequestContext(request_context.trace, RequestId("req_1"), Ledger(), identity=Identity())):
        written.log.info("order.placed")

    assert {"trace_id", "span_id", "request_id"} == added(written.record).keys()


def test_what_the_line_says_itself_stays(serving: RequestContext, written: Any) -> None:
    """Somebody who writes about another request means that one."""
    written.log.info("order.placed", extra={"request_id": "req_0"})
    event = structlog_processor(CONTRACT, salt=SALT)(None, "info", {"event": "x", "request_id": "req_0"})

    assert "req_0" == written.record.request_id == event["request_id"]


def test_deadline_left_is_read_at_the_line(serving: RequestContext, written: Any, clock: ManualClock) -> None:
    """Not at the request's beginning; negative when it is over."""
    clock.advance(0.3)
    written.log.info("late")

    assert -50 == written.record.deadline_left_ms


def test_salt_is_the_given_one_else_the_environments_else_random(
    serving: RequestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services of one salt write one hash; without one, a process agrees with itself and with no other."""

    def tenant(salt: bytes | None = None) -> str:
        return str(structlog_processor(CONTRACT, salt=salt)(None, "info", {})["tenant"])

    monkeypatch.delenv("PENNON_LOG_SALT", raising=False)
    here = tenant()
    assert here == tenant()
    facts._random_salt.cache_clear()
    assert here != tenant()
    monkeypatch.setenv("PENNON_LOG_SALT", "fleet")
    assert tenant(b"fleet") == tenant() != tenant(SALT)


def test_empty_salt_is_refused() -> None:
    """It would be no key."""
    with pytest.raises(ValueError, match="salt: is empty"):
        ContextFilter(CONTRACT, salt=b"")


def test_hash_is_worked_out_once_for_all_lines(serving: RequestContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line costs no HMAC, and the memory of them is bounded."""
    calls: list[str] = []
    real = Redaction.safe_value

    def counted(self: Redaction, name: str, value: bytes | str) -> str:
        calls.append(name)
        return real(self, name, value)

    monkeypatch.setattr(Redaction, "safe_value", counted)
    process = structlog_processor(CONTRACT, salt=SALT)
    for _ in range(10):
        process(None, "info", {"event": "x"})

    assert 6 == len(calls)


def test_span_is_the_one_that_is_current_within_the_request(
    serving: RequestContext, written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By it the trace store finds the line."""
    from opentelemetry.sdk.trace import TracerProvider

    with TracerProvider().get_tracer("t").start_as_current_span("inner") as span:
        written.log.info("within")
    here = span.get_span_context()

    assert (f"{here.trace_id:032x}", f"{here.span_id:016x}") == (written.record.trace_id, written.record.span_id)


def test_record_stays_without_structlog_and_opentelemetry(tmp_path: Any) -> None:
    """Neither is needed, and neither is imported to make a filter."""
    import subprocess
    import sys

    code = (
        "import sys; sys.modules |= dict.fromkeys(('structlog', 'opentelemetry'))\n"
        "import logging, pennon.logs as logs; from pennon.headers import Contract\n"
        "contract = Contract('c', version='1', owner='t')\n"
        "logs.structlog_processor(contract)(None, 'info', {'event': 'x'})\n"
        "handler = logging.StreamHandler(sys.stdout); handler.addFilter(logs.ContextFilter(contract))\n"
        "logging.basicConfig(handlers=[handler]); logging.warning('cookie: %s', 'a=1')"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout

    assert re.fullmatch(rb"WARNING:root:<redacted>\s*", out)
