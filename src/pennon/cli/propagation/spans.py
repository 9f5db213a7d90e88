"""Which spans have begun in this process: any of them may be the parent that arrives."""

from collections.abc import Collection
from typing import Any, Final
from weakref import WeakSet


class _Begun:
    """The ids of spans that have begun; a span processor of OpenTelemetry's SDK."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002  # the SDK names it
        """Called by the SDK."""
        self.ids.add(f"{span.get_span_context().span_id:016x}")

    def on_end(self, span: Any) -> None:
        """Called by the SDK."""

    def _on_ending(self, span: Any) -> None:
        """Called by the SDK, by this name."""

    def shutdown(self) -> None:
        """Called by the SDK."""

    def force_flush(self, timeout_millis: int = 0) -> bool:  # noqa: ARG002  # the SDK names it
        """Called by the SDK."""
        return True


_BEGUN: Final = _Begun()
# Nothing takes a processor off again.
_heard: Final[WeakSet[Any]] = WeakSet()


def begun_spans() -> Collection[str]:
    """The ids of all that begins from now on, and of what was heard before; none without an SDK."""
    try:
        from opentelemetry import trace
    except ImportError:
        return ()
    provider: Any = trace.get_tracer_provider()
    if hasattr(provider, "add_span_processor") and provider not in _heard:
        _heard.add(provider)
        provider.add_span_processor(_BEGUN)
    return _BEGUN.ids
