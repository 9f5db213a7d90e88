"""A circuit and calls that began before it opened: they tell of what was."""

from collections.abc import Callable

import pytest

from pennon.errors import CircuitOpen
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
    error = ConnectionResetError()
    asking.__exit__(type(error), error, None)


@pytest.mark.parametrize("end", [answer, fail])
def test_only_the_call_that_tries_says_whether_the_downstream_is_back(
    rest: Callable[[], None], end: Callable[[Asking], None]
) -> None:
    """Neither do others go through because of an old answer, nor does an old failure begin the rest anew."""
    circuit = Circuit("pay", Breaker(failures=1, rest_s=30.0))
    old, failing = begun(circuit), begun(circuit)
    fail(failing)
    rest()
    trying = begun(circuit)
    end(old)
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
