"""A journey as it is looked at: its hops in the order of a waterfall, times from its beginning."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from pennon.journeys.hops import Hop, detail_of
from pennon.journeys.journey import Journey, in_ms, in_order


def waterfall(journey: Journey) -> dict[str, Any]:
    """The journey's summary and every hop: parents before children, those of one parent by their beginning."""
    summary = journey.summary
    hops = list(in_waterfall(in_order(journey)))
    began_ns = min(hop.began_ns for hop, _ in hops)
    return {
        "trace_id": summary.trace_id,
        "correlation_id": summary.correlation_id,
        "request_id": summary.request_id,
        "user": summary.user,
        "began_ms": summary.began_ms,
        "duration_ms": summary.duration_ms,
        "error_count": summary.error_count,
        "is_cut": summary.is_cut,
        "hops": [_row(hop, depth, began_ns) for hop, depth in hops],
    }


def in_waterfall(hops: list[Hop]) -> Iterator[tuple[Hop, int]]:
    """Each hop once with its depth. hops: by their beginning.

    A hop whose parent is not here (it has not arrived, or was never sent) stands as a root. So does the first of a
    circle, which only a hostile sender makes.
    """
    here = {hop.span_id for hop in hops}
    children: defaultdict[str | None, list[Hop]] = defaultdict(list)
    for hop in hops:
        children[hop.parent_span_id if hop.parent_span_id in here else None].append(hop)
    seen: set[str] = set()
    for root in (*children[None], *hops):
        waiting = [(root, 0)]
        while waiting:
            hop, depth = waiting.pop()
            if hop.span_id in seen:
                continue
            seen.add(hop.span_id)
            yield hop, depth
            waiting.extend((child, depth + 1) for child in reversed(children[hop.span_id]))


def _row(hop: Hop, depth: int, began_ns: int) -> dict[str, Any]:
    detail = detail_of(hop)
    return {
        "span_id": hop.span_id,
        "parent_span_id": hop.parent_span_id,
        "depth": depth,
        "service": hop.service,
        "name": detail.name,
        "kind": detail.kind,
        "start_ms": in_ms(hop.began_ns - began_ns),
        "duration_ms": in_ms(hop.ended_ns - hop.began_ns),
        "status": detail.status,
        "status_message": detail.status_message,
        "headers": detail.headers,
        "identity": detail.identity,
        "deadline_left_ms": detail.deadline_left_ms,
        "is_late": detail.is_late,
        "decisions": [
            {
                "flag": decided.flag,
                "variant": decided.variant,
                "reason": decided.reason,
                "how": decided.how,
                "other": decided.other,
                "unmet": decided.unmet,
                "at_ms": in_ms(decided.at_ns - began_ns),
            }
            for decided in detail.decisions
        ],
        "uncounted": detail.uncounted,
        "attributes": detail.attributes,
    }
