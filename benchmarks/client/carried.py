"""Job B, a split, in requests of every kind: decided here, carried in, beside what else arrived, with a token."""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Final

import msgspec
from benchmarks.client.requests import context_of, current, enter
from benchmarks.engine.jobs import asks
from benchmarks.floor import REPEAT_COUNT

import pennon
from pennon.carry import fingerprint_of
from pennon.context import Entry, Origin, RequestContext
from pennon.flags import Flag, Ruleset

PASS_COUNT: Final = 10

# Name of the request -> multiple of "outside", the split as it is evaluated here without a request.
BARS: Final = {"carried, again": 1.5}


class Kind(msgspec.Struct, frozen=True):
    """A kind of request: its contexts, and what is done to them before each pass, untimed."""

    ready: list[RequestContext]
    prepare: Callable[[], None]


def carried_ns(client: pennon.Client, rules: Ruleset) -> dict[str, float]:
    """CPU time of `is_on("b")` by kind of request; the medians of repeats that take turns."""
    kinds = _kinds(client, rules)
    spent_ns: dict[str, list[float]] = {name: [] for name in kinds}
    for repeat in range(REPEAT_COUNT + 1):
        for name, kind in kinds.items():
            took_ns = sum(_pass_ns(client, kind) for _ in range(PASS_COUNT)) / PASS_COUNT / len(kind.ready)
            if repeat:  # the first one warms up
                spent_ns[name].append(took_ns)
    return {name: statistics.median(spent) for name, spent in spent_ns.items()}


def _kinds(client: pennon.Client, rules: Ruleset) -> dict[str, Kind]:
    flag, static = rules.flag("b"), rules.flag("a")
    if flag is None or static is None:
        sys.exit("job A or B is missing")
    # What a stranger can make us do: nothing is verified, the form is good and the key unknown.
    token = "e30.e30." + "A" * 86
    return {
        "decided here, first": _first(client, _requests(rules)),
        "decided here, again": _again(client, _requests(rules)),
        "decided here, first, beside what arrived": _first(client, _requests(rules, static), after="a"),
        "carried, first": _first(client, _requests(rules, flag)),
        "carried, again": _again(client, _requests(rules, flag)),
        "with a token, again": _again(client, _requests(rules, token=token)),
    }


def _requests(rules: Ruleset, *arriving: Flag, token: str | None = None) -> list[RequestContext]:
    ready = [context_of(ask) for ask in asks()]
    for context in ready:
        context.ledger.override = token
        for each in arriving:
            _arrive(context, each, rules)
    return ready


def _first(client: pennon.Client, ready: list[RequestContext], *, after: str | None = None) -> Kind:
    """Where it is asked for the first time. after: what else was asked before."""

    def prepare() -> None:
        for context in ready:
            context.ledger.made = {}
            if after is not None:
                enter(context)
                client.is_on(after)

    return Kind(ready, prepare)


def _again(client: pennon.Client, ready: list[RequestContext]) -> Kind:
    def prepare() -> None:
        for context in ready:
            enter(context)
            client.is_on("b")

    return Kind(ready, prepare)


def _arrive(context: RequestContext, flag: Flag, rules: Ruleset) -> None:
    """Let the decision that would be made here have arrived."""
    identity, environment = context.identity, rules.environment
    key = identity.units[flag.unit_kind]
    variant_id = flag.answer(key, identity.attributes, identity.units).variant_id
    fingerprint = fingerprint_of(environment.salt, flag.unit_kind, key)
    minute = time.time_ns() // 60_000_000_000
    entry = Entry(
        environment.id, rules.epoch, fingerprint, minute, flag.id, variant_id or 0, Origin.SPLIT, rules.revision
    )
    context.ledger.arrived[environment.id, flag.id] = (entry,)


def _pass_ns(client: pennon.Client, kind: Kind) -> int:
    ready = kind.ready
    with current(ready[0]):
        kind.prepare()
        began_ns = time.thread_time_ns()
        for context in ready:
            enter(context)
        entered_ns = time.thread_time_ns()
        for context in ready:
            enter(context)
            client.is_on("b")
        return time.thread_time_ns() - entered_ns - (entered_ns - began_ns)
