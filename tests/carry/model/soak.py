"""The machine by time: `python -m tests.carry.model.soak --minutes 60`.

Rounds of new examples, each from the next seed, until the time is over or one fails; then the failing example is shrunk
and printed, and the exit status is 1. What is to be gone on from stands in a folder: failing examples, which the next
run tries first, and how many rounds from which seed are done, which it does not do again.
"""

import argparse
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Final

import msgspec
from hypothesis import HealthCheck, seed, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import run_state_machine_as_test
from tests.carry.model.machine import Carrying

STEPS: Final = 50
# About ten seconds: how late a run may end.
ROUND_EXAMPLES: Final = 200
_PROGRESS: Final = "progress.json"


class Progress(msgspec.Struct):
    """How far the runs over this folder have come. seed: of the first round; round n has seed + n."""

    seed: int
    rounds: int = 0
    examples: int = 0


class _Counting(Carrying):
    """The machine, counting the examples that were begun."""

    begun = 0

    def __init__(self) -> None:
        super().__init__()
        _Counting.begun += 1


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 if nothing failed, 1 with the failing example on standard error."""
    options = _options(arguments)
    folder: Path = options.database
    folder.mkdir(parents=True, exist_ok=True)
    progress = _progress(folder, options.seed)
    until = time.monotonic() + options.minutes * 60
    print(f"seed {progress.seed}, {progress.rounds} rounds and {progress.examples} examples done before", flush=True)
    while time.monotonic() < until:
        _Counting.begun = 0
        failed = _failed_round(progress.seed + progress.rounds, folder)
        progress.examples += _Counting.begun
        if failed:
            print(f"failed in round {progress.rounds} of seed {progress.seed}; {_ways_back(folder)}", file=sys.stderr)
            return 1
        progress.rounds += 1
        (folder / _PROGRESS).write_bytes(msgspec.json.encode(progress))
        print(f"seed {progress.seed}: {progress.rounds} rounds, {progress.examples} examples", flush=True)
    return 0


def _failed_round(round_seed: int, folder: Path) -> bool:
    chosen = settings(
        max_examples=ROUND_EXAMPLES,
        stateful_step_count=STEPS,
        database=DirectoryBasedExampleDatabase(folder / "examples"),
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seed(round_seed)(_Counting), settings=chosen)
    except Exception:  # noqa: BLE001 - whatever it was, it is a finding
        traceback.print_exc()
        return True
    return False


def _progress(folder: Path, chosen_seed: int | None) -> Progress:
    """That of the folder, unless another seed is asked for."""
    place = folder / _PROGRESS
    known = msgspec.json.decode(place.read_bytes(), type=Progress) if place.exists() else None
    if known is not None and chosen_seed in (None, known.seed):
        return known
    return Progress(int.from_bytes(os.urandom(4)) if chosen_seed is None else chosen_seed)


def _ways_back(folder: Path) -> str:
    return f"run it again with --database {folder}, which tries the failing example first"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    environ = os.environ
    parser = argparse.ArgumentParser(prog="python -m tests.carry.model.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=float(environ.get("PENNON_SOAK_MINUTES", "60")))
    parser.add_argument(
        "--seed", type=int, default=int(environ["PENNON_SOAK_SEED"]) if "PENNON_SOAK_SEED" in environ else None
    )
    parser.add_argument("--database", type=Path, default=Path(environ.get("PENNON_SOAK_DATABASE", ".soak")))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
