"""Counters of this process, with bounded labels.

Every counter is a member of `Count`; its one optional label, `cause`, is a member of an enum of the room that counts,
or a name out of a contract (`Declared`). Nothing that a caller sends can therefore become a label. Read by
`pennon.counters()`, exported as OpenTelemetry metrics by `pennon.otel`, and at `/metrics` by the apps.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from enum import Enum, StrEnum
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Final

import msgspec

from pennon.headers.ids import shares_an_id

if TYPE_CHECKING:
    from pennon.carry import Arrival, Departure
    from pennon.context import Member
    from pennon.headers.allowlist import AllowList
    from pennon.headers.report import Drop


class Count(StrEnum):
    """Everything that is counted; the value is the metric's name."""

    HEADERS_DROPPED = "pennon.headers.dropped"
    HEADERS_OBSERVED = "pennon.headers.observed"
    IDS_SHARED = "pennon.headers.ids_shared"
    BAGGAGE_CROWDED = "pennon.baggage.crowded"
    CARRY_GROUPS_DROPPED = "pennon.carry.groups_dropped"
    CARRY_NOTED = "pennon.carry.noted"
    CARRY_RETURNS_DROPPED = "pennon.carry.returns_dropped"
    CARRY_CUT = "pennon.carry.cut"
    CONTEXT_REFUSED = "pennon.context.refused"
    CONTEXT_UNSIGNED = "pennon.context.unsigned"
    DEADLINE_EXCEEDED = "pennon.deadline.exceeded"
    DEADLINE_REFUSED = "pennon.deadline.refused"
    DEADLINE_SPARED = "pennon.deadline.spared"
    CALLS_RETRIED = "pennon.calls.retried"
    CALLS_REFUSED = "pennon.calls.refused"
    CALLS_FALLEN_BACK = "pennon.calls.fallen_back"
    LEDGER_FULL = "pennon.carry.ledger_full"
    DIVERGENCE = "pennon.carry.divergence"
    OVERRIDES_USED = "pennon.overrides.used"
    OVERRIDES_REFUSED = "pennon.overrides.refused"
    REPORTS_DROPPED = "pennon.reports.dropped"
    REPORTS_SENT = "pennon.reports.sent"
    EVALUATION_ERRORS = "pennon.evaluation.errors"
    EXPOSURES_DROPPED = "pennon.exposures.dropped"
    EXPOSURES_SENT = "pennon.exposures.sent"
    EXPOSURES_UNSPOOLED = "pennon.exposures.unspooled"
    EXPOSURES_SUNK = "pennon.exposures.sunk"
    SINK_FAILURES = "pennon.exposures.sink_failures"
    STREAM_CONNECTS = "pennon.stream.connects"
    STREAM_FAILURES = "pennon.stream.failures"
    STREAM_EVICTIONS = "pennon.stream.evictions"
    REPLICA_RESYNCS = "pennon.replica.resyncs"


class Sample(msgspec.Struct, frozen=True):
    """One counter's reading; `cause` is "" for a counter without a label."""

    name: Count
    cause: str
    total: int


class Declared(msgspec.Struct, frozen=True):
    """A label that the contract's author has written, e.g. a baggage key."""

    value: str


_totals: dict[tuple[Count, str], int] = {}
# A lock, although it costs 0.1 µs: `+=` on a dict's value loses counts between threads, and no hot path counts.
_lock: Final = Lock()
# Of each declared baggage key with a limit: hashes of the values that were seen, one more than the limit at most.
_values_seen: Final[dict[tuple[str, int], set[int]]] = {}


def count(name: Count, cause: Enum | Declared | None = None, *, by: int = 1) -> None:
    """Add `by` to a counter. cause: a member of a closed enum or a declared name, never a caller's text."""
    # Those that are text themselves are not asked for it: an enum's `value` takes longer than all the rest here.
    place = (name, "" if cause is None else cause if isinstance(cause, str) else str(cause.value))
    with _lock:
        _totals[place] = _totals.get(place, 0) + by


def count_arrival(arrival: "Arrival") -> None:
    """Count what a request or record lost at a door where it came in, and whether it has one id for two."""
    # Who sends a hundred headers that do not count makes us count a few reasons, not a hundred times.
    if arrival.report.dropped:
        _count_drops(arrival.report.dropped)
    if arrival.group_faults:
        _count_each(Count.CARRY_GROUPS_DROPPED, arrival.group_faults)
    if shares_an_id(arrival.context):
        count(Count.IDS_SHARED)


def count_departure(departure: "Departure") -> None:
    """Count what was left behind at a door where it went out."""
    if departure.report.dropped:
        _count_drops(departure.report.dropped)
    if departure.cut_count:
        count(Count.CARRY_CUT, by=departure.cut_count)


def count_values(baggage: Iterable["Member"], allow: "AllowList") -> None:
    """Count each declared key under which this process has now seen more different values than its `max_values`.

    Once for each key: how many more there are is not remembered, nor is any value. Call it where `allow.has_crowds`.
    """
    for member in baggage:
        crowd = allow.crowd(member.key)
        if crowd is not None and _is_first_too_many(crowd, hash(member.value)):
            count(Count.BAGGAGE_CROWDED, Declared(crowd[0]))


def _count_each(name: Count, causes: Sequence[StrEnum]) -> None:
    with _lock:
        for cause in set(causes):
            place = (name, cause)
            _totals[place] = _totals.get(place, 0) + causes.count(cause)


def _count_drops(drops: Sequence["Drop"]) -> None:
    _count_each(Count.HEADERS_DROPPED, [drop.reason for drop in drops])
    # Where many are told in one.
    for drop in drops:
        if drop.count > 1:
            count(Count.HEADERS_DROPPED, drop.reason, by=drop.count - 1)


def _is_first_too_many(crowd: tuple[str, int], value: int) -> bool:
    with _lock:
        seen = _values_seen.setdefault(crowd, set())
        if value in seen or len(seen) > crowd[1]:
            return False
        seen.add(value)
        return len(seen) > crowd[1]


def samples() -> tuple[Sample, ...]:
    """All counters that have counted anything, sorted by name and cause."""
    with _lock:
        totals = dict(_totals)
    return tuple(Sample(name, str(cause), total) for (name, cause), total in sorted(totals.items()))


class _Module(ModuleType):
    """This module, which can be called: `pennon.counters()` is `samples()`, although `counters` is a module's name."""

    def __call__(self) -> tuple[Sample, ...]:
        return samples()


sys.modules[__name__].__class__ = _Module
# The lock is held over a fork, or a child could inherit it from a thread that does not exist there.
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
