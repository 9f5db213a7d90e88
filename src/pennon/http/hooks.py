"""Whether OpenTelemetry's own instrumentation stands where a door stands, so that no operation gets two spans."""

from typing import Any, Final

# Middlewares are nested by `.app`; deeper than any real stack, and it ends a circle.
_DEPTH_LIMIT_COUNT: Final = 32


def is_app_hooked(app: Any) -> bool:
    """Whether an ASGI application, or one that it wraps, makes OpenTelemetry's server spans itself.

    Instrumented FastAPI and Starlette applications are marked by their instrumentors; a middleware that was put around
    an application by hand is known by where it was written. What is mounted below a path is not seen.
    """
    for _ in range(_DEPTH_LIMIT_COUNT):
        if getattr(app, "_is_instrumented_by_opentelemetry", False):
            return True
        if type(app).__module__.startswith("opentelemetry.instrumentation."):
            return True
        app = getattr(app, "app", None)
        if app is None:
            return False
    return False


def is_transport_hooked(transport: Any, method: str) -> bool:
    """Whether an httpx transport makes OpenTelemetry's client spans: its method, or it as a whole, is wrapped.

    method: "handle_request" or "handle_async_request". Instrumentors, also other vendors', wrap with wrapt, whose
    wrappers have this attribute.
    """
    return hasattr(getattr(transport, method, None), "_self_wrapper") or type(transport).__module__.startswith(
        "opentelemetry.instrumentation."
    )
