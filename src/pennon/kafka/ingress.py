"""Consuming: a record's headers become the request context of its handler."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pennon import ambient
from pennon.carry import arrive
from pennon.context import RequestContext
from pennon.counters import count_arrival
from pennon.headers import ENTROPY_BYTES, Boundary, Contract, Inbound
from pennon.kafka.carrier import PlainRecord, Record, received
from pennon.otel import process_span


@contextmanager
def process(
    record: Record | PlainRecord, contract: Contract, *, boundary: Boundary, replay: bool = False
) -> Iterator[RequestContext]:
    """Handle one record in the block: evaluations in it answer as was decided, records produced in it carry on.

    record: a `confluent_kafka.Message` or an `aiokafka.ConsumerRecord`. Whatever its headers hold, reading them raises
    nothing; what was not usable is counted and stands on the span.
    boundary: `mesh()` trusts the topic as a whole, since its access rules say who may write to it; with `verify=` that
    is asked with an `Inbound` whose `source` is the record, and a record it refuses is a stranger's, whose identity is
    not asked. `public()` trusts nobody.
    replay: the record is processed again on purpose; its decisions never count as exposures, here and downstream.
    """
    found = received(record)
    inbound = Inbound(address=None, method=None, path=None, topic=found.topic, headers=found.headers, source=record)
    is_trusted = boundary.believes(inbound, unasked=True)
    arrival = arrive(
        contract,
        found.headers,
        is_trusted=is_trusted,
        identity=boundary.identity_of(inbound, is_trusted=is_trusted),
        entropy=os.urandom(ENTROPY_BYTES),
        is_replay=replay,
        takes_override=boundary.is_public,
    )
    count_arrival(arrival)
    span = process_span(
        found.topic,
        trace=arrival.context.trace,
        link=arrival.stranger_trace,
        partition=found.partition,
        offset=found.offset,
        conversation_id=arrival.context.correlation_id,
    )
    with span, ambient.entered(span.placing(arrival.context)) as context:
        span.note(arrival.report)
        yield context
