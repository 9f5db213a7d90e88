"""The calls of OpenTelemetry's API; imported only where it is installed, and only by `spans`."""

import os
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import Token
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from opentelemetry import baggage, context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.environment_variables import OTEL_PYTHON_TRACER_PROVIDER
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState

from pennon import ambient, counters
from pennon.context import Answer, Decision, Member, SpanId, Trace, TraceId
from pennon.otel.spans import SILENT, Attributes, AttributeValue, Span, server_name

if TYPE_CHECKING:
    from pennon.headers import Report

SCOPE: Final = "pennon"

# A stranger chooses the names of the headers it sends; this bounds what they can put on a span.
NOTED_LIMIT_COUNT: Final = 64

# What our propagator found, members of ours and all properties included: context key -> tuple of Member.
ARRIVED: Final = context.create_key("pennon-arrived")

# RFC 9110 §5.6.2: a baggage key; OpenTelemetry's baggage takes any text.
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

_KINDS: Final[Mapping[str, SpanKind]] = SpanKind.__members__

# Whether the environment names a provider that OpenTelemetry loads when it is first asked for one. Not once that has
# failed: it would try again, and log it, at every request.
_is_named = OTEL_PYTHON_TRACER_PROVIDER in os.environ
# The provider can be set after the first door has opened, and tests replace it: the tracer is kept per provider,
# because making one costs the SDK more than a span does.
_tracer: tuple[trace.TracerProvider, trace.Tracer] | None = None
# Where the counters have gone. Under this name: to the global provider as it was then. As long as nobody has set one it
# is the API's own, which hands on what it was asked for to the one that is set later.
_EVERYBODYS: Final = "everybody's"
_exported: Final[dict[object, object]] = {}


def has_sdk() -> bool:
    """Whether spans would be more than silent."""
    global _is_named
    # Nobody has set a provider. The public way to ask looks into the environment each time, which costs as much as a
    # call's headers do; where the API keeps its provider elsewhere, we ask all the same.
    if not _is_named and getattr(trace, "_TRACER_PROVIDER", trace) is None:
        return False
    try:
        provider = trace.get_tracer_provider()
    except Exception:  # noqa: BLE001 - a provider's constructor raises what it likes; OpenTelemetry has logged it
        _is_named = False
        return False
    return not isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider)


def start(
    name: str, kind: str, attributes: Attributes, *, remote: Trace | None = None, links: Sequence[Trace] = ()
) -> Span:
    """A span, not yet current; silent if no SDK is set up. remote: None = the parent is the span current here."""
    tracer = _tracer_here()
    if tracer is None:
        return SILENT
    parent = None if remote is None else _parent_of(remote)
    linked = [Link(span_context_of(link, link.span_id)) for link in links]
    return LiveSpan(tracer.start_span(name, parent, _KINDS[kind], attributes, linked))


class LiveSpan(Span):
    """A span of OpenTelemetry's, current within its `with`."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token: Token[Context] | None = None

    @property
    def trace(self) -> Trace | None:
        return trace_of(self._span)

    def note(self, report: "Report") -> None:
        _note(self._span, report)

    def attribute(self, key: str, value: AttributeValue) -> None:
        self._span.set_attribute(key, value)

    def routed(self, method: str, route: str) -> None:
        self._span.update_name(server_name(method, route))
        self._span.set_attribute("http.route", route)

    def fail(self, error_type: str) -> None:
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(StatusCode.ERROR)

    def __enter__(self) -> Self:
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            context.detach(self._token)
        # Cancellation and shutdown are no failures of the operation.
        if isinstance(error, Exception):
            if self._span.is_recording():
                self._span.record_exception(error, _said_by(error))
            self.fail(_name_of(type(error)))
        self._span.end()


def _said_by(error: Exception) -> Attributes:
    """Message and traceback without headers and secrets that somebody wrote into them."""
    # Looked up at the first failure: a service that has none does without its rules.
    from pennon.headers.redaction import safe_text

    return {
        "exception.message": safe_text(str(error)),
        "exception.stacktrace": safe_text("".join(traceback.format_exception(error))),
    }


def record_decision(decision: Decision | Answer, unmet: str | None) -> None:
    span = trace.get_current_span()
    if not span.is_recording():
        return
    answer = decision.answer if isinstance(decision, Decision) else decision
    attributes: dict[str, AttributeValue] = {
        "feature_flag.key": answer.flag,
        "feature_flag.provider.name": SCOPE,
        "feature_flag.result.reason": answer.reason.value.lower(),
    }
    if answer.variant is not None:
        attributes["feature_flag.result.variant"] = answer.variant
    if isinstance(decision, Decision):
        attributes["feature_flag.set.id"] = decision.scope.environment.key
        attributes["feature_flag.version"] = f"{decision.scope.epoch}.{decision.revision}"
        if _is_about_another(decision):
            attributes["pennon.unit.other"] = decision.scope.unit_kind
    if unmet is not None:
        attributes["pennon.prerequisite.unmet"] = unmet
    if answer.error is not None:
        attributes["error.type"] = answer.error.value.lower()
    span.add_event("feature_flag.evaluation", attributes)


def _is_about_another(decision: Decision) -> bool:
    """Whether the request has a unit of the kind, and the decision is about another: somebody it is work for."""
    request = ambient.current()
    own = None if request is None else request.identity.units.get(decision.scope.unit_kind)
    return own is not None and decision.unit_key not in (None, own)


def note_here(report: "Report", extra: Attributes) -> None:
    span = trace.get_current_span()
    if span.is_recording():
        _note(span, report)
        span.set_attributes(extra)


def attribute_here(key: str, value: AttributeValue) -> None:
    trace.get_current_span().set_attribute(key, value)


def is_idle() -> bool:
    return not has_sdk() and not context.get_current()


def current_trace() -> Trace | None:
    return trace_of(trace.get_current_span())


def current_baggage() -> tuple[Member, ...]:
    return members_in(context.get_current())


def members_in(where: Context) -> tuple[Member, ...]:
    """The baggage of a context: what arrived through our propagator and still stands, then what was set since.

    OpenTelemetry's baggage holds values only; members that arrived keep their properties as long as nobody changes
    them. Ours never stand in it. What could not stand in a header is left out.
    """
    entries = baggage.get_all(where)
    arrived = context.get_value(ARRIVED, where)
    kept = [
        member
        for member in (arrived if isinstance(arrived, tuple) else ())
        if is_ours(member) or entries.get(member.key) == member.value
    ]
    known = {member.key for member in kept}
    set_here = [Member(key, value) for key, value in entries.items() if key not in known and isinstance(value, str)]
    return (*kept, *(member for member in set_here if not is_ours(member) and _TOKEN.fullmatch(member.key)))


def is_ours(member: Member) -> bool:
    """Whether the member is pennon's."""
    return member.key.startswith(SCOPE)


def outbound(*, is_silenced: bool) -> AbstractContextManager[None]:
    inside = _without_baggage()
    if is_silenced:
        # The API has no public name for it yet; its own instrumentations import this one.
        inside = context.set_value(context._SUPPRESS_HTTP_INSTRUMENTATION_KEY, True, inside)  # noqa: SLF001, FBT003
    return _attached(inside)


def without_baggage() -> AbstractContextManager[None]:
    return _attached(_without_baggage())


def export_counters(provider: metrics.MeterProvider | None) -> None:
    if provider is None:
        if _EVERYBODYS in _exported:
            return
        provider = _exported[_EVERYBODYS] = _everybodys()
    elif provider is _everybodys() and _exported.get(_EVERYBODYS) is not None:
        return
    if provider is None or not _is_first(provider):
        return
    meter = provider.get_meter(SCOPE)
    for name in counters.Count:
        callback: Callable[[CallbackOptions], Iterable[Observation]] = partial(_readings, name)
        meter.create_observable_counter(name.value, [callback])


def trace_of(span: trace.Span) -> Trace | None:
    """Where a span stands; None for the invalid one. Its parent is not known here."""
    where = span.get_span_context()
    if not where.is_valid:
        return None
    trace_id, span_id = trace.format_trace_id(where.trace_id), trace.format_span_id(where.span_id)
    return Trace(TraceId(trace_id), SpanId(span_id), None, int(where.trace_flags), where.trace_state.to_header())


def span_context_of(where: Trace, span_id: str) -> SpanContext:
    """OpenTelemetry's form of a trace, standing at span_id of it."""
    state = TraceState.from_header([where.state]) if where.state else TraceState()
    return SpanContext(int(where.trace_id, 16), int(span_id, 16), True, TraceFlags(where.flags), state)  # noqa: FBT003


def _without_baggage() -> Context:
    """The context here, with neither baggage nor members that arrived."""
    return context.set_value(ARRIVED, (), baggage.clear())


@contextmanager
def _attached(inside: Context) -> Iterator[None]:
    token = context.attach(inside)
    try:
        yield
    finally:
        context.detach(token)


def _name_of(error: type[BaseException]) -> str:
    """Its fully qualified name, as the SDK writes it on the exception's event."""
    return error.__qualname__ if error.__module__ == "builtins" else f"{error.__module__}.{error.__qualname__}"


def _tracer_here() -> trace.Tracer | None:
    global _tracer
    if not has_sdk():
        return None
    provider = trace.get_tracer_provider()
    if _tracer is None or _tracer[0] is not provider:
        _tracer = (provider, provider.get_tracer(SCOPE))
    return _tracer[1]


def _parent_of(where: Trace) -> Context:
    """A context that holds the remote parent alone: what is current in this process is not the caller's."""
    if where.parent_span_id is None:
        return Context()
    return trace.set_span_in_context(NonRecordingSpan(span_context_of(where, where.parent_span_id)), Context())


def _note(span: trace.Span, report: "Report") -> None:
    dropped = report.dropped[:NOTED_LIMIT_COUNT]
    span.set_attribute("pennon.headers.took", report.took[:NOTED_LIMIT_COUNT])
    span.set_attribute("pennon.headers.added", report.added[:NOTED_LIMIT_COUNT])
    span.set_attribute("pennon.headers.dropped", [drop.name for drop in dropped])
    span.set_attribute("pennon.headers.drop_reasons", [drop.reason.value for drop in dropped])


def _everybodys() -> metrics.MeterProvider | None:
    """The global provider; None if the environment names one that cannot be loaded."""
    try:
        return metrics.get_meter_provider()
    except Exception:  # noqa: BLE001 - a provider's constructor raises what it likes; OpenTelemetry has logged it
        return None


def _is_first(place: object) -> bool:
    """Whether nobody has exported there before now; of several threads one is told so."""
    mine = object()
    return _exported.setdefault(place, mine) is mine


def _readings(name: counters.Count, _options: CallbackOptions) -> Iterable[Observation]:
    for sample in counters.samples():
        if sample.name is name:
            yield Observation(sample.total, {"cause": sample.cause} if sample.cause else {})
