"""The machine finds out wrong programs: each mutant of the shipped code dies by the invariant that it breaks."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.carry.model.invariants import Invariant
from tests.carry.model.mutants import MUTANTS, Mutant

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name.replace(" ", "_") for mutant in MUTANTS])
def test_mutant_is_killed_by_the_invariant_that_it_breaks(mutant: Mutant) -> None:
    """Within 500 examples; a mutant that lives is a gap in the machine."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.carry.model.dying", mutant.name],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, mutant.invariant) == (ran.returncode, ran.stdout.partition(": ")[0]), ran.stdout + ran.stderr


def test_every_invariant_has_two_mutants() -> None:
    """An invariant that nothing can break says nothing."""
    assert all(Counter(mutant.invariant for mutant in MUTANTS)[invariant] >= 2 for invariant in Invariant)
