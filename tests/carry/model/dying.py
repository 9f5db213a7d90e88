"""One mutant in a process of its own: `python -m tests.carry.model.dying NAME` prints what killed it, or that it lives.

What Hypothesis draws depends on which modules of the project are loaded (it tries numbers that stand in them). Here
they are always the same, so that a mutant dies by the same example wherever and with whatever else the tests are run.
"""

import sys

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.carry.model.machine import Carrying
from tests.carry.model.mutants import MUTANTS, mutated

# The first failing example is enough: nothing is shrunk, kept or drawn anew.
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


def main(name: str) -> int:
    """Exit status 0, whatever became of it."""
    mutant = next(each for each in MUTANTS if each.name == name)
    with mutated(mutant):
        try:
            run_state_machine_as_test(Carrying, settings=_SETTINGS)
        except AssertionError as found:
            print(found)
        else:
            print("it lives")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
