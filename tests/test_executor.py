"""`pennon.ContextExecutor`: calls that go on in the request that submitted them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import ContextVar
from threading import Barrier, Event

import pytest

import pennon
from pennon import ambient
from pennon.context import Ledger, RequestContext, RequestId, SpanId, Trace, TraceId

Submit = Callable[[Executor, Callable[[], object]], object]

HERE = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "")
mine: ContextVar[str] = ContextVar("mine", default="nothing")


def request_of(request_id: str = "req-1") -> RequestContext:
    """A request."""
    return RequestContext(HERE, RequestId(request_id), Ledger())


def by_loop(executor: Executor, call: Callable[[], object]) -> object:
    """As an event loop hands a call over."""

    async def run() -> object:
        return await asyncio.get_running_loop().run_in_executor(executor, call)

    return asyncio.run(run())


WAYS: list[Submit] = [
    lambda executor, call: executor.submit(call).result(),
    lambda executor, call: next(iter(executor.map(lambda _: call(), [0]))),
    by_loop,
]


@pytest.mark.req(93)
@pytest.mark.parametrize("way", WAYS, ids=["submit", "map", "run_in_executor"])
def test_call_sees_the_request_and_all_context_variables(way: Submit) -> None:
    """Whichever way it is handed over; Python's own pool starts it with none of them."""
    token = mine.set("here")
    try:
        with pennon.ContextExecutor(1) as carrying, ThreadPoolExecutor(1) as plain, ambient.entered(request_of()) as at:
            assert at is way(carrying, ambient.current)
            assert "here" == way(carrying, mine.get)
            assert None is way(plain, ambient.current)
    finally:
        mine.reset(token)


def test_calls_at_the_same_time_have_contexts_of_their_own() -> None:
    """One context cannot be entered by two threads at once: each call gets a copy, of its own request."""
    together = Barrier(2, timeout=60)

    def ask() -> str:
        together.wait()
        context = ambient.current()
        assert context is not None
        return context.request_id

    with pennon.ContextExecutor(2) as executor, ambient.entered(request_of("req-1")):
        first = executor.submit(ask)
        with ambient.entered(request_of("req-2")):
            second = executor.submit(ask)
            assert ["req-1", "req-2"] == [first.result(), second.result()]


def test_call_that_runs_after_the_door_has_closed_serves_no_request() -> None:
    """It was handed over in time, and it came too late."""
    is_closed = Event()
    with pennon.ContextExecutor(1) as executor:
        with ambient.entered(request_of()):
            late = executor.submit(lambda: is_closed.wait(60) and ambient.current())
        is_closed.set()
        assert None is late.result()


def test_what_a_call_sets_does_not_come_back() -> None:
    """It works on a copy, as tasks do; the ledger it shares."""
    with pennon.ContextExecutor(1) as executor:
        executor.submit(mine.set, "there").result()
        assert "nothing" == mine.get()
        assert "nothing" == executor.submit(mine.get).result()


def test_call_gets_its_arguments_and_its_error_comes_back() -> None:
    """As with any executor."""
    with pennon.ContextExecutor(1) as executor:
        assert 3 == executor.submit(int, "11", base=2).result()
        with pytest.raises(ZeroDivisionError):
            executor.submit(lambda: 1 // 0).result()
