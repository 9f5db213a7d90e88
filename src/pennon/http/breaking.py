"""A downstream's circuit: after so many failures in a row it is left alone for a while, then one call tries it.

The states, their numbers and their times are purgatory's (docs/decisions/0010). It keeps no order among threads and
lets all calls try at once; both are seen to here.
"""

from threading import Lock
from types import TracebackType
from typing import Final, Self

from purgatory import SyncCircuitBreakerFactory
from purgatory.domain.model import HALF_OPENED, OpenedState

from pennon.clock import SYSTEM_CLOCK, Clock
from pennon.errors import CircuitOpen
from pennon.headers import Breaker
from pennon.headers.times import S_NS
from pennon.http.failing import Outcome, outcome_of_error

# It is there, if not well; or the outcome does not tell.
_NEUTRAL: Final = frozenset({Outcome.OVERLOADED, Outcome.UNKNOWN})


class Circuit:
    """One downstream's, for all threads and tasks of this process. `with circuit:` is one call."""

    def __init__(self, name: str, breaker: Breaker, clock: Clock = SYSTEM_CLOCK) -> None:
        self._name = name
        self._limits = breaker
        # It does nothing but count, so the sync one serves both kinds of calls.
        factory = SyncCircuitBreakerFactory(default_threshold=breaker.failures, default_ttl=breaker.rest_s)
        self._breaker = factory.get_breaker(name)
        self._lock = Lock()
        self._clock = clock
        # Until when the others wait for the one that tries, by the monotonic clock: it may never end.
        self._tried_until_ns = 0

    def asking(self) -> "Asking":
        """One call, entered with `with`."""
        return Asking(self)

    def enter(self) -> bool:
        """Let a call through; whether it is the one that tries.

        Raises: CircuitOpen.
        """
        with self._lock:
            try:
                self._breaker.__enter__()
            except OpenedState as opened:
                # One and the same is raised each time, and would grow by a traceback each time.
                opened.with_traceback(None)
                raise self._refusal() from None
            if self._breaker.context.state != HALF_OPENED:
                return False
            now_ns = self._clock.monotonic_ns()
            if now_ns < self._tried_until_ns:
                raise self._refusal()
            self._tried_until_ns = now_ns + round(self._limits.rest_s * S_NS)
            return True

    def leave(self, outcome: Outcome, error: BaseException | None, *, is_trying: bool) -> None:
        """Note how a call ended."""
        with self._lock:
            if is_trying:
                self._tried_until_ns = 0
            elif self._breaker.context.state == HALF_OPENED:
                # It began before the circuit opened, and tells of what was.
                return
            if outcome is Outcome.ANSWERED:
                self._breaker.__exit__(None, None, None)
            elif error is not None and outcome not in _NEUTRAL:
                self._breaker.__exit__(type(error), error, None)

    def _refusal(self) -> CircuitOpen:
        limits = self._limits
        return CircuitOpen(f"{self._name}: {limits.failures} failures in a row; it rests for {limits.rest_s:g} s")


class Asking:
    """One call to a downstream under its circuit."""

    __slots__ = ("_circuit", "_is_trying")

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._is_trying = False

    def __enter__(self) -> Self:
        self._is_trying = self._circuit.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        outcome = Outcome.ANSWERED if error is None else outcome_of_error(error)
        self._circuit.leave(outcome, error, is_trying=self._is_trying)
