"""What pennon tells OpenTelemetry: spans of the doors, decisions, counters, and a propagator.

Here live names by the semantic conventions and the calls of OpenTelemetry's API. Spans are made by its SDK; what is
sampled and exported is not decided here, and neither is what a header may hold (`headers`) or which decisions travel
(`carry`). Everything but the propagator works, silently, without the API installed; it is imported on first use.
"""

from typing import TYPE_CHECKING, Any

from pennon.otel.spans import (
    SILENT,
    AttributeValue,
    Span,
    attribute_here,
    batch_span,
    client_span,
    current_baggage,
    current_trace,
    detached,
    export_counters,
    is_idle,
    is_recording,
    note_here,
    outbound,
    process_span,
    producer_span,
    record_decision,
    server_span,
)

if TYPE_CHECKING:
    from pennon.otel.propagator import PennonPropagator
    from pennon.otel.sanitizing import sanitize_fields

__all__ = [
    "SILENT",
    "AttributeValue",
    "PennonPropagator",
    "Span",
    "attribute_here",
    "batch_span",
    "client_span",
    "current_baggage",
    "current_trace",
    "detached",
    "export_counters",
    "is_idle",
    "is_recording",
    "note_here",
    "outbound",
    "process_span",
    "producer_span",
    "record_decision",
    "sanitize_fields",
    "server_span",
]


def __getattr__(name: str) -> Any:
    # The one class that needs OpenTelemetry's at its definition; importing this package must not.
    if name == "PennonPropagator":
        try:
            from pennon.otel.propagator import PennonPropagator
        except ModuleNotFoundError as missing:
            message = f"{missing.name} is missing; the propagator needs it: pip install 'pennon[otel]'"
            raise ModuleNotFoundError(message, name=missing.name) from missing

        return PennonPropagator
    # Called once, by whoever sets up a process; no door waits for what it needs.
    if name == "sanitize_fields":
        from pennon.otel.sanitizing import sanitize_fields

        return sanitize_fields
    raise AttributeError(name)
