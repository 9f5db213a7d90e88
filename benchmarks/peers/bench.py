"""The race: pennon against five other SDKs on jobs A to D, public call against public call.

Run: python benchmarks/peers/bench.py [ROUNDS]. The first run installs each peer into an environment of its own.
Ends with 1 if a bar is missed. How each contender is set up: README.md beside this file.
"""

import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.engine.jobs import asks
from benchmarks.floor import RESULTS, keep, machine
from benchmarks.peers.checks import faults, questions
from benchmarks.peers.field import Racer, running
from benchmarks.peers.report import plot, table

# How many times the time of pennon the best of the peers must take.
BARS: Final = {"a": 3.0, "b": 2.5, "c": 2.0, "d": 25.0}
# Three repeats in each, see worker.py.
ROUND_COUNT: Final = 9
QUIET_LOAD: Final = 0.5
PLOT: Final = RESULTS.parents[1] / "docs" / "images" / "peers.svg"

# What each contender spent in each round, by job: its call and the floor beside it.
Laps = dict[str, dict[str, list[dict[str, float]]]]


def main() -> int:
    """Check, race, print, keep; 1 if a bar is missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUND_COUNT
    # Of the minute before. Other work on the machine takes caches away, which costs some contenders more than others.
    load = round(os.getloadavg()[0], 2)
    if load > QUIET_LOAD:
        print(f"this machine is busy (load {load}, quiet is below {QUIET_LOAD}): run it again later for a fair result")
    with running() as racers:
        for racer in racers:
            racer.open(questions(len(asks())))
            found = list(faults(racer.answers, is_ours=racer is racers[0]))
            if found:
                sys.exit("\n".join(f"{racer.entrant.title}: {fault}" for fault in found))
        print(f"all answers checked; {rounds} rounds", flush=True)
        laps = raced(racers, rounds)
        result: dict[str, Any] = {
            "machine": machine("msgspec", "mmh3"),
            "rounds": rounds,
            "load": load,
            "contenders": {racer.entrant.name: standing(laps, racers, racer) for racer in racers},
        }
    result["jobs"] = {job: verdict(result["contenders"], job, bar) for job, bar in BARS.items()}
    text = table(result)
    print(text)
    kept = keep("peers", result)
    kept.with_suffix(".md").write_text(text, encoding="utf-8")
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    PLOT.write_text(plot(result), encoding="utf-8")
    return 0 if all(found["met"] for found in result["jobs"].values()) else 1


def raced(racers: Sequence[Racer], rounds: int) -> Laps:
    """Every contender once in each round of each job, another one first each time, so that noise hits all alike."""
    laps: Laps = {racer.entrant.name: {job: [] for job in BARS} for racer in racers}
    for number in range(rounds):
        first = number % len(racers)
        for job in BARS:
            for racer in (*racers[first:], *racers[:first]):
                laps[racer.entrant.name][job].append(racer.spent_ns(job))
    return laps


def standing(laps: Laps, racers: Sequence[Racer], racer: Racer) -> dict[str, Any]:
    """Medians of one contender; its ratio to ours is the median over the rounds of the ratios in one round."""
    ours, own = laps[racers[0].entrant.name], laps[racer.entrant.name]
    return {
        "title": racer.entrant.title,
        "distribution": racer.entrant.distribution,
        "version": racer.version,
        "floor_ns": round(statistics.median(lap["floor"] for job in BARS for lap in own[job]), 1),
        "jobs": {
            job: {
                "ns": round(statistics.median(lap["job"] for lap in own[job]), 1),
                "least_ns": round(min(lap["job"] for lap in own[job]), 1),
                "floors": round(statistics.median(lap["job"] / lap["floor"] for lap in own[job]), 2),
                "ratio": round(
                    statistics.median(
                        lap["job"] / other["job"] for lap, other in zip(own[job], ours[job], strict=True)
                    ),
                    2,
                ),
            }
            for job in BARS
        },
    }


def verdict(contenders: Mapping[str, Any], job: str, bar: float) -> dict[str, Any]:
    """The best of the peers in a job and how far it is behind: by medians, and with everyone at their fastest turn.

    A busy machine only ever adds time, and not to all alike: the bar must be met both ways.
    """
    ours, *peers = [(contender["jobs"][job], name) for name, contender in contenders.items()]
    ratio, best = min((peer["ratio"], name) for peer, name in peers)
    least_ratio = round(min(peer["least_ns"] for peer, _ in peers) / ours[0]["least_ns"], 2)
    return {"best": best, "ratio": ratio, "least_ratio": least_ratio, "bar": bar, "met": min(ratio, least_ratio) >= bar}


if __name__ == "__main__":
    sys.exit(main())
