"""A circuit, and what calls say that tell of what was, or of whoever made them."""

from collections.abc import Callable

import pytest

from pennon.errors import CircuitOpen, DeadlineExceeded
from pennon.headers import Breaker
from pennon.http.breaking import Asking, Circuit
from pennon.testing import ManualClock


@pytest.fixture
def rest(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the circuit's rest pass."""

    def rest() -> None:
        monkeypatch.setattr("purgatory.domain.model.time.time", lambda: 9e9)

    return rest


def begun(circuit: Circuit) -> Asking:
    """A call that is under way."""
    asking = circuit.asking()
    asking.__enter__()
    return asking


def answer(asking: Asking) -> None:
    asking.__exit__(None, None, None)


def fail(asking: Asking) -> None:
    end(asking, ConnectionResetError())


def give_up(asking: Asking) -> None:
    end(asking, DeadlineExceeded(was_sent=True))


def end(asking: Asking, error: Exception) -> None:
    asking.__exit__(type(error), error, None)


@pytest.mark.parametrize("end_of", [answer, fail])
def test_only_the_call_that_tries_says_whether_the_downstream_is_back(
    rest: Callable[[], None], end_of: Callable[[Asking], None]
) -> None:
    """Neither do others go through because of an old answer, nor does an old failure begin the rest anew."""
    circuit = Circuit("pay", Breaker(failures=1, rest_s=30.0))
    old, failing = begun(circuit), begun(circuit)
    fail(failing)
    rest()
    trying = begun(circuit)
    end_of(old)
    with pytest.raises(CircuitOpen):
        begun(circuit)
    answer(trying)
    answer(begun(circuit))
    begun(circuit)


def test_a_trying_call_that_never_ends_does_not_hold_the_others_for_ever(rest: Callable[[], None]) -> None:
    """A client without a time limit, say: after another rest the next call tries."""
    clock = ManualClock(monotonic_ns=10**12)
    circuit = Circuit("pay", Breaker(failures=1, rest_s=30.0), clock)
    fail(begun(circuit))
    rest()
    begun(circuit)
    clock.advance(29.9)
    with pytest.raises(CircuitOpen):
        begun(circuit)
    clock.advance(0.1)
    answer(begun(circuit))
    begun(circuit)


def test_answer_that_was_not_waited_for_is_nobody_s_failure() -> None:
    """Who is in a hurry takes no healthy downstream away, neither after quick answers nor by many calls at once."""
    clock = ManualClock()
    circuit = Circuit("pay", Breaker(failures=3, rest_s=30.0), clock)
    for took_s in (0.1, *[0.001] * 31):
        asking = begun(circuit)
        clock.advance(took_s)
        answer(asking)
    hurried = [begun(circuit) for _ in range(10)]
    clock.advance(0.099)
    for asking in hurried:
        give_up(asking)

    answer(begun(circuit))


def test_answer_that_was_waited_for_as_long_as_others_is_missed() -> None:
    """A downstream that has become slow, and hangs then: calls are given no more than its answers took."""
    clock = ManualClock()
    circuit = Circuit("pay", Breaker(failures=3, rest_s=30.0), clock)
    for took_s in (0.1, 0.2, 0.4):
        asking = begun(circuit)
        clock.advance(took_s)
        answer(asking)
    for waited_s in (0.4, 0.1, 0.4, 0.399, 0.5):
        asking = begun(circuit)
        clock.advance(waited_s)
        give_up(asking)

    with pytest.raises(CircuitOpen):
        begun(circuit)


def test_slow_answer_of_long_ago_is_forgotten() -> None:
    """One in a day does not hide that a downstream hangs."""
    clock = ManualClock()
    circuit = Circuit("pay", Breaker(failures=1, rest_s=30.0), clock)
    for took_s in (20.0, *[0.01] * 32):
        asking = begun(circuit)
        clock.advance(took_s)
        answer(asking)
    asking = begun(circuit)
    clock.advance(0.05)
    give_up(asking)

    with pytest.raises(CircuitOpen):
        begun(circuit)


def test_hurried_call_that_tries_says_nothing(rest: Callable[[], None]) -> None:
    """The next one tries, and the circuit stays as it is."""
    clock = ManualClock(monotonic_ns=10**12)
    circuit = Circuit("pay", Breaker(failures=1, rest_s=30.0), clock)
    asking = begun(circuit)
    clock.advance(1)
    answer(asking)
    fail(begun(circuit))
    rest()
    give_up(begun(circuit))
    answer(begun(circuit))
    begun(circuit)
