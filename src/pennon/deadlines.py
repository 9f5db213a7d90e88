"""What is left of the time until which whoever asked will wait: to be looked at, and to be kept to.

    from pennon import deadlines

    deadlines.check(min_s=0.2)  # raises DeadlineExceeded
    async with deadlines.scope():
        rows = await database.fetch(query, timeout=deadlines.remaining_s())

The deadline is the request's (`pennon.current()`). Outside a request, for a record, in detached work and where the
contract keeps no deadlines there is none: then nothing is limited and nothing raises. It never moves.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from inspect import iscoroutinefunction
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar, cast

from pennon import ambient
from pennon.clock import SYSTEM_CLOCK
from pennon.context import Deadline
from pennon.counters import Count, count
from pennon.errors import DeadlineExceeded
from pennon.headers.deadline import DeadlinePolicy

if TYPE_CHECKING:
    import asyncio

P = ParamSpec("P")
R = TypeVar("R")

_S_NS: Final = 1_000_000_000
_MS_NS: Final = 1_000_000
# Where a door's contract says nothing of deadlines, and the request has one all the same.
_USUAL: Final = DeadlinePolicy(accept=(), cap_s=float("inf"))


class Overdue(StrEnum):
    """What a deadline that came, or was too near, has ended; the `cause` of `pennon.deadline.exceeded`."""

    NOT_BEGUN = "not_begun"
    """Work of our own, before it began."""
    CUT_OFF = "cut_off"
    """Work of our own, while it ran: `scope`."""
    UNSENT = "unsent"
    """A call for which too little time was left; nothing was sent."""
    GIVEN_UP = "given_up"
    """A call that was sent and not answered in time."""


def remaining_s() -> float | None:
    """What is left, 0 when it is over; None: no limit."""
    remaining_ns = _remaining_ns()
    return None if remaining_ns is None else max(0, remaining_ns) / _S_NS


def check(min_s: float = 0.0) -> None:
    """Go on only if at least this much is left.

    Raises: DeadlineExceeded if the deadline has come, or less is left.
    """
    remaining_ns = _remaining_ns()
    if remaining_ns is not None and (remaining_ns <= 0 or remaining_ns < round(min_s * _S_NS)):
        count(Count.DEADLINE_EXCEEDED, Overdue.NOT_BEGUN)
        raise DeadlineExceeded(f"{max(0, remaining_ns) / _S_NS:.3f} s left; {min_s:g} s are needed")


def require(min_s: float) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function that is not begun when less than this is left, sync or async: it raises as `check`."""

    def guarding(function: Callable[P, R]) -> Callable[P, R]:
        if iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                check(min_s)
                return await function(*args, **kwargs)

            return cast("Callable[P, R]", awaited)

        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            check(min_s)
            return function(*args, **kwargs)

        return called

    return guarding


def statement_timeout_ms(margin_s: float = _USUAL.margin_s) -> int | None:
    """How long a database may work on a statement, e.g. PostgreSQL's `statement_timeout`; None: no limit. Never 0.

    margin_s: kept back for our own work with what it finds.
    Raises: DeadlineExceeded if less than a millisecond is left for it: 0 would mean no limit there.
    """
    check(margin_s + 0.001)
    remaining_ns = _remaining_ns()
    return None if remaining_ns is None else max(1, (remaining_ns - round(margin_s * _S_NS)) // _MS_NS)


class scope:  # noqa: N801  # used as asyncio.timeout is
    """`async with scope():` cuts the block off at the deadline, on asyncio.

    Raises: DeadlineExceeded if the deadline has come, at the beginning or in the block. A TimeoutError of the block's
    own stays one.
    """

    __slots__ = ("_timeout",)

    def __init__(self) -> None:
        self._timeout: asyncio.Timeout | None = None

    async def __aenter__(self) -> Self:
        check()
        left_s = remaining_s()
        if left_s is not None:
            import asyncio

            self._timeout = asyncio.timeout(left_s)
            await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timeout is None:
            return
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError as late:
            count(Count.DEADLINE_EXCEEDED, Overdue.CUT_OFF)
            raise DeadlineExceeded("the deadline came while the block was at work") from late


class CallLimit:
    """How long calls may take, by the margin and floor of a door's contract: `headers.deadline.for_call`, prepared."""

    __slots__ = ("_floor_ns", "_margin_ns")

    def __init__(self, policy: DeadlinePolicy | None) -> None:
        policy = policy or _USUAL
        self._margin_ns = round(policy.margin_s * _S_NS)
        # A call without any time is too short, whatever the floor.
        self._floor_ns = max(1, round(policy.floor_s * _S_NS))

    def timeout_ns(self, deadline: Deadline, *, after_s: float = 0.0) -> int | None:
        """How long a call may take that begins in after_s from now; None: too little is left to send it."""
        begins_ns = SYSTEM_CLOCK.monotonic_ns() + self._margin_ns
        if after_s:
            begins_ns += round(after_s * _S_NS)
        left_ns = deadline.due_ns - begins_ns
        return left_ns if left_ns >= self._floor_ns else None

    def is_over(self, deadline: Deadline) -> bool:
        """Whether a call that is under way has had all its time."""
        return deadline.remaining_ns(SYSTEM_CLOCK.monotonic_ns()) <= self._margin_ns

    def leaves_time(self, *, after_s: float) -> bool:
        """Whether a call of the request served here that begins then would be sent."""
        context = ambient.current()
        if context is None or context.deadline is None:
            return True
        return self.timeout_ns(context.deadline, after_s=after_s) is not None


def _remaining_ns() -> int | None:
    context = ambient.current()
    if context is None or context.deadline is None:
        return None
    return context.deadline.remaining_ns(SYSTEM_CLOCK.monotonic_ns())
