"""Our codecs as a propagator of OpenTelemetry's: `OTEL_PROPAGATORS=pennon`.

For services that let OpenTelemetry's instrumentations carry the context. It reads and writes W3C trace context and
baggage as `headers` does: strictly, with member properties kept, a plus staying a plus, and every line of a repeated
header read. Members of ours pass through untouched and stay out of OpenTelemetry's baggage. It knows no boundary and no
downstream: it takes from whom it is asked to, and gives to whoever is called. Decisions made here leave through a door
(`http`, `kafka`), never through this.
"""

from opentelemetry import baggage, context, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace import NonRecordingSpan

from pennon.context import Trace
from pennon.headers import (
    fit_tracestate,
    format_baggage,
    format_traceparent,
    format_tracestate,
    parse_baggage,
    parse_traceparent,
    parse_tracestate,
)
from pennon.otel._live import ARRIVED, is_ours, members_in, span_context_of, trace_of

_TRACEPARENT = "traceparent"
_TRACESTATE = "tracestate"
_BAGGAGE = "baggage"


class PennonPropagator(TextMapPropagator):
    """W3C trace context (level 2) and baggage, by pennon's codecs. Raises for no header, whatever it holds."""

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """The context with the carrier's remote span and baggage in it; as it was where they are missing or invalid."""
        into = _or_current(context)
        remote = _remote(_lines(carrier, _TRACEPARENT, getter), _lines(carrier, _TRACESTATE, getter))
        if remote is not None:
            span = NonRecordingSpan(span_context_of(remote, remote.span_id))
            into = trace.set_span_in_context(span, into)
        lines = _lines(carrier, _BAGGAGE, getter)
        return _with_baggage(lines, into) if lines else into

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Write the context's span and baggage; of what is not there nothing is written and nothing removed."""
        source = _or_current(context)
        here = trace_of(trace.get_current_span(source))
        if here is not None:
            setter.set(carrier, _TRACEPARENT, format_traceparent(here.trace_id, here.span_id, here.flags).decode())
            if here.state:
                setter.set(carrier, _TRACESTATE, here.state)
        members = members_in(source)
        if members:
            setter.set(carrier, _BAGGAGE, format_baggage(members).decode())

    @property
    def fields(self) -> set[str]:
        """The names that `inject` writes."""
        return {_TRACEPARENT, _TRACESTATE, _BAGGAGE}


def _or_current(given: Context | None) -> Context:
    return context.get_current() if given is None else given


def _lines(carrier: CarrierT, name: str, getter: Getter[CarrierT]) -> list[bytes]:
    # Getters decode as they like; whatever is not ASCII cannot be valid, and must not raise.
    return [str(line).encode("utf-8", "replace") for line in getter.get(carrier, name) or ()]


def _remote(parents: list[bytes], states: list[bytes]) -> Trace | None:
    if len(parents) != 1:
        return None
    parent = parse_traceparent(parents[0])
    if parent is None:
        return None
    state = format_tracestate(fit_tracestate(parse_tracestate(states).members).members) if states else ""
    return Trace(parent.trace_id, parent.parent_id, None, parent.flags, state)


def _with_baggage(lines: list[bytes], into: Context) -> Context:
    members = parse_baggage(lines).members
    for member in members:
        if not is_ours(member):
            into = baggage.set_baggage(member.key, member.value, into)
    return context.set_value(ARRIVED, members, into)
