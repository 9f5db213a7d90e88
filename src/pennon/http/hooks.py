"""Whether OpenTelemetry's own instrumentation stands where a door stands, so that no operation gets two spans."""

from collections.abc import Iterable
from typing import Any, Final

# Middlewares are nested by one of these: ASGI's, Flask's and OpenTelemetry's own; a bound method leads to its owner.
_INSIDE: Final = ("app", "wsgi_app", "wsgi", "__self__")
# Deeper than any real stack; it ends a circle.
_DEPTH_LIMIT_COUNT: Final = 32

_WRITTEN_IN: Final = ("opentelemetry.instrumentation.", "starlette.middleware.opentelemetry")


def is_app_hooked(app: Any) -> bool:
    """Whether an ASGI or WSGI application, or one that it wraps, makes OpenTelemetry's server spans itself.

    OpenTelemetry's instrumentors mark the FastAPI, Starlette and Flask applications that they take; middlewares, also
    those that such an application was given to put on later, are known by where they were written; FastAPI from 0.16x
    on traces itself unless told not to. What is mounted below a path is not seen.
    """
    for _ in range(_DEPTH_LIMIT_COUNT):
        if getattr(app, "_is_instrumented_by_opentelemetry", False) or _traces_itself(app):
            return True
        added = getattr(app, "user_middleware", ())
        if _is_of_opentelemetry(app) or any(_is_of_opentelemetry(each.cls) for each in added):
            return True
        app = next((inner for name in _INSIDE if (inner := getattr(app, name, None)) is not None), None)
        if app is None:
            return False
    return False


def _traces_itself(app: Any) -> bool:
    # FastAPI(telemetry=…) as it keeps it; there is no public way to ask.
    telemetry = getattr(app, "_telemetry", None)
    return isinstance(telemetry, dict) and bool(telemetry.get("tracing"))


def is_transport_hooked(transport: Any, method: str) -> bool:
    """Whether an httpx transport makes OpenTelemetry's client spans: its method, or it as a whole, is wrapped.

    method: "handle_request" or "handle_async_request". Instrumentors, also other vendors', wrap with wrapt, whose
    wrappers have this attribute.
    """
    return is_wrapped(getattr(transport, method, None)) or _is_of_opentelemetry(transport)


def is_wrapped(method: Any) -> bool:
    """Whether an instrumentor has wrapped it, with wrapt or as OpenTelemetry's for requests does."""
    return hasattr(method, "_self_wrapper") or hasattr(method, "opentelemetry_instrumentation_requests_applied")


def are_callbacks_hooked(callbacks: Iterable[Any]) -> bool:
    """Whether one of these is OpenTelemetry's."""
    return any(_is_of_opentelemetry(each) for each in callbacks)


def _is_of_opentelemetry(written: Any) -> bool:
    """Whether a class, an object of one or a function was written there."""
    return str(getattr(written, "__module__", "")).startswith(_WRITTEN_IN)
