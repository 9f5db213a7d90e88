"""Public calls of the client on jobs A to D: outside a request, first in a request, and again in it, against the bars.

Then job B, a split, in requests with which decisions arrived, against the same split outside one; and as an
experiment's flag, whose use is an exposure.
A request's context is built ahead and holds the unit and its attributes, so that in it the calls name the flag alone.
Making a context current is timed by itself and taken off; emptying the ledgers between two passes is not timed.
Run: python benchmarks/client/bench.py. Ends with 1 if a bar is missed.
"""

import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.client.carried import BARS as CARRIED_BARS
from benchmarks.client.carried import carried_ns
from benchmarks.client.exposing import exposing_ns
from benchmarks.client.requests import context_of, current, enter
from benchmarks.engine.jobs import asks, expected, job_flags, ruleset
from benchmarks.floor import REPEAT_COUNT, floor_ns, keep, machine, median_ns

import pennon
from pennon.client import answering
from pennon.flags import Ruleset, decode_ruleset, encode_ruleset

# Multiples of the floor: outside a request, first in a request, again in a request.
BARS: Final = {"a": (3.5, 6.0, 5.0), "b": (7.0, 10.0, 5.0), "c": (42.0, 45.0, 5.0), "d": (7.0, 9.0, 5.0)}
# Passes over 1,000 units in one repeat: 10 to 60 ms.
PASS_COUNT: Final = 20
PLACES: Final = ("outside", "first", "again")

Call = Callable[..., Any]


def call_of(client: pennon.Client, job: str) -> Call:
    """The public call that a job is asked with, its default one that no answer has."""
    if job == "c":
        return lambda **about: client.string("c", default="", **about)
    return lambda **about: client.is_on(job, default=False, **about)


def checked(client: pennon.Client, job: str) -> None:
    """Stop if the job answers anything but what it must, outside a request or in one."""
    call = call_of(client, job)
    for ask in asks():
        found = {call(unit=ask.unit_key, attributes=ask.attributes)}
        with current(context_of(ask)):
            found |= {call(), call()}
        if found != {expected(job, ask.unit_key)}:
            sys.exit(f"job {job}, unit {ask.unit_key!r}: answers {found}, must be {expected(job, ask.unit_key)!r}")


def outside_ns(client: pennon.Client, job: str) -> float:
    """CPU time of a call outside a request."""
    ready = [(ask.unit_key, ask.attributes) for ask in asks()]

    def run_text(count: int) -> None:
        for _ in range(count):
            for unit, attributes in ready:
                client.string("c", unit=unit, attributes=attributes, default="")

    def run_boolean(count: int) -> None:
        for _ in range(count):
            for unit, attributes in ready:
                client.is_on(job, unit=unit, attributes=attributes, default=False)

    return median_ns(run_text if job == "c" else run_boolean) / len(ready)


def within_ns(client: pennon.Client, job: str, *, is_first: bool) -> float:
    """CPU time of a call in a request: the first, ledger write included, or a later one."""
    ready = [context_of(ask) for ask in asks()]

    def run_text() -> None:
        for context in ready:
            enter(context)
            client.string("c", default="")

    def run_boolean() -> None:
        for context in ready:
            enter(context)
            client.is_on(job)

    def run_nothing() -> None:
        for context in ready:
            enter(context)

    def empty_ledgers() -> None:
        for context in ready:
            context.ledger.made = {}

    with current(ready[0]):
        run = run_text if job == "c" else run_boolean
        spent_ns = pass_ns(run, empty_ledgers if is_first else run_nothing)
        return (spent_ns - pass_ns(run_nothing, run_nothing)) / len(ready)


def pass_ns(run: Callable[[], None], prepare: Callable[[], None]) -> float:
    """CPU time of one pass over all units: the median of repeats of some 20 ms, what prepares a pass not counted."""
    prepare()
    run()
    spent_ns = []
    for _ in range(REPEAT_COUNT):
        repeat_ns = 0
        for _ in range(PASS_COUNT):
            prepare()
            began_ns = time.thread_time_ns()
            run()
            repeat_ns += time.thread_time_ns() - began_ns
        spent_ns.append(repeat_ns / PASS_COUNT)
    return statistics.median(spent_ns)


def main() -> int:
    """Measure, print, keep; 1 if a bar is missed."""
    rules = Ruleset.of(decode_ruleset(encode_ruleset(ruleset(*job_flags()))))
    met = True
    jobs: dict[str, dict[str, dict[str, float]]] = {}
    with answering(rules), pennon.connect() as client:
        for job in BARS:
            checked(client, job)
        floor = floor_ns()
        print(f"floor {floor:.1f} ns\n\njob  place          ns   x floor      bar")
        for job, bars in BARS.items():
            spent = (
                outside_ns(client, job),
                within_ns(client, job, is_first=True),
                within_ns(client, job, is_first=False),
            )
            jobs[job] = {}
            for place, spent_ns, bar in zip(PLACES, spent, bars, strict=True):
                ratio = spent_ns / floor
                met &= ratio <= bar
                jobs[job][place] = {"ns": round(spent_ns, 1), "ratio": round(ratio, 2), "bar": bar}
                print(
                    f"{job.upper():4} {place:8} {spent_ns:8.0f} {ratio:9.2f} {bar:8.1f}"
                    f"{'' if ratio <= bar else '   MISSED'}"
                )
        local_ns = jobs["b"]["outside"]["ns"]
        print(f"\n{'job B':42}   ns   x floor   x outside      bar")
        carried: dict[str, dict[str, float]] = {}
        for name, spent_ns in carried_ns(client, rules).items():
            ratio, carried_bar = spent_ns / local_ns, CARRIED_BARS.get(name, math.inf)
            met &= ratio <= carried_bar
            carried[name] = {"ns": round(spent_ns, 1), "ratio": round(spent_ns / floor, 2), "outside": round(ratio, 2)}
            print(
                f"{name:42}{spent_ns:5.0f} {spent_ns / floor:9.2f} {ratio:11.2f} {carried_bar:8.1f}"
                f"{'' if ratio <= carried_bar else '   MISSED'}"
            )
    exposed = {}
    for name, spent_ns in exposing_ns().items():
        exposed[name] = {"ns": round(spent_ns, 1), "ratio": round(spent_ns / floor, 2)}
        print(f"{name:42}{spent_ns:5.0f} {spent_ns / floor:9.2f} {spent_ns / local_ns:11.2f}")
    about = {"machine": machine("msgspec", "mmh3"), "floor_ns": round(floor, 1)}
    kept = keep("client", {**about, "jobs": jobs, "carried": carried}), keep("exposing", {**about, "exposed": exposed})
    print(f"\nkept in {' and '.join(str(path.relative_to(Path(__file__).parents[2])) for path in kept)}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
