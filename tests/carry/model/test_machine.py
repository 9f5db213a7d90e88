"""Carrying as a whole: whatever authors, networks, strangers and clocks do, the invariants hold."""

import pytest
from hypothesis import HealthCheck, settings
from tests.carry.model.machine import Carrying

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TestCarrying = Carrying.TestCase
# How fast examples are made depends on what else the machine does.
TestCarrying.settings = settings(
    max_examples=2_000, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
