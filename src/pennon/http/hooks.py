"""Whether OpenTelemetry's own instrumentation stands where a door stands, so that no operation gets two spans."""

from typing import Any, Final

# Middlewares are nested by `.app`; deeper than any real stack, and it ends a circle.
_DEPTH_LIMIT_COUNT: Final = 32

_WRITTEN_IN: Final = ("opentelemetry.instrumentation.", "starlette.middleware.opentelemetry")


def is_app_hooked(app: Any) -> bool:
    """Whether an ASGI application, or one that it wraps, makes OpenTelemetry's server spans itself.

    OpenTelemetry's instrumentors mark the FastAPI and Starlette applications that they take; middlewares, also those
    that such an application was given to put on later, are known by where they were written; FastAPI from 0.16x on
    traces itself unless told not to. What is mounted below a path is not seen.
    """
    for _ in range(_DEPTH_LIMIT_COUNT):
        if getattr(app, "_is_instrumented_by_opentelemetry", False) or _traces_itself(app):
            return True
        added = getattr(app, "user_middleware", ())
        if _is_of_opentelemetry(type(app)) or any(_is_of_opentelemetry(each.cls) for each in added):
            return True
        app = getattr(app, "app", None)
        if app is None:
            return False
    return False


def _traces_itself(app: Any) -> bool:
    # FastAPI(telemetry=…) as it keeps it; there is no public way to ask.
    telemetry = getattr(app, "_telemetry", None)
    return isinstance(telemetry, dict) and bool(telemetry.get("tracing"))


def _is_of_opentelemetry(kind: Any) -> bool:
    return str(getattr(kind, "__module__", "")).startswith(_WRITTEN_IN)


def is_transport_hooked(transport: Any, method: str) -> bool:
    """Whether an httpx transport makes OpenTelemetry's client spans: its method, or it as a whole, is wrapped.

    method: "handle_request" or "handle_async_request". Instrumentors, also other vendors', wrap with wrapt, whose
    wrappers have this attribute.
    """
    return hasattr(getattr(transport, method, None), "_self_wrapper") or _is_of_opentelemetry(type(transport))
