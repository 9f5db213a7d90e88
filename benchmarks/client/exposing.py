"""What a call costs that exposes its unit: for the first time, into memory or also onto the disk, and once more.

The unit is asked about outside a request, by `is_on` of a 50 % rollout. Before each pass what waits is delivered, to
nobody, and who was exposed forgotten; neither is timed. CPU time, the kernel's share in it: the write is one of it.
"""

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
from benchmarks.engine.jobs import UNIT_KEYS, job_flags, ruleset
from benchmarks.floor import REPEAT_COUNT

import pennon
from pennon.client import answering
from pennon.client.exposures import Buffer
from pennon.flags import Ruleset

# Passes over 1,000 units in one repeat.
PASS_COUNT: Final = 5

# Nobody is called: while fixed answers hold, a client follows nothing.
_NOWHERE: Final = "http://127.0.0.1:9"


def exposing_ns() -> dict[str, float]:
    """CPU time of `is_on("b")` of an experiment's flag, by what becomes of the exposure."""
    rules = Ruleset.of(
        ruleset(*(msgspec.structs.replace(flag, exposes=True) for flag in job_flags() if flag.key == "b"))
    )
    with TemporaryDirectory() as folder, answering(rules):
        with pennon.connect(_NOWHERE, token="none") as client:
            in_memory = _first_ns(client, rules)
            again = _again_ns(client)
            _empty(client, rules)
        with pennon.connect(_NOWHERE, token="none", spool=Path(folder)) as client:
            on_disk = _first_ns(client, rules)
            _empty(client, rules)
    return {"exposed, first, in memory": in_memory, "exposed, first, spooled": on_disk, "exposed, again": again}


def _first_ns(client: pennon.Client, rules: Ruleset) -> float:
    spent_ns = []
    for repeat in range(REPEAT_COUNT + 1):
        repeat_ns = 0
        for _ in range(PASS_COUNT):
            _empty(client, rules)
            repeat_ns += _pass_ns(client)
        if repeat:  # the first one warms up
            spent_ns.append(repeat_ns / PASS_COUNT)
    return statistics.median(spent_ns) / len(UNIT_KEYS)


def _again_ns(client: pennon.Client) -> float:
    return statistics.median(_pass_ns(client) for _ in range(REPEAT_COUNT * PASS_COUNT)) / len(UNIT_KEYS)


def _pass_ns(client: pennon.Client) -> int:
    began_ns = time.thread_time_ns()
    for key in UNIT_KEYS:
        client.is_on("b", unit=key)
    return time.thread_time_ns() - began_ns


def _empty(client: pennon.Client, rules: Ruleset) -> None:
    """Deliver what waits, and forget who was exposed."""
    buffer = _buffer_of(client)
    while buffer.take(rules):
        buffer.done()
    buffer._seen.clear()


def _buffer_of(client: pennon.Client) -> Buffer:
    if client._link is None:
        raise ValueError("a client that has nowhere to connect to exposes to nobody")
    return client._link.buffer
