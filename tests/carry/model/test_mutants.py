"""The machine finds out wrong programs: each mutant of the shipped code dies by the invariant that it breaks."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.carry.model.invariants import Invariant
from tests.carry.model.machine import Carrying
from tests.carry.model.mutants import MUTANTS, Mutant, mutated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# The first failing example is enough, and always the same: nothing is shrunk, kept or drawn anew.
_SETTINGS = settings(
    max_examples=500,
    stateful_step_count=50,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name.replace(" ", "_") for mutant in MUTANTS])
def test_mutant_is_killed_by_the_invariant_that_it_breaks(mutant: Mutant) -> None:
    """Within 500 examples; a mutant that lives is a gap in the machine."""
    with mutated(mutant), pytest.raises(AssertionError, match=f"^{mutant.invariant}: "):
        run_state_machine_as_test(Carrying, settings=_SETTINGS)


def test_every_invariant_has_two_mutants() -> None:
    """An invariant that nothing can break says nothing."""
    assert all(Counter(mutant.invariant for mutant in MUTANTS)[invariant] >= 2 for invariant in Invariant)
