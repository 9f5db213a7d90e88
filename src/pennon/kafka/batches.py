"""Consuming many records at once: one span for all of them, a request context for each."""

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from pennon import ambient
from pennon.clock import SYSTEM_CLOCK, Clock
from pennon.context import RequestContext, Trace
from pennon.headers import Boundary, Contract, Headers, parse_traceparent
from pennon.kafka.carrier import PlainRecord, Record, headers_of, place_of
from pennon.kafka.ingress import ACTOR_TTL_S, Reading, arrived
from pennon.otel import SILENT, Span, batch_span, is_recording

_TRACEPARENT = b"traceparent"

RecordT = TypeVar("RecordT", bound=Record | PlainRecord)


def batch(
    records: Sequence[RecordT] | Mapping[Any, Sequence[RecordT]],
    contract: Contract,
    *,
    boundary: Boundary,
    replay: bool = False,
    actor_ttl_s: float = ACTOR_TTL_S,
    group: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> "Batch[RecordT]":
    """Handle the records of one `consume()` of confluent-kafka, or of one `getmany()` of aiokafka.

        with batch(consumer.consume(500, 1.0), contract, boundary=mesh()) as records:
            for record, handling in records:
                with handling as context:
                    ...

    Each record has a context of its own, read when its block is entered: in any order, one after the other or in tasks.
    The span of all, `process {topic}`, is linked to every record's producer; for no records there is none. What
    consume() returned in place of a record is in `failed`, not among the records.
    boundary, replay, actor_ttl_s, group: as for `process`.
    """
    return Batch(records, Reading(contract, boundary, replay, actor_ttl_s, clock), group)


class Batch(Generic[RecordT]):
    """Records that are processed together. failed: the events of an error that came with them."""

    def __init__(
        self, records: Sequence[RecordT] | Mapping[Any, Sequence[RecordT]], reading: Reading, group: str | None
    ) -> None:
        if isinstance(records, Mapping):
            records = [record for several in records.values() for record in several]
        self._records = [record for record in records if not _is_error(record)]
        self.failed = tuple(record for record in records if _is_error(record))
        self._reading = reading
        self._group = group
        self._span: Span = SILENT

    def __enter__(self) -> Self:
        found = [headers_of(record) for record in self._records]
        if found and is_recording():
            self._span = _span_of(self._records, found, self._group)
        self._span.__enter__()
        self._handlings = [
            Handling(record, each, self._reading, self._span) for record, each in zip(self._records, found, strict=True)
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._span.__exit__(kind, error, traceback)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> "Iterator[tuple[RecordT, Handling]]":
        """Each record, in the order in which they came, and the block in which it is handled."""
        return zip(self._records, self._handlings, strict=True)


class Handling:
    """The block of one record of a batch, in the span of all."""

    __slots__ = ("_entered", "_headers", "_reading", "_record", "_span")

    def __init__(self, record: Record | PlainRecord, headers: Headers, reading: Reading, span: Span) -> None:
        self._record = record
        self._headers = headers
        self._reading = reading
        self._span = span

    def __enter__(self) -> RequestContext:
        arrival = arrived(self._record, self._headers, self._reading)
        self._entered = ambient.entered(self._span.placing(arrival.context))
        return self._entered.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, traceback)


def _is_error(record: Record | PlainRecord) -> bool:
    """Whether it is no record: confluent-kafka's consume() says so by what it returns among them."""
    return callable(record.topic) and record.error() is not None


def _span_of(records: Sequence[Record | PlainRecord], found: Sequence[Headers], group: str | None) -> Span:
    places = [place_of(record) for record in records]
    first = places[0]
    is_one_topic = all(each.topic == first.topic for each in places)
    is_one_partition = is_one_topic and all(each.partition == first.partition for each in places)
    return batch_span(
        first.topic if is_one_topic else None,
        message_count=len(records),
        links=[link for each in found if (link := _producer_of(each)) is not None],
        partition=first.partition if is_one_partition else None,
        group=group,
    )


def _producer_of(headers: Headers) -> Trace | None:
    """The span that a record names, to link to; what is linked is not obeyed, whoever wrote it."""
    values = [value for name, value in headers if value is not None and name.lower() == _TRACEPARENT]
    parent = parse_traceparent(values[0]) if len(values) == 1 else None
    return None if parent is None else Trace(parent.trace_id, parent.parent_id, None, parent.flags, "")
