"""Spans, decisions and counters, whether OpenTelemetry is there or not.

Without its API, or with the API and no SDK, every span is one shared silent object, and nothing is imported twice.
One span per operation; names and attributes are those of the semantic conventions 1.44 (HTTP stable, messaging and
feature flags as published).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Final, Self

from msgspec import structs

from pennon import ambient
from pennon.context import Answer, Decision, Member, RequestContext, Trace

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from pennon.headers import Report

AttributeValue = str | bool | int | float | Sequence[str]
Attributes = Mapping[str, AttributeValue]

# The semantic conventions' list; another method is counted as _OTHER, so that a caller cannot invent span names. The
# variable, whose name is theirs too, replaces it: names with commas between, of this case.
_KNOWN_METHODS: Final = "CONNECT,DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT,QUERY,TRACE"
_METHODS_VARIABLE: Final = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"
_METHODS: Final = frozenset(filter(None, map(str.strip, os.environ.get(_METHODS_VARIABLE, _KNOWN_METHODS).split(","))))
_NOTHING: Final[Attributes] = {}


class Span:
    """One span of a door, entered with `with`; this base is the silent one."""

    __slots__ = ()

    @property
    def trace(self) -> Trace | None:
        """Where the span stands; None if it is silent."""
        return None

    def placing(self, context: RequestContext) -> RequestContext:
        """The context, standing where the span stands; its parent stays, as far as the span continues its trace."""
        here = self.trace
        if here is None:
            return context
        is_continued = here.trace_id == context.trace.trace_id
        parent = context.trace.parent_span_id if is_continued else None
        return structs.replace(context, trace=structs.replace(here, parent_span_id=parent))

    def note(self, report: "Report") -> None:
        """Say what a crossing took, added and dropped: names, never values."""

    def attribute(self, key: str, value: AttributeValue) -> None:
        """Set one attribute."""

    def routed(self, method: str, route: str) -> None:
        """Say by which route a request is served, which becomes known late; e.g. "/users/{id}"."""

    def fail(self, error_type: str) -> None:
        """Mark it as failed; error_type: of low cardinality, e.g. "500" or a class with its module."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None


SILENT: Final = Span()

_live: ModuleType | None = None
_is_looked_up = False


def _api() -> ModuleType | None:
    """The module that talks to OpenTelemetry, or None where its API is not installed."""
    global _live, _is_looked_up
    if not _is_looked_up:
        try:
            from pennon.otel import _live as live
        except ImportError:
            _live = None
        else:
            _live = live
        _is_looked_up = True
        # Here, because a record's door is made anew with each record, which must not ask each time.
        export_counters()
    return _live


def _sdk() -> ModuleType | None:
    """The same, but None also where no SDK is set up, so that nothing is put together for a silent span."""
    live = _api()
    return live if live is not None and live.has_sdk() else None


def server_span(
    method: str, *, path: str, scheme: str, trace: Trace | None, link: Trace | None = None, extra: Attributes = _NOTHING
) -> Span:
    """The span of one request served.

    trace: the hop's own; its parent_span_id becomes the parent, None there begins a new trace.
    link: the caller's span where the trace was begun anew on purpose.
    extra: further attributes, e.g. server.address. The query is left out: it may hold anything.
    """
    live = _sdk()
    if live is None:
        return SILENT
    attributes = {**_method_attributes(method), "url.path": path, "url.scheme": scheme, **extra}
    span: Span = live.start(_method_name(method), "SERVER", attributes, remote=trace, links=_some(link))
    return span


def client_span(method: str, *, url: str, host: str, port: int | None) -> Span:
    """The span of one request sent; its parent is the span current here. url: without user, password and query."""
    live = _sdk()
    if live is None:
        return SILENT
    attributes = {**_method_attributes(method), "url.full": url, "server.address": host}
    if port is not None:
        attributes["server.port"] = port
    span: Span = live.start(_method_name(method), "CLIENT", attributes)
    return span


def producer_span(topic: str, *, partition: int | None = None, conversation_id: str | None = None) -> Span:
    """The span of one record sent, `send {topic}`; its trace is what the record carries.

    partition: None, or less than 0: the producer chooses. conversation_id: the correlation id.
    """
    live = _sdk()
    if live is None:
        return SILENT
    chosen = partition if partition is not None and partition >= 0 else None
    attributes = _messaging("send", topic, partition=chosen, conversation_id=conversation_id)
    span: Span = live.start(f"send {topic}", "PRODUCER", attributes)
    return span


def process_span(
    topic: str,
    *,
    trace: Trace | None,
    link: Trace | None = None,
    partition: int | None = None,
    offset: int | None = None,
    group: str | None = None,
    conversation_id: str | None = None,
) -> Span:
    """The span of one record processed, `process {topic}`.

    trace: the hop's own; its parent_span_id, the producer's span, becomes the parent. A span that is already current
    (a poll's) is linked. link: the producer's span where the trace was begun anew on purpose.
    """
    live = _sdk()
    if live is None:
        return SILENT
    attributes = _messaging("process", topic, partition=partition, group=group, conversation_id=conversation_id)
    if offset is not None:
        attributes["messaging.kafka.offset"] = offset
    links = (*_some(link), *_some(live.current_trace()))
    span: Span = live.start(f"process {topic}", "CONSUMER", attributes, remote=trace, links=links)
    return span


def batch_span(
    topic: str | None,
    *,
    message_count: int,
    links: Sequence[Trace],
    partition: int | None = None,
    group: str | None = None,
) -> Span:
    """The span of several records processed together, `process {topic}`; each record's producer is linked.

    topic, partition: None where the records are of several. links: standing at the producers' spans.
    """
    live = _sdk()
    if live is None:
        return SILENT
    attributes = _messaging("process", topic, partition=partition, group=group)
    attributes["messaging.batch.message_count"] = message_count
    span: Span = live.start("process" if topic is None else f"process {topic}", "CONSUMER", attributes, links=links)
    return span


def is_recording() -> bool:
    """Whether spans are more than silent: whether it is worth gathering what one would say."""
    live = _live if _is_looked_up else _api()
    return live is not None and live.has_sdk()


def record_decision(decision: Decision | Answer, *, unmet: str | None = None) -> None:
    """Say on the span current here what was decided: an event `feature_flag.evaluation`.

    The variant stands in it, never the value and never the unit; only, by its kind, that it is another than the
    request's own. unmet: the flag that it needs and that did not answer as it must.
    """
    live = _api()
    if live is not None:
        live.record_decision(decision, unmet)


def note_here(report: "Report", extra: Attributes = _NOTHING) -> None:
    """Note a crossing and further attributes on the span current here: for doors around the spans of others."""
    live = _api()
    if live is not None:
        live.note_here(report, extra)


def attribute_here(key: str, value: AttributeValue) -> None:
    """Set one attribute on the span current here: of what is true of the work that it stands for."""
    live = _api()
    if live is not None:
        live.attribute_here(key, value)


def is_idle() -> bool:
    """Whether OpenTelemetry has no part here: its API is not there, or neither an SDK nor anything in its context.

    Then there is no span to make or to find, no baggage, and nothing to hide from hooks: no need to ask for each.
    """
    live = _live if _is_looked_up else _api()
    idle: bool = live is None or live.is_idle()
    return idle


def current_trace() -> Trace | None:
    """Where the span current here stands; None if there is none."""
    live = _api()
    if live is None:
        return None
    trace: Trace | None = live.current_trace()
    return trace


def current_baggage() -> tuple[Member, ...]:
    """OpenTelemetry's baggage here, in its order; values that are not text are left out."""
    live = _api()
    if live is None:
        return ()
    members: tuple[Member, ...] = live.current_baggage()
    return members


def outbound(*, is_silenced: bool) -> AbstractContextManager[None]:
    """Run a call to another process so that OpenTelemetry's own client hooks inside add no baggage to it.

    The context within has no baggage: a hook then leaves a `baggage` header that is already written as it is, where it
    would re-encode one that it finds in its context. is_silenced: the hooks do nothing at all; for a call that may not
    carry this trace either.
    """
    live = _api()
    if live is None:
        return nullcontext()
    block: AbstractContextManager[None] = live.outbound(is_silenced=is_silenced)
    return block


@contextmanager
def detached() -> Iterator[None]:
    """Leave the request for the block: for work that it begins and does not wait for.

    Within, and in tasks and threads begun there, `current()` is None: no decisions, baggage, ids or identity of the
    request, which goes on without noticing. OpenTelemetry's baggage is empty too; its span stays the current one, so
    that what is done here is found from the request's trace. Nests; at the end everything is as before.
    """
    live = _api()
    with ambient.detached(), nullcontext() if live is None else live.without_baggage():
        yield


def export_counters(provider: "MeterProvider | None" = None) -> None:
    """Export this process's counters as OpenTelemetry metrics `pennon.*`; to the same provider again does nothing.

    provider: None: the global one, or the one that is set as such later. That comes by itself: doors and clients call
    this when they are made.
    """
    live = _api()
    if live is not None:
        live.export_counters(provider)


def _some(trace: Trace | None) -> tuple[Trace, ...]:
    return () if trace is None else (trace,)


def server_name(method: str, route: str) -> str:
    """What a server span is called whose route is known."""
    return f"{_method_name(method)} {route}"


def _method_name(method: str) -> str:
    return method if method in _METHODS else "HTTP"


def _method_attributes(method: str) -> dict[str, AttributeValue]:
    if method in _METHODS:
        return {"http.request.method": method}
    return {"http.request.method": "_OTHER", "http.request.method_original": method[:32]}


def _messaging(
    operation: str,
    topic: str | None,
    *,
    partition: int | None = None,
    group: str | None = None,
    conversation_id: str | None = None,
) -> dict[str, AttributeValue]:
    """What spans of messaging say, as far as it is known. A record's key is left out: it may be somebody's id."""
    attributes: dict[str, AttributeValue] = {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
    }
    known = {
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": None if partition is None else str(partition),
        "messaging.consumer.group.name": group,
        "messaging.message.conversation_id": conversation_id,
    }
    attributes.update({key: value for key, value in known.items() if value is not None})
    return attributes
