"""Producing: what of the request context goes with a record, by the contract's word on its topic."""

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from msgspec import structs

from pennon import ambient
from pennon.carry import Departure, depart
from pennon.context import Identity, RequestContext
from pennon.counters import count_departure
from pennon.headers import Contract
from pennon.headers.business import ids_to_leave_out
from pennon.kafka.carrier import HeaderValue, RecordHeaders, as_bytes, replaced
from pennon.otel import SILENT, Span, export_counters, is_recording, producer_span
from pennon.signing import ContextSigner

_TRACE: Final = frozenset({b"traceparent", b"tracestate"})
_NOBODY: Final = Identity()
# Who is told of a delivery: by name, or behind value, key and partition (SerializingProducer: key and value).
_TOLD: Final = ("on_delivery", "callback")
_TOLD_FROM: Final = 3


class Carrier:
    """What the wrappers of producers have in common: how they send; the rest is the wrapped one's own."""

    def __init__(self, wrapped: Any, sending: "Sending") -> None:
        self._wrapped = wrapped
        self._sending = sending

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


# Apart from the wrappers: of a class with `__getattr__`, reading each attribute costs as much as a header.
class Sending:
    """How records are sent under a contract; decide, signer: as for `producer`."""

    __slots__ = ("_contract", "_decide", "_signer")

    def __init__(self, contract: Contract, decide: Callable[[], object] | None, signer: ContextSigner | None) -> None:
        self._contract = contract
        self._decide = decide
        self._signer = signer
        export_counters()

    def span(self, topic: str, partition: int | None, context: RequestContext | None) -> Span:
        """The span of a record's sending, after what was to be decided before it."""
        if (
            self._decide is not None
            and context is not None
            and self._contract.route(self._contract.downstream_for_topic(topic)).decisions
        ):
            self._decide()
        if not is_recording():
            return SILENT
        correlation_id = None if context is None else context.correlation_id
        return producer_span(topic, partition=partition, conversation_id=correlation_id)

    def leaving(
        self, topic: str, headers: RecordHeaders | None, span: Span, context: RequestContext | None
    ) -> list[tuple[str, HeaderValue]]:
        """The headers that a record leaves with. The caller's are not changed.

        Within a request, ours take the place of what a forwarded record brought. Outside one there is nothing to put in
        its place: a forwarded record goes on as it was decided. A topic that is not declared gets nothing of ours.
        """
        downstream = self._contract.downstream_for_topic(topic)
        signed = None
        if self._signer is not None and downstream is not None:
            signed = self._signer.signed(_NOBODY if context is None else context.identity, downstream.audience)
        trace = None if span is SILENT else span.trace
        outgoing = depart(self._contract, downstream, context, trace=trace, signed=signed)
        if self._contract.holds_business_id is not None:
            outgoing = _without_business_ids(outgoing, headers, self._contract.holds_business_id)
        if span is not SILENT:
            span.note(outgoing.report)
        if outgoing.report.dropped:
            count_departure(outgoing)
        # Over HTTP a traceparent to an undeclared host was set by hand; on a record it came with one forwarded.
        removed = outgoing.remove | _TRACE if downstream is None else outgoing.remove
        return replaced(headers, outgoing.report.added, outgoing.values, removed)


def _without_business_ids(
    outgoing: Departure, headers: RecordHeaders | None, holds_business_id: Callable[[str], object]
) -> Departure:
    """The same, without the ids that a record's author has set and that are not opaque."""
    lines = [(name.lower(), value) for name, value in as_bytes(headers) if value is not None]
    told = ids_to_leave_out(lines, holds_business_id, outgoing.remove)
    if not told:
        return outgoing
    report = structs.replace(outgoing.report, dropped=(*outgoing.report.dropped, *told))
    return structs.replace(outgoing, remove=outgoing.remove | {drop.name.encode() for drop in told}, report=report)


class CarryingProducer(Carrier):
    """A confluent-kafka producer whose records carry the request context."""

    def produce(self, topic: str, *arguments: Any, headers: RecordHeaders | None = None, **named: Any) -> Any:
        """As the wrapped producer's; headers: by name only, a list, tuple or dict, which is not changed.

        Whoever is to be told of the delivery is told in this request, not in that of whoever polls.
        """
        context = ambient.current()
        sending = self._sending
        if len(arguments) > _TOLD_FROM:
            arguments = (*arguments[:_TOLD_FROM], *map(_told_here, arguments[_TOLD_FROM:]))
        for name in _TOLD:
            if name in named:
                named[name] = _told_here(named[name])
        span = sending.span(topic, named.get("partition"), context)
        if span is SILENT:
            leaving = sending.leaving(topic, headers, span, context)
            return self._wrapped.produce(topic, *arguments, headers=leaving, **named)
        with span:
            leaving = sending.leaving(topic, headers, span, context)
            return self._wrapped.produce(topic, *arguments, headers=leaving, **named)

    def produce_batch(self, *_: Any, **__: Any) -> Any:
        """Refused: confluent-kafka's sends no headers at all, so what should be carried would be lost unseen."""
        raise NotImplementedError(
            "produce_batch() of confluent-kafka sends no headers; "
            "call produce() for each record, or produce_batch() of the producer that was wrapped"
        )

    def __len__(self) -> int:
        return len(self._wrapped)

    def __bool__(self) -> bool:
        # A producer with an empty queue is still there.
        return True

    def __enter__(self) -> Self:
        self._wrapped.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Any:
        return self._wrapped.__exit__(kind, error, traceback)


def _told_here(argument: Any) -> Any:
    """A callback that runs with a copy of the context variables of here; anything else as it is."""
    return partial(copy_context().run, argument) if callable(argument) else argument


def producer(
    producer: Any,
    contract: Contract,
    *,
    decide: Callable[[], object] | None = None,
    signer: ContextSigner | None = None,
) -> CarryingProducer:
    """The confluent-kafka producer, wrapped: its records carry trace, ids, baggage and decisions of the request.

    producer: a `confluent_kafka.Producer` or `SerializingProducer`, or whatever has their produce().
    decide: called within a request before a record that may carry decisions gets its headers, e.g.
        `flags.decide_at_publish`: what it decides, all consumers of the record agree on, however late.
    signer: signs whose work a record is, for topics that the contract gives an `audience`; outside a request nobody's.
    """
    return CarryingProducer(producer, Sending(contract, decide, signer))
