"""Guarded calls: made again where that is safe, not made where it is hopeless, and answered all the same.

    payments = pennon.http.Guard(CONTRACT, "payments", fallback=lambda error: UNKNOWN_BALANCE)
    balance = payments.call(lambda: client.get(url).raise_for_status().json(), is_idempotent=True)

What the contract says of the downstream (`retries=`, `breaker=`) is done by stamina and purgatory
(`pip install 'pennon[resilience]'`). The request's deadline stands above it: nothing is tried that could not finish.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from inspect import isasyncgenfunction, isawaitable, iscoroutine, iscoroutinefunction, isgeneratorfunction
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from pennon.counters import Count, count
from pennon.deadlines import CallLimit
from pennon.errors import CircuitOpen, DeadlineExceeded, Fault, SettingInvalid
from pennon.headers import Contract, Downstream, Retries
from pennon.http.attempts import Attempt, Failed
from pennon.http.failing import Outcome, can_help, outcome_of_error, retry_after_s, status_of

if TYPE_CHECKING:
    from pennon.http.breaking import Circuit

P = ParamSpec("P")
R = TypeVar("R")

_FAILURES: Final = frozenset({Outcome.UNSENT, Outcome.UNANSWERED, Outcome.OVERLOADED, Outcome.FAILED})


class FailingAnswer(Exception):
    """A response that says 429 or 5xx, on its way to whoever decides whether the call is made again; no further."""

    def __init__(self, response: Any) -> None:
        super().__init__(f"status {status_of(response)}")
        self.response = response


class Guard:
    """The guarded calls to one downstream. Made once, kept: its circuit is what it remembers. For threads and tasks."""

    def __init__(
        self, contract: Contract, downstream: str, *, fallback: Callable[[Exception], Any] | None = None
    ) -> None:
        """Guard calls to the downstream of this name.

        fallback: gets the error, and what it returns takes the answer's place: where the downstream failed, is left
            alone, or no time was left. An error of the calling function's own, or an answer such as 404 that was made
            one, goes to the caller.
        Raises: SettingInvalid if the contract has no such host, or says neither retries nor breaker of it, or where the
            libraries are missing.
        """
        declared = _declared(contract, downstream)
        self._limit = CallLimit(contract.deadline)
        self._retries = declared.retries
        self._fallback = fallback
        self._circuit = _circuit_of(declared)

    def call(self, function: Callable[[], R], *, is_idempotent: bool = False) -> R:
        """What the function returns, which makes one call to the downstream.

        is_idempotent: done twice it does what done once does (RFC 9110 §9.2.2), or it bears an idempotency key. Only
            then it is made again after it may have arrived; else only where no connection was made. A response of 429
            or 5xx that is returned, not raised, is a failure as well, and at the end is returned.
        A body is made anew each time as well: a generator given from outside is empty the second time.
        Raises: what the function raised last; CircuitOpen; DeadlineExceeded; TypeError if it or the fallback is async.
        """
        again = _Again(self._retries, self._limit, is_idempotent=is_idempotent)
        try:
            for attempt in again.attempts():
                again.discard()
                with attempt, self._asking():
                    return _looked_at(_made_here(function()))
        except FailingAnswer as failing:
            return cast("R", failing.response)
        except Exception as error:  # noqa: BLE001  # it goes on, unless it is the downstream's
            return cast("R", _made_here(self._fallen_back(error)))
        raise AssertionError("the last attempt returns or raises")

    async def acall(self, function: Callable[[], Awaitable[R]], *, is_idempotent: bool = False) -> R:
        """The same, awaited. The fallback may be a coroutine function."""
        again = _Again(self._retries, self._limit, is_idempotent=is_idempotent)
        try:
            async for attempt in again.attempts_async():
                await again.discard_async()
                with attempt, self._asking():
                    return _looked_at(await function())
        except FailingAnswer as failing:
            return cast("R", failing.response)
        except Exception as error:  # noqa: BLE001  # it goes on, unless it is the downstream's
            answer = self._fallen_back(error)
            return cast("R", await answer if isawaitable(answer) else answer)
        raise AssertionError("the last attempt returns or raises")

    def __call__(self, function: Callable[P, R], *, is_idempotent: bool = False) -> Callable[P, R]:
        """The function, guarded at each call: a decorator, for sync and async ones.

        Raises: TypeError for a generator's: its calls are made while it is read, out of our sight.
        """
        if isgeneratorfunction(function) or isasyncgenfunction(function):
            raise TypeError(
                f"{function.__qualname__}: a generator makes its calls while it is read; guard each of them"
            )
        if iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await self.acall(lambda: function(*args, **kwargs), is_idempotent=is_idempotent)

            return cast("Callable[P, R]", awaited)

        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            return self.call(lambda: function(*args, **kwargs), is_idempotent=is_idempotent)

        return called

    def idempotent(self, function: Callable[P, R]) -> Callable[P, R]:
        """The same decorator for what may be done twice."""
        return self(function, is_idempotent=True)

    def _asking(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._circuit is None else self._circuit.asking()

    def _fallen_back(self, error: Exception) -> Any:
        """What the fallback says of it. Raises: the error, where it is none of the downstream's, or there is none."""
        if isinstance(error, CircuitOpen):
            count(Count.CALLS_REFUSED)
        elif not isinstance(error, DeadlineExceeded) and outcome_of_error(error) not in _FAILURES:
            raise error
        if self._fallback is None:
            raise error
        count(Count.CALLS_FALLEN_BACK)
        return self._fallback(error)


class _Again:
    """Whether one guarded call is made again, and when."""

    def __init__(self, retries: Retries | None, limit: CallLimit, *, is_idempotent: bool) -> None:
        self._retries = retries
        self._limit = limit
        self._is_idempotent = is_idempotent
        self._failed_count = 0
        self._discarded: Any = None

    def attempts(self) -> Iterator[AbstractContextManager[Any]]:
        """As many as it takes; each is left with what was raised in it. Raises: what was raised in the last."""
        if self._retries is None:
            yield nullcontext()
            return
        try:
            for attempt in self._retrying():
                yield Attempt(attempt)
        except Failed as failed:
            error = failed.error
        # Out here, so that the error has nothing of ours behind it.
        raise error

    async def attempts_async(self) -> AsyncIterator[AbstractContextManager[Any]]:
        """The same, which waits without holding others up."""
        if self._retries is None:
            yield nullcontext()
            return
        try:
            async for attempt in self._retrying():
                yield Attempt(attempt)
        except Failed as failed:
            error = failed.error
        raise error

    def discard(self) -> None:
        """Give up the connection of a response that is not wanted."""
        discarded, self._discarded = self._discarded, None
        if discarded is not None and hasattr(discarded, "close"):
            discarded.close()

    async def discard_async(self) -> None:
        """The same of an async client's."""
        discarded = self._discarded
        if hasattr(discarded, "aclose") and not discarded.is_closed:
            self._discarded = None
            await discarded.aclose()
        elif not hasattr(discarded, "aclose"):
            self.discard()

    def _retrying(self) -> Any:
        import stamina

        retries = cast("Retries", self._retries)
        return stamina.retry_context(
            on=self._wait_s,
            attempts=retries.attempts,
            timeout=None,  # the deadline is looked at before each
            wait_initial=retries.initial_s,
            wait_max=retries.max_s,
            wait_jitter=retries.initial_s,
        )

    def _wait_s(self, failed: Exception) -> bool | float:
        """How long to wait for the next attempt; True: as long as is usual; False: there is none."""
        # Anything else ends the whole process or task.
        if not isinstance(failed, Failed):
            return False
        error = failed.error
        self._failed_count += 1
        retries = cast("Retries", self._retries)
        answer = error.response if isinstance(error, FailingAnswer) else getattr(error, "response", None)
        outcome = outcome_of_error(error)
        if self._failed_count >= retries.attempts or not self._is_safe(failed, outcome, status_of(answer)):
            return False
        asked_s = retry_after_s(answer)
        # The usual wait is drawn by stamina; this is the most it can be.
        most_s = min(retries.max_s, retries.initial_s * (2 ** (self._failed_count - 1) + 1))
        if asked_s is not None and asked_s > retries.max_s:
            return False
        if not self._limit.leaves_time(after_s=most_s if asked_s is None else asked_s):
            return False
        count(Count.CALLS_RETRIED, outcome)
        self._discarded = answer
        return True if asked_s is None else asked_s

    def _is_safe(self, failed: Failed, outcome: Outcome, status: int | None) -> bool:
        if isinstance(failed.error, CircuitOpen | DeadlineExceeded) or not can_help(outcome, status):
            return False
        # Where a response came first, a redirect say, only what it led to was not sent.
        return self._is_idempotent or (outcome is Outcome.UNSENT and not failed.was_answered)


def _made_here(answer: R) -> R:
    """The answer. Raises: TypeError for one that is still to be awaited: that happens out of our sight, unguarded."""
    if not isawaitable(answer):
        return answer
    if iscoroutine(answer):
        answer.close()
    raise TypeError(f"call: got a {type(answer).__name__}; only acall awaits an async function, or an async fallback")


def _looked_at(answer: R) -> R:
    """The answer. Raises: FailingAnswer for a response that says 429 or 5xx."""
    failing = FailingAnswer(answer)
    if status_of(answer) is not None and outcome_of_error(failing) in _FAILURES:
        raise failing
    return answer


def _circuit_of(declared: Downstream) -> "Circuit | None":
    try:
        if declared.retries is not None:
            import stamina  # noqa: F401  # so that it is missed here, not when something fails
        if declared.breaker is None:
            return None
        from pennon.http.breaking import Circuit
    except ImportError as error:
        message = f"{error.name} is missing; guarded calls need it: pip install 'pennon[resilience]'"
        raise SettingInvalid([Fault("", message)]) from error
    return Circuit(declared.name, declared.breaker)


def _declared(contract: Contract, name: str) -> Downstream:
    hosts = {each.name: each for each in contract.downstreams if each.host is not None}
    declared = hosts.get(name)
    if declared is None:
        allowed = ", ".join(map(repr, hosts)) or "none"
        raise SettingInvalid([Fault("/downstream", f"{name!r} is no host of the contract; there are {allowed}")])
    if declared.retries is None and declared.breaker is None:
        raise SettingInvalid([Fault("/downstream", f"{name!r} is declared with neither retries nor breaker")])
    return declared
