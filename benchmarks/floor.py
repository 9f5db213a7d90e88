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
    return median_ns(floor_job())


def floor_job() -> Job:
    """The floor, to be timed among other jobs."""
    table = {"key": 1}

    def inner(value: int | None) -> int | None:
        return value

    def outer(key: str) -> int | None:
        return inner(table.get(key))

    def job(count: int) -> None:
        for _ in range(count):
            outer("key")

    return job


def median_ns(job: Job, *, repeats: int = REPEAT_COUNT) -> float:
    """CPU time of the calling thread for one turn: the median of repeats of about 20 ms."""
    return medians_ns({"": job}, repeats=repeats)[""]


def medians_ns(jobs: Mapping[str, Job], *, repeats: int = REPEAT_COUNT) -> dict[str, float]:
    """The same for several jobs that are to be compared: they take turns, so a slow minute slows them all."""
    counts = {name: _count_of(job) for name, job in jobs.items()}
    spent_ns: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            spent_ns[name].append(_spent_ns(job, counts[name]) / counts[name])
    return {name: statistics.median(spent) for name, spent in spent_ns.items()}


def _count_of(job: Job) -> int:
    """How many turns take about 20 ms."""
    count = 1
    while (spent_ns := _spent_ns(job, count)) < REPEAT_NS // 2:
        count = max(count * 2, count * REPEAT_NS // max(spent_ns, REPEAT_NS // 50))
    return count


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
