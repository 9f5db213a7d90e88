"""The delay before connecting again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.sync import delay_s


@pytest.mark.parametrize(
    ("attempt", "expected_s"), [(1, 0.25), (2, 0.5), (3, 1.0), (7, 15.0), (8, 15.0), (10**9, 15.0)]
)
def test_delay_doubles_up_to_the_cap(attempt: int, expected_s: float) -> None:
    """Half of the window, for a sample of a half."""
    assert expected_s == delay_s(attempt, 0.5)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_delay_lies_within_its_window(attempt: int, sample: float) -> None:
    """Full jitter: anything from nothing to the cap."""
    assert 0 <= delay_s(attempt, sample) < 30.0


def test_attempt_zero_is_refused() -> None:
    """Attempts are counted from 1."""
    with pytest.raises(ValueError, match="at least 1"):
        delay_s(0, 0.5)
