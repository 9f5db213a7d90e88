"""Work that is nobody's: what a service begins on its own, and what is left over when a request has gone."""

import asyncio

import pytest

import pennon
from pennon import ambient
from pennon.context import (
    ActorType,
    CorrelationId,
    Deadline,
    Identity,
    Ledger,
    Member,
    RequestContext,
    RequestId,
    SpanId,
    Trace,
    TraceId,
)
from pennon.errors import SettingInvalid

HERE = Trace(TraceId("4bf92f3577b34da6a3ce929d0e0e4736"), SpanId("00f067aa0ba902b7"), None, 1, "")
ADA = Identity(tenant="tenant-42", actor="user-991", units={"user": "991"}, actor_type=ActorType.HUMAN)


@pytest.fixture
def request_here() -> RequestContext:
    """A user's request with a deadline, baggage and a correlation id."""
    return RequestContext(
        HERE,
        RequestId("req-1"),
        Ledger(),
        correlation_id=CorrelationId("corr-1"),
        identity=ADA,
        baggage=(Member("tier", "gold"),),
        fields=(("x-region", "eu"),),
        deadline=Deadline(77),
    )


@pytest.mark.req(72, 75)
def test_system_acts_on_its_own_account(request_here: RequestContext) -> None:
    """Within a request too: the actor is the system, and nothing of the request but its trace is seen."""
    with ambient.entered(request_here), pennon.system_context("scheduler") as context:
        assert context is pennon.current()
    assert Identity(actor="system:scheduler", actor_type=ActorType.SYSTEM) == context.identity
    left = (context.deadline, context.baggage, context.fields, context.correlation_id, context.ledger.made)
    assert (None, (), (), None, {}) == left
    assert (HERE.trace_id, "req-1") == (context.trace.trace_id, request_here.request_id)
    assert "req-1" != context.request_id


@pytest.mark.req(75)
def test_system_outside_a_request_begins_a_trace() -> None:
    """A scheduler's run is found by a trace and a request id of its own; it may be about one tenant."""
    with pennon.system_context("scheduler", tenant="tenant-42") as first, pennon.system_context("sweeper") as second:
        pass
    assert ("tenant-42", "system:scheduler") == (first.identity.tenant, first.identity.actor)
    assert (None, "system:sweeper") == (second.identity.tenant, second.identity.actor)
    with pennon.system_context("scheduler") as third:
        pass
    assert 2 == len({first.trace.trace_id, third.trace.trace_id})
    assert 3 == len({first.request_id, second.request_id, third.request_id})


@pytest.mark.req(73)
def test_delegated_work_says_for_whom_it_is(request_here: RequestContext) -> None:
    """Who acts is the system; tenant, units and the one it is done for are the request's."""
    with ambient.entered(request_here):
        with pennon.system_context("mailer", delegated=True) as context:
            pass
        with pennon.system_context("mailer", delegated=True, tenant="tenant-7") as elsewhere:
            pass
    expected = Identity("tenant-42", "system:mailer", {"user": "991"}, {}, ActorType.SYSTEM, "user-991")
    assert expected == context.identity
    assert "tenant-7" == elsewhere.identity.tenant


@pytest.mark.req(73)
def test_delegated_work_outside_a_request_is_for_nobody() -> None:
    """The same code runs as a job."""
    with pennon.system_context("mailer", delegated=True) as context:
        assert Identity(actor="system:mailer", actor_type=ActorType.SYSTEM) == context.identity


def test_request_comes_back_after_the_systems_work(request_here: RequestContext) -> None:
    """Also when that fails; its own ledger is closed, the request's is not."""
    with ambient.entered(request_here):
        with pytest.raises(ZeroDivisionError), pennon.system_context("sweeper") as context:
            raise ZeroDivisionError
        assert request_here is pennon.current()
        assert (True, False) == (context.ledger.is_sealed, request_here.ledger.is_sealed)


@pytest.mark.parametrize("name", ["", "Scheduler", "a b", "-x", "x" * 65, "system:x", "ada@example.org", "x\n"])
def test_name_that_is_none_is_refused(name: str) -> None:
    """When the block is made, before anything runs."""
    with pytest.raises(SettingInvalid, match="1 to 64 of a-z"):
        pennon.system_context(name)


def _seen() -> tuple[str | None, Deadline | None] | None:
    context = pennon.current()
    return None if context is None else (context.identity.actor, context.deadline)


@pytest.mark.req(72, 76, 93)
def test_task_begun_detached_sees_neither_actor_nor_deadline(request_here: RequestContext) -> None:
    """While the request is served, and after it."""

    async def served() -> list[object]:
        go_on = asyncio.Event()

        async def left_over() -> object:
            before = _seen()
            await go_on.wait()
            return before, _seen()

        with ambient.entered(request_here):
            with pennon.detached():
                task = asyncio.create_task(left_over())
            await asyncio.sleep(0)
            assert ("user-991", Deadline(77)) == _seen()
        go_on.set()
        return [await task]

    assert [(None, None)] == asyncio.run(served())


@pytest.mark.req(76, 92, 93)
def test_task_that_outlives_its_request_loses_its_actor(request_here: RequestContext) -> None:
    """What was begun within and forgotten is nobody's when the door has closed."""

    async def served() -> object:
        go_on = asyncio.Event()

        async def left_over() -> object:
            before = _seen()
            await go_on.wait()
            return before, _seen()

        with ambient.entered(request_here):
            task = asyncio.create_task(left_over())
            await asyncio.sleep(0)
        go_on.set()
        return await task

    assert (("user-991", Deadline(77)), None) == asyncio.run(served())
