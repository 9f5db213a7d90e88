"""A search for the hostile headers that cost a door the most, and what those that are known cost under other contracts.

    python benchmarks/http/worst.py [seconds]

Hill climbing from several beginnings, over what the sets of `hostile.py` are made of, whole and in part, within what a
server lets through: 100 headers of 64 kB in all. One step puts a header in, takes one out or puts one in another's
place; what costs more stays. The measure is CPU time of this thread at the door, scaled to the reference's floor, so
that the last few microseconds of what is found are chance: it is timed again at the end. Nothing is kept; a set that is
dearer than those of `hostile.py` belongs there.
"""

import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.floor import floor_job, medians_ns
from benchmarks.http.hostile import SETS, TRACEPARENT, Lines
from benchmarks.http.ingress import (
    BOUNDARIES,
    CONTRACT,
    HOSTILE_BAR_US,
    REFERENCE_FLOOR_NS,
    door,
    scopes,
    serve,
)

from pennon.headers import BaggagePolicy, Contract, UnknownHeaders, std
from pennon.headers.proxies import ForwardedSource, TrustedProxies

SEARCH_S: Final = 60.0
BEGINNINGS_COUNT: Final = 4
SEED: Final = 11
LIMIT_COUNT: Final = 100
LIMIT_BYTES: Final = 65_536
TRIES_COUNT: Final = 12

_PROXIED: Final = replace(CONTRACT, proxies=TrustedProxies(["10.0.0.0/8"], reads=tuple(ForwardedSource)))
CONTRACTS: Final[dict[str, Contract]] = {
    "as in the benchmark": _PROXIED,
    "64 members and 8 kB of baggage": replace(
        _PROXIED, baggage=BaggagePolicy(allow=("tenant.tier", "region", "k*"), max_members=64, max_bytes=8_192)
    ),
    "business ids": replace(_PROXIED, business_ids=("ORD-[0-9]+", "INV-[A-Z]{2}[0-9]{6}")),
    "unknown headers are refused": replace(_PROXIED, unknown=UnknownHeaders.REJECT),
    "every built-in field that is read": replace(
        _PROXIED, fields=(*CONTRACT.fields, std.REGION, std.IF_MATCH, std.IF_NONE_MATCH, std.AUTHORIZATION, std.COOKIE)
    ),
}

Cost = Callable[[Lines], float]


def costing(contract: Contract, boundary: str) -> Cost:
    """What headers cost at a door, in µs at the reference's floor: the least of some tries."""
    at_door = door(_answering, BOUNDARIES[boundary], contract)
    scope, floor = scopes()[0], floor_job()

    def cost(lines: Lines) -> float:
        request = {**scope, "headers": list(lines)}
        tries = []
        for _ in range(TRIES_COUNT):
            began = time.thread_time_ns()
            for _ in range(4):
                serve(at_door, request)
            between = time.thread_time_ns()
            floor(2_000)
            ended = time.thread_time_ns()
            tries.append((between - began) / 4 / ((ended - between) / 2_000))
        return min(tries) * REFERENCE_FLOOR_NS / 1e3

    return cost


def parts() -> list[Lines]:
    """What a set is made of: each header of the known sets, and of its value the first half and a quarter."""
    found: set[Lines] = set()
    for lines in SETS.values():
        for name, value in lines[:4]:
            found |= {((name, value[: len(value) // share]),) for share in (1, 2, 4)}
        if len(lines) > len(set(lines)) or len(lines) > LIMIT_COUNT // 2:
            found |= {tuple(lines[:count]) for count in (10, 40)}
    return sorted(each for each in found if _is_let_through(each))


def worst(cost: Cost, *, seconds: float, seed: int = SEED) -> tuple[float, Lines]:
    """The dearest set that was found, and what it costs in µs."""
    draw, ingredients = random.Random(seed), parts()  # the same search each time
    best: tuple[float, Lines] = (0.0, ())
    for _ in range(BEGINNINGS_COUNT):
        ends = time.monotonic() + seconds / BEGINNINGS_COUNT
        here: list[Lines] = [(TRACEPARENT,)]
        here_us = cost(_joined(here))
        while time.monotonic() < ends:
            there = _changed(here, ingredients, draw)
            if not _is_let_through(_joined(there)):
                continue
            there_us = cost(_joined(there))
            if there_us > here_us:
                here, here_us = there, there_us
        best = max(best, (here_us, _joined(here)))
    return best


def _changed(here: Sequence[Lines], ingredients: Sequence[Lines], draw: random.Random) -> list[Lines]:
    there = list(here)
    if len(there) > 1 and draw.random() < 0.6:
        del there[draw.randrange(len(there))]
    if draw.random() < 0.8:
        there.insert(draw.randrange(len(there) + 1), draw.choice(ingredients))
    return there


def _joined(each: Sequence[Lines]) -> Lines:
    return tuple(line for lines in each for line in lines)


def _is_let_through(lines: Lines) -> bool:
    return len(lines) <= LIMIT_COUNT and sum(len(name) + len(value) for name, value in lines) <= LIMIT_BYTES


async def _answering(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})


def show_contracts() -> None:
    """The dearest known set under each contract."""
    print(f"the dearest known set under each contract, in µs; bar {HOSTILE_BAR_US}")
    for name, contract in CONTRACTS.items():
        for boundary in BOUNDARIES:
            cost = costing(contract, boundary)
            dearest_us, which = max((cost(tuple(lines)), which) for which, lines in SETS.items())
            print(f"{name:<40} {boundary:<8} {dearest_us:>7.1f}  {which}{_mark(dearest_us)}")


def show_found(seconds: float) -> None:
    """The worst that a search finds at either boundary."""
    for boundary in BOUNDARIES:
        cost = costing(_PROXIED, boundary)
        _, lines = worst(cost, seconds=seconds / len(BOUNDARIES))
        found_us = cost(lines)
        print(f"found, {boundary}: {found_us:.1f}{_mark(found_us)}")
        for name, same in groupby(lines, key=itemgetter(0)):
            values = [value for _, value in same]
            print(f"  {name.decode()}: {len(values)} of {sum(map(len, values))} bytes, {values[0][:60]!r}")


def _mark(cost_us: float) -> str:
    return "  over" if cost_us > HOSTILE_BAR_US else ""


def main() -> None:
    """Both, with the machine's floor."""
    print(f"floor {medians_ns({'floor': floor_job()})['floor']:.0f} ns; figures are at floor {REFERENCE_FLOOR_NS}")
    show_contracts()
    show_found(float(sys.argv[1]) if len(sys.argv) > 1 else SEARCH_S)


if __name__ == "__main__":
    main()
