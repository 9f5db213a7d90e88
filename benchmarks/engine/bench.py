"""The bare engine: what one answer costs on jobs A to D, and loading 5,000 flags, against the bars.

Run: python benchmarks/engine/bench.py. Ends with 1 if a bar is missed.
"""

import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.engine.jobs import UNIT_KEYS, asks, expected, job_flags, ruleset, targeted
from benchmarks.floor import Job, floor_job, keep, machine, medians_ns

from pennon.context import Answer
from pennon.flags import Ruleset, decode_ruleset, encode_ruleset

# Multiples of the floor.
BARS: Final = {"a": 2.0, "b": 6.0, "c": 38.0, "d": 5.0}

FLAG_COUNT: Final = 5_000
LOAD_BAR_MS: Final = 100.0
LOAD_REPEATS: Final = 9


def evaluation_of(rules: Ruleset, flag_key: str) -> Callable[[str, Any, Any], Answer | None]:
    """The bare engine's whole path: find the compiled flag, call it."""
    compiled = rules.compiled
    rules.flag(flag_key)

    def evaluate(unit_key: str, attributes: Any, units: Any) -> Answer | None:
        flag = compiled.get(flag_key)
        return None if flag is None else flag.answer(unit_key, attributes, units)

    return evaluate


def checked(rules: Ruleset, job: str) -> None:
    """Stop if the job answers anything but what it must."""
    evaluate = evaluation_of(rules, job)
    for ask in asks():
        answer = evaluate(ask.unit_key, ask.attributes, ask.units)
        if answer is None or answer.error is not None or answer.value != expected(job, ask.unit_key):
            sys.exit(f"job {job}, unit {ask.unit_key!r}: answers {answer}, must be {expected(job, ask.unit_key)!r}")


def answering(rules: Ruleset, job: str) -> Job:
    """A thousand answers, one for each unit."""
    evaluate = evaluation_of(rules, job)
    ready = [(ask.unit_key, ask.attributes, ask.units) for ask in asks()]

    def run(count: int) -> None:
        for _ in range(count):
            for unit_key, attributes, units in ready:
                evaluate(unit_key, attributes, units)

    return run


def loading_ms(data: bytes) -> float:
    """CPU time from a snapshot's bytes to a ruleset that answers, with the garbage collector running as it does."""
    spent_ms = []
    for _ in range(LOAD_REPEATS):
        gc.collect()
        began_ns = time.thread_time_ns()
        rules = Ruleset.of(decode_ruleset(data))
        spent_ms.append((time.thread_time_ns() - began_ns) / 1e6)
        if len(rules.records) != FLAG_COUNT:
            sys.exit(f"loaded {len(rules.records)} flags, must be {FLAG_COUNT}")
    return statistics.median(spent_ms)


def first_use_us(rules: Ruleset) -> float:
    """CPU time of a flag's first use, in which it is compiled: the median over all."""
    spent_us = []
    for key in rules.records:
        began_ns = time.thread_time_ns()
        flag = rules.flag(key)
        spent_us.append((time.thread_time_ns() - began_ns) / 1e3)
        if flag is None or flag.fault:
            sys.exit(f"flag {key!r} does not compile")
    return statistics.median(spent_us)


def main() -> int:
    """Measure, print, keep; 1 if a bar is missed."""
    rules = Ruleset.of(decode_ruleset(encode_ruleset(ruleset(*job_flags()))))
    for job in BARS:
        checked(rules, job)
    turns_ns = medians_ns({"floor": floor_job(), **{job: answering(rules, job) for job in BARS}})
    floor = turns_ns["floor"]
    print(f"floor {floor:.1f} ns\n\njob        ns   x floor      bar")
    met = True
    jobs: dict[str, dict[str, float]] = {}
    for job, bar in BARS.items():
        spent_ns = turns_ns[job] / len(UNIT_KEYS)
        ratio = spent_ns / floor
        met &= ratio <= bar
        jobs[job] = {"ns": round(spent_ns, 1), "ratio": round(ratio, 2), "bar": bar}
        print(f"{job.upper():3} {spent_ns:9.0f} {ratio:9.2f} {bar:8.0f}{'' if ratio <= bar else '   MISSED'}")
    data = encode_ruleset(ruleset(*(targeted(f"flag-{number}", number) for number in range(FLAG_COUNT))))
    load_ms = loading_ms(data)
    met &= load_ms <= LOAD_BAR_MS
    first_us = first_use_us(Ruleset.of(decode_ruleset(data)))
    size = f"{len(data) / 1e6:.1f} MB"
    print(f"\nloading {FLAG_COUNT:,} flags of C's shape ({size}): {load_ms:.0f} ms, bar {LOAD_BAR_MS:.0f}")
    print(f"first use of one of them: {first_us:.0f} µs")
    result = {
        "machine": machine("msgspec", "mmh3"),
        "floor_ns": round(floor, 1),
        "jobs": jobs,
        "loading": {"flags": FLAG_COUNT, "bytes": len(data), "ms": round(load_ms, 1), "bar_ms": LOAD_BAR_MS},
        "first_use_us": round(first_us, 1),
    }
    print(f"kept in {keep('engine', result).relative_to(Path(__file__).parents[2])}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
