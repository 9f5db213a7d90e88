"""The machine finds out wrong programs: each mutant of the shipped code dies by the invariant that it breaks."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.carry.model.invariants import Invariant
from tests.carry.model.mutants import MUTANTS, Mutant

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[3]

Run = subprocess.CompletedProcess[str]


def _id(mutant: Mutant) -> str:
    return mutant.name.replace(" ", "_")


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Run]]]:
    """Of each mutant that was asked for; on all processors at once."""
    asked = {item.name.partition("[")[2].rstrip("]") for item in request.session.items if item.path == request.path}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {mutant.name: pool.submit(_run, mutant) for mutant in MUTANTS if _id(mutant) in asked}
        pool.shutdown(cancel_futures=True)


def _run(mutant: Mutant) -> Run:
    return subprocess.run(
        [sys.executable, "-m", "tests.carry.model.dying", mutant.name],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=_id)
def test_mutant_is_killed_by_the_invariant_that_it_breaks(mutant: Mutant, runs: dict[str, Future[Run]]) -> None:
    """Within 500 examples; a mutant that lives is a gap in the machine."""
    ran = runs[mutant.name].result()
    assert (0, mutant.invariant) == (ran.returncode, ran.stdout.partition(": ")[0]), ran.stdout + ran.stderr


def test_every_invariant_has_two_mutants() -> None:
    """An invariant that nothing can break says nothing."""
    assert all(Counter(mutant.invariant for mutant in MUTANTS)[invariant] >= 2 for invariant in Invariant)
