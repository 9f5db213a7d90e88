"""What else in this environment touches headers: OpenTelemetry's propagators and instrumentations."""

import os
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, Final

from pennon.cli.propagation.clients import missing_clients
from pennon.cli.propagation.findings import Finding, Level

_VARIABLE: Final = "OTEL_PROPAGATORS"
# What OpenTelemetry sets where the variable says nothing.
_DEFAULT: Final = "tracecontext,baggage"
_TRACING: Final = frozenset({"tracecontext", "pennon"})

# Their records end at the stale parent, the handler gets no context, and bytes that are no text end the consumer.
_KAFKA: Final = frozenset({"confluent-kafka", "confluent_kafka", "aiokafka", "kafka", "kafka-python"})
_GROUP: Final = "opentelemetry_instrumentor"
_CLIENTS: Final = frozenset({"httpx", "requests", "urllib3", "aiohttp-client"})


def surroundings() -> Iterator[Finding]:
    """The findings, the propagators first."""
    yield _propagators()
    yield _sdk()
    if missing := missing_clients():
        yield Finding(Level.FINE, "HTTP clients", f"not installed, so not tried: {', '.join(missing)}")
    active: list[str] = []
    idle: list[str] = []
    for entry in sorted(entry_points(group=_GROUP), key=lambda each: each.name):
        is_active = _is_active(entry)
        (active if is_active else idle).append(entry.name)
        if entry.name in _KAFKA:
            said = "beside our Kafka doors it appends a second traceparent; uninstall it"
            level, is_there = (Level.BREAK, "active") if is_active else (Level.ADVICE, "installed")
            yield Finding(level, entry.name, f"its instrumentation is {is_there}: {said}")
    if active:
        yield Finding(Level.FINE, "instrumentations", f"active: {', '.join(active)}; every probe passed them")
    elif idle:
        said = f"installed, not active here: {', '.join(idle)}; --instrument probes with them"
        yield Finding(Level.ADVICE, "instrumentations", said)


def instrument() -> None:
    """Switch on what is installed for HTTP clients, with an SDK whose spans go nowhere, as a service would have it."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
    for entry in entry_points(group=_GROUP):
        if entry.name in _CLIENTS:
            entry.load()().instrument()


def _propagators() -> Finding:
    said = os.environ.get(_VARIABLE)
    names = {name.strip().lower() for name in (said or _DEFAULT).split(",")} - {""}
    if names & _TRACING:
        return Finding(Level.FINE, _VARIABLE, said or f"not set: {_DEFAULT}")
    return Finding(
        Level.BREAK,
        _VARIABLE,
        f"{said!r} has neither tracecontext nor pennon: services that only run OpenTelemetry lose the trace",
    )


def _sdk() -> Finding:
    try:
        from opentelemetry import trace
    except ImportError:
        return Finding(Level.FINE, "OpenTelemetry", "not installed; the doors work without it and make no spans")
    provider = trace.get_tracer_provider()
    if hasattr(provider, "add_span_processor"):
        return Finding(Level.FINE, "OpenTelemetry", "its SDK is set up: parents are the doors' spans")
    return Finding(Level.FINE, "OpenTelemetry", "no SDK is set up in this process: the doors make no spans")


def _is_active(entry: Any) -> bool:
    try:
        instrumentor = entry.load()
    except Exception:  # noqa: BLE001  # it instruments something that is not installed, or is broken
        return False
    # Instrumentors are singletons: the class gives the one instance.
    return bool(getattr(instrumentor(), "is_instrumented_by_opentelemetry", False))
