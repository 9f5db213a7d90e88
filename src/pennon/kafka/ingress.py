"""Consuming: a record's headers become the request context of its handler."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from pennon import ambient
from pennon.carry import arrive
from pennon.context import Identity, RequestContext, Trace
from pennon.counters import Count, count
from pennon.headers import ENTROPY_BYTES, Boundary, Contract, Inbound
from pennon.kafka.carrier import Record, read
from pennon.otel import process_span

_NOBODY: Final = Identity()


@contextmanager
def process(
    record: Record, contract: Contract, *, boundary: Boundary, replay: bool = False
) -> Iterator[RequestContext]:
    """Handle one record in the block: evaluations in it answer as was decided, records produced in it carry on.

    record: a `confluent_kafka.Message`. Whatever its headers hold, reading them raises nothing; what was not usable is
    counted and stands on the span.
    boundary: `mesh()` trusts the topic as a whole, since its access rules say who may write to it; with `verify=` that
    is asked with an `Inbound` whose `source` is the record, and a record it refuses is a stranger's, whose identity is
    not asked. `public()` trusts nobody.
    replay: the record is processed again on purpose; its decisions never count as exposures, here and downstream.
    """
    topic = record.topic() or ""
    headers = read(record)
    inbound = Inbound(address=None, method=None, path=None, topic=topic, headers=headers, source=record)
    is_trusted = not boundary.is_public and (boundary.verify is None or boundary.verify(inbound))
    arrival = arrive(
        contract,
        headers,
        is_trusted=is_trusted,
        identity=_identity_of(inbound, boundary, is_trusted=is_trusted),
        entropy=os.urandom(ENTROPY_BYTES),
        is_replay=replay,
        takes_override=boundary.is_public,
    )
    for drop in arrival.report.dropped:
        count(Count.HEADERS_DROPPED, drop.reason)
    for fault in arrival.group_faults:
        count(Count.CARRY_GROUPS_DROPPED, fault)
    span = process_span(
        topic,
        trace=arrival.context.trace,
        link=arrival.stranger_trace,
        partition=record.partition(),
        offset=record.offset(),
        conversation_id=arrival.context.correlation_id,
    )
    with span, ambient.entered(_standing_at(span.trace, arrival.context)) as context:
        span.note(arrival.report)
        yield context


def _identity_of(inbound: Inbound, boundary: Boundary, *, is_trusted: bool) -> Identity:
    """Who it is for. A mesh boundary's callable believes its callers, so it is not asked about one that is none."""
    if boundary.identity is None or not (is_trusted or boundary.is_public):
        return _NOBODY
    return boundary.identity(inbound)


def _standing_at(span: Trace | None, context: RequestContext) -> RequestContext:
    """The context, standing where the span does; a span does not tell its parent, the record did."""
    if span is None:
        return context
    trace = msgspec.structs.replace(span, parent_span_id=context.trace.parent_span_id)
    return msgspec.structs.replace(context, trace=trace)
