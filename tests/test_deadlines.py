"""What is left of a request's deadline, on a clock that the tests move."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import pennon
from pennon import ambient, counters, deadlines
from pennon.context import Deadline, Ledger, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.errors import DeadlineExceeded

HERE = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "")
pytestmark = pytest.mark.req(59, 62, 65)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at_ns = 5_000_000_000

    def monotonic_ns(self) -> int:
        """Where it stands."""
        return self.at_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Of this process."""
    clock = Clock()
    monkeypatch.setattr("pennon.deadlines.SYSTEM_CLOCK", clock)
    return clock


@pytest.fixture
def one_second(clock: Clock) -> Iterator[RequestContext]:
    """A request with one second left."""
    due = Deadline(clock.at_ns + 1_000_000_000)
    with ambient.entered(RequestContext(HERE, RequestId("req-1"), Ledger(), deadline=due)) as entered:
        yield entered


def exceeded() -> dict[str, int]:
    """What was counted, by cause."""
    return {each.cause: each.total for each in counters.samples() if each.name is counters.Count.DEADLINE_EXCEEDED}


@pytest.mark.parametrize(("passed_ms", "left_s"), [(0, 1.0), (250, 0.75), (1000, 0.0), (5000, 0.0)])
def test_remaining_runs_down_to_nothing(
    clock: Clock, one_second: RequestContext, passed_ms: int, left_s: float
) -> None:
    """And never below."""
    clock.at_ns += passed_ms * 1_000_000

    assert left_s == deadlines.remaining_s()


@pytest.mark.parametrize(
    ("left_ms", "min_s", "is_enough"), [(1000, 0, True), (200, 0.2, True), (199, 0.2, False), (0, 0, False)]
)
def test_check_and_require_agree_on_what_is_enough(
    clock: Clock, one_second: RequestContext, left_ms: int, min_s: float, is_enough: bool
) -> None:
    """As much as is needed is enough; none is never."""
    clock.at_ns += (1000 - left_ms) * 1_000_000
    before = exceeded().get("not_begun", 0)
    begun: list[str] = []

    @deadlines.require(min_s)
    def plain() -> None:
        begun.append("plain")

    @deadlines.require(min_s)
    async def awaited() -> None:
        begun.append("awaited")

    works: list[Callable[[], None]] = [lambda: deadlines.check(min_s), plain, lambda: asyncio.run(awaited())]
    for work in works:
        if is_enough:
            work()
        else:
            with pytest.raises(DeadlineExceeded, match=r"0\.\d+ s left; .* s are needed"):
                work()

    assert (["plain", "awaited"] if is_enough else []) == begun
    assert (0 if is_enough else 3) == exceeded().get("not_begun", 0) - before


def test_required_function_is_still_itself(one_second: RequestContext) -> None:
    """Name, arguments and answer; a coroutine function stays one."""

    @deadlines.require(0.1)
    async def add(left: int, *, right: int) -> int:
        """Sum."""
        return left + right

    assert (3, "add", "Sum.") == (asyncio.run(add(1, right=2)), add.__name__, add.__doc__)
    assert asyncio.iscoroutinefunction(add)


def test_scope_cuts_off_and_says_why(one_second: RequestContext, clock: Clock) -> None:
    """What runs into the deadline ends with its own error, counted apart."""
    clock.at_ns += 990_000_000
    before = exceeded().get("cut_off", 0)

    async def run() -> None:
        async with deadlines.scope():
            await asyncio.Event().wait()

    with pytest.raises(DeadlineExceeded) as raised:
        asyncio.run(run())

    assert not isinstance(raised.value, TimeoutError)
    assert 1 == exceeded()["cut_off"] - before


def test_scope_is_not_entered_after_the_deadline(one_second: RequestContext, clock: Clock) -> None:
    """Not even up to its first wait."""
    clock.at_ns += 1_000_000_000

    async def run() -> None:
        async with deadlines.scope():
            pytest.fail("it was begun")

    with pytest.raises(DeadlineExceeded):
        asyncio.run(run())


def test_scope_leaves_other_errors_alone(one_second: RequestContext) -> None:
    """A timeout of the block's own is not the deadline's; neither is a cancellation from outside."""

    async def own() -> None:
        async with deadlines.scope():
            raise TimeoutError

    async def cancelled() -> None:
        async def block() -> None:
            async with deadlines.scope():
                await asyncio.Event().wait()

        task = asyncio.create_task(block())
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(TimeoutError):
        asyncio.run(own())
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())


@pytest.mark.parametrize(("left_ms", "timeout_ms"), [(1000, 975), (27, 2), (26, 1)])
def test_statement_timeout_keeps_a_margin_back(
    clock: Clock, one_second: RequestContext, left_ms: int, timeout_ms: int
) -> None:
    """And is never 0, which a database takes for no limit."""
    clock.at_ns += (1000 - left_ms) * 1_000_000

    assert timeout_ms == deadlines.statement_timeout_ms()


def test_statement_that_could_not_finish_is_not_begun(clock: Clock, one_second: RequestContext) -> None:
    """Rather than with no limit at all."""
    clock.at_ns += 975_000_000
    with pytest.raises(DeadlineExceeded):
        deadlines.statement_timeout_ms()


def _asked_everything() -> list[object]:
    deadlines.check(10**9)

    async def scoped() -> str:
        async with deadlines.scope():
            return "through"

    return [deadlines.remaining_s(), deadlines.statement_timeout_ms(), asyncio.run(scoped())]


NOTHING = [None, None, "through"]


def test_without_a_request_or_a_deadline_nothing_is_limited() -> None:
    """A script, a record, a contract without deadlines."""
    with ambient.entered(RequestContext(HERE, RequestId("req-1"), Ledger())):
        assert NOTHING == _asked_everything()
    assert NOTHING == _asked_everything()


def _detached() -> list[object]:
    with pennon.detached():
        return _asked_everything()


def _as_a_system() -> list[object]:
    with pennon.system_context("sweeper"):
        return _asked_everything()


def _in_a_plain_thread() -> list[object]:
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(_asked_everything).result()


@pytest.mark.req(76)
@pytest.mark.parametrize("away", [_detached, _as_a_system, _in_a_plain_thread])
def test_work_that_nobody_waits_for_has_no_deadline(
    one_second: RequestContext, clock: Clock, away: Callable[[], list[object]]
) -> None:
    """Also when the request's is over; the request has it still."""
    clock.at_ns += 2_000_000_000

    assert NOTHING == away()
    assert 0.0 == deadlines.remaining_s()


def test_work_that_goes_on_after_the_request_has_no_deadline(one_second: RequestContext) -> None:
    """Its door has closed; nobody waits for what is left."""
    one_second.ledger.seal()

    assert deadlines.remaining_s() is None
