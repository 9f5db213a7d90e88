"""What a door counts is what the valve is told, whenever it is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.context import Deadline
from pennon.headers import DeadlinePolicy
from pennon.headers.deadline import Valve
from pennon.http.valve import DeadlineValve, Lateness


@pytest.mark.req(65)
@given(st.lists(st.tuples(st.integers(0, 3_000), st.booleans()), max_size=80), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_door_refuses_what_the_valve_refuses(requests: list[tuple[int, bool]], share: float) -> None:
    """One that is told of each request at once decides alike."""
    door, valve = DeadlineValve(DeadlinePolicy(accept=(), cap_s=1, max_refused_share=share)), Valve()
    now_ns = 0
    for pause_ms, is_late in requests:
        now_ns += pause_ms * 1_000_000
        valve, is_refused = valve.after(now_ns, is_late=is_late, max_share=share)
        expected = None if not is_late else Lateness.REFUSED if is_refused else Lateness.SPARED
        left_ns = 49_999_999 if is_late else 50_000_000

        assert expected is door.lateness(Deadline(now_ns + left_ns), now_ns)
