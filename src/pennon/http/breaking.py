"""A downstream's circuit: after so many failures in a row it is left alone for a while, then one call tries it.

The states, their numbers and their times are purgatory's (docs/decisions/0010). It keeps no order among threads and
lets all calls try at once; both are seen to here. So is what a call says that ended with the request's deadline: it
counts as a failure if it had waited as long as the last answers took; if not, somebody was in a hurry.
"""

from collections import deque
from threading import Lock
from types import TracebackType
from typing import Final, Self

from purgatory import SyncCircuitBreakerFactory
from purgatory.domain.model import HALF_OPENED, OpenedState

from pennon.clock import SYSTEM_CLOCK, Clock
from pennon.errors import CircuitOpen, DeadlineExceeded
from pennon.headers import Breaker
from pennon.headers.times import S_NS
from pennon.http.failing import Outcome, outcome_of_error

# It is there, if not well; or the outcome does not tell.
_NEUTRAL: Final = frozenset({Outcome.OVERLOADED, Outcome.UNKNOWN})

# Of so many answers it is remembered how long they took. Fewer: after some quick ones hurry looks like patience; more:
# a single slow one hides for longer that a downstream hangs.
_ANSWERS_COUNT: Final = 32


class Circuit:
    """One downstream's, for all threads and tasks of this process. `with circuit:` is one call."""

    def __init__(self, name: str, breaker: Breaker, clock: Clock = SYSTEM_CLOCK) -> None:
        self._name = name
        self._limits = breaker
        # It does nothing but count, so the sync one serves both kinds of calls.
        factory = SyncCircuitBreakerFactory(default_threshold=breaker.failures, default_ttl=breaker.rest_s)
        self._breaker = factory.get_breaker(name)
        self._lock = Lock()
        self.clock = clock
        # Until when the others wait for the one that tries, by the monotonic clock: it may never end.
        self._tried_until_ns = 0
        self._answers_ns: deque[int] = deque(maxlen=_ANSWERS_COUNT)

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
            now_ns = self.clock.monotonic_ns()
            if now_ns < self._tried_until_ns:
                raise self._refusal()
            self._tried_until_ns = now_ns + round(self._limits.rest_s * S_NS)
            return True

    def leave(self, error: BaseException | None, *, began_ns: int, is_trying: bool) -> None:
        """Note how a call ended. began_ns: by the monotonic clock."""
        outcome = Outcome.ANSWERED if error is None else outcome_of_error(error)
        took_ns = self.clock.monotonic_ns() - began_ns
        with self._lock:
            if is_trying:
                self._tried_until_ns = 0
            elif self._breaker.context.state == HALF_OPENED:
                # It began before the circuit opened, and tells of what was.
                return
            if outcome is Outcome.ANSWERED:
                self._answers_ns.append(took_ns)
                self._breaker.__exit__(None, None, None)
            elif error is not None and (outcome not in _NEUTRAL or self._was_awaited(error, took_ns)):
                self._breaker.__exit__(type(error), error, None)

    def _was_awaited(self, error: BaseException, took_ns: int) -> bool:
        """Whether a call that ended with the deadline would have been answered by now, as the last answers came."""
        was_sent = isinstance(error, DeadlineExceeded) and error.was_sent
        return was_sent and took_ns >= max(self._answers_ns, default=0)

    def _refusal(self) -> CircuitOpen:
        limits = self._limits
        return CircuitOpen(f"{self._name}: {limits.failures} failures in a row; it rests for {limits.rest_s:g} s")


class Asking:
    """One call to a downstream under its circuit."""

    __slots__ = ("_began_ns", "_circuit", "_is_trying")

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._began_ns = 0
        self._is_trying = False

    def __enter__(self) -> Self:
        self._is_trying = self._circuit.enter()
        self._began_ns = self._circuit.clock.monotonic_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._circuit.leave(error, began_ns=self._began_ns, is_trying=self._is_trying)
