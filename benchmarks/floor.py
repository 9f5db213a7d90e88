"""How fast this machine is, how a job is timed on it, and where results are kept; shared by all benchmarks."""

import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

# A job runs its work this often and returns.
Job = Callable[[int], None]

REPEAT_COUNT: Final = 25
REPEAT_NS: Final = 20_000_000

RESULTS: Final = Path(__file__).parent / "results"


def floor_ns() -> float:
    """A call of a Python function that does one dict.get and one call of another Python function; 58 on one machine."""
    table = {"key": 1}

    def inner(value: int | None) -> int | None:
        return value

    def outer(key: str) -> int | None:
        return inner(table.get(key))

    def job(count: int) -> None:
        for _ in range(count):
            outer("key")

    return median_ns(job)


def median_ns(job: Job, *, repeats: int = REPEAT_COUNT) -> float:
    """CPU time of the calling thread for one turn: the median of repeats of about 20 ms."""
    count = 1
    while (spent_ns := _spent_ns(job, count)) < REPEAT_NS // 2:
        count = max(count * 2, count * REPEAT_NS // max(spent_ns, REPEAT_NS // 50))
    return statistics.median(_spent_ns(job, count) for _ in range(repeats)) / count


def _spent_ns(job: Job, count: int) -> int:
    began_ns = time.thread_time_ns()
    job(count)
    return time.thread_time_ns() - began_ns


def machine(*distributions: str) -> dict[str, str]:
    """What a result was measured on: processor, Python, versions of pennon and these distributions, commit."""
    return {
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: version(name) for name in ("pennon", *distributions)},
        "commit": _commit(),
    }


def keep(name: str, result: Mapping[str, Any]) -> Path:
    """Write a result as `results/<name>.json`, over the one before, and say where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return path


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")


def _commit() -> str:
    """The commit that was measured, marked if the tree differs from it; unknown outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=RESULTS.parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
