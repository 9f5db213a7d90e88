"""Which spans were begun while a probe was under way: each of them may be the parent that arrives."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Spans:
    """The ids of spans that have begun; a span processor of OpenTelemetry's SDK."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002  # the SDK names it
        """Called by the SDK."""
        self.ids.add(f"{span.get_span_context().span_id:016x}")

    def on_end(self, span: Any) -> None:
        """Called by the SDK."""

    def _on_ending(self, span: Any) -> None:
        """Called by the SDK from 1.3x on."""

    def shutdown(self) -> None:
        """Called by the SDK."""

    def force_flush(self, timeout_millis: int = 0) -> bool:  # noqa: ARG002  # the SDK names it
        """Called by the SDK."""
        return True


@contextmanager
def recorded_spans() -> Iterator[Spans]:
    """The ids of what begins in the block, if an SDK is set up in this process."""
    spans = Spans()
    try:
        from opentelemetry import trace
    except ImportError:
        yield spans
        return
    provider = trace.get_tracer_provider()
    if hasattr(provider, "add_span_processor"):
        provider.add_span_processor(spans)
    yield spans
