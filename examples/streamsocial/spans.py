"""Spans over OTLP/HTTP, to the journeys page or to any collector: whatever OTEL_EXPORTER_OTLP_ENDPOINT names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

# OpenTelemetry's 5 s are for machines; here people watch.
SCHEDULE_MS = 200
# An endpoint that does not answer must not hold up the end of a service for longer.
EXPORT_TIMEOUT_S = 2


@contextmanager
def recorded(service: str) -> Iterator[None]:
    """Send the spans of this process; those that wait leave at the end. Without an endpoint there are none."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": service}))
    exporter = OTLPSpanExporter(timeout=EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=SCHEDULE_MS))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def mark_user(user: str) -> None:
    """Whose journey it is, so that it can be found by user."""
    trace.get_current_span().set_attribute("enduser.id", user)
