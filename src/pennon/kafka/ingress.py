"""Consuming: a record's headers become the request context of its handler."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

import msgspec
from msgspec import structs

from pennon import ambient
from pennon.carry import Arrival, arrive
from pennon.clock import SYSTEM_CLOCK, Clock
from pennon.context import ActorType, RequestContext
from pennon.counters import count_arrival, count_values
from pennon.entropy import draw_entropy
from pennon.headers import Boundary, Contract, Headers, Inbound
from pennon.headers.signed import outlived
from pennon.kafka.carrier import PlainRecord, Record, headers_of, place_of, produced_ms
from pennon.otel import SILENT, is_recording, process_span

# As long as a signed context lives unless its signer says otherwise: whoever asked has gone by then.
ACTOR_TTL_S: Final = 300.0

# Its own name, because looking a member up in its enum costs as much as a header.
_SYSTEM: Final = ActorType.SYSTEM
_S_MS: Final = 1_000
_MS_NS: Final = 1_000_000


def process(
    record: Record | PlainRecord,
    contract: Contract,
    *,
    boundary: Boundary,
    replay: bool = False,
    actor_ttl_s: float = ACTOR_TTL_S,
    group: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> AbstractContextManager[RequestContext]:
    """Handle one record in the block: evaluations in it answer as was decided, records produced in it carry on.

    record: a `confluent_kafka.Message` or an `aiokafka.ConsumerRecord`. Whatever its headers hold, reading them raises
    nothing; what was not usable is counted and stands on the span.
    boundary: `mesh()` trusts the topic as a whole, since its access rules say who may write to it; with `verify=` that
    is asked with an `Inbound` whose `source` is the record, and a record it refuses is a stranger's, whose identity is
    not asked. `public()` trusts nobody.
    replay: the record is processed again on purpose; its decisions never count as exposures, here and downstream.
    actor_ttl_s: for so long after the record was produced an actor whom identity headers name is who acts. Later, in a
    replay, and where nobody knows when that was, it is `system:<contract's name>` on behalf of that actor; the tenant
    stays. What the boundary's `identity` says is left as it is.
    group: the consumer's, for the span.
    """
    return Processing(record, Reading(contract, boundary, replay, actor_ttl_s, clock), group)


class Reading(msgspec.Struct, frozen=True):
    """How records are read; as for `process`."""

    contract: Contract
    boundary: Boundary
    is_replay: bool
    actor_ttl_s: float
    clock: Clock


class Processing:
    """The block of one record, in a span of its own."""

    __slots__ = ("_group", "_ledger", "_reading", "_record", "_span", "_token")

    def __init__(self, record: Record | PlainRecord, reading: Reading, group: str | None) -> None:
        self._record = record
        self._reading = reading
        self._group = group

    def __enter__(self) -> RequestContext:
        arrival = arrived(self._record, headers_of(self._record), self._reading)
        self._span = SILENT
        context = self._in_span(arrival) if is_recording() else arrival.context
        # As `ambient.entered` does, in this frame.
        self._token = ambient.CURRENT.set(context)
        self._ledger = context.ledger
        return context

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            # In this order, as `ambient.entered` says.
            self._ledger.seal()
            ambient.CURRENT.reset(self._token)
        finally:
            if self._span is not SILENT:
                self._span.__exit__(kind, error, traceback)

    def _in_span(self, arrival: Arrival) -> RequestContext:
        """The context, standing in a span that begins with this."""
        # Imported here: nobody pays for it who makes no spans.
        from pennon.logs.spans import whose

        context, place = arrival.context, place_of(self._record)
        self._span = span = process_span(
            place.topic,
            trace=context.trace,
            link=arrival.stranger_trace,
            partition=place.partition,
            offset=place.offset,
            group=self._group,
            conversation_id=context.correlation_id,
        )
        span.note(arrival.report)
        for name, said in whose(self._reading.contract, context).items():
            span.attribute(name, said)
        context = span.placing(context)
        span.__enter__()
        return context


def arrived(record: Record | PlainRecord, headers: Headers, reading: Reading) -> Arrival:
    """What a record says, as far as its sender is believed; what it lost is counted. headers: its own."""
    contract, boundary = reading.contract, reading.boundary
    is_trusted, identity = not boundary.is_public, None
    if boundary.verify is not None or boundary.identity is not None:
        inbound = Inbound(
            address=None,
            method=None,
            path=None,
            topic=place_of(record).topic,
            headers=headers,
            source=record,
            service=contract.name,
        )
        is_trusted = boundary.believes(inbound, unasked=True)
        identity = boundary.identity_of(inbound, is_trusted=is_trusted)
    arrival = arrive(
        contract,
        headers,
        is_trusted=is_trusted,
        identity=identity,
        entropy=draw_entropy(),
        is_replay=reading.is_replay,
        takes_override=boundary.is_public,
        is_record=True,
    )
    count_arrival(arrival)
    context = arrival.context
    if contract.priorities.has_crowds:
        count_values(context.baggage, contract.priorities)
    if boundary.identity is None and context.identity.actor is not None and _has_left(record, context, reading):
        identity = outlived(context.identity, contract.name)
        return structs.replace(arrival, context=structs.replace(context, identity=identity))
    return arrival


def _has_left(record: Record | PlainRecord, context: RequestContext, reading: Reading) -> bool:
    """Whether the actor whom headers name acts no more. A system never leaves."""
    if context.identity.actor_type is _SYSTEM:
        return False
    began_ms = None if context.is_replay else produced_ms(record)
    if began_ms is None:
        return True
    return reading.clock.now_ns() // _MS_NS - began_ms > reading.actor_ttl_s * _S_MS
