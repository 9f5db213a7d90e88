"""Carrying as a whole: whatever authors, networks, strangers and clocks do, the invariants hold."""

import pytest
from hypothesis import settings
from tests.carry.model.machine import Carrying

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TestCarrying = Carrying.TestCase
TestCarrying.settings = settings(max_examples=2_000, stateful_step_count=50, deadline=None)
