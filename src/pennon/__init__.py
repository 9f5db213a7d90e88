"""Feature flags and experiments whose decisions travel with the request, over HTTP and Kafka.

    import pennon
    flags = pennon.connect("http://127.0.0.1:8080", token=TOKEN)
    if flags.is_on("new-checkout", unit="user-7", attributes={"plan": "pro"}, default=False):
        ...

Every name is looked up when it is first asked for, so that `import pennon` costs next to nothing; so are the rooms for
users: `pennon.client`, `pennon.deadlines`, `pennon.headers`, `pennon.http`, `pennon.kafka`, `pennon.logs`,
`pennon.otel`, `pennon.signing`, `pennon.testing`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pennon import client, counters, deadlines, headers, http, kafka, logs, otel, signing, testing
    from pennon.ambient import current
    from pennon.client import Client, Evaluation, Notice, Status, Timing, connect
    from pennon.context import ErrorCode, Identity, Origin, Reason, RequestContext, Unit
    from pennon.errors import Fault, PennonError, SettingInvalid
    from pennon.executor import ContextExecutor
    from pennon.flags import FlagType
    from pennon.otel import detached
    from pennon.system import system_context

__all__ = [
    "Client",
    "ContextExecutor",
    "ErrorCode",
    "Evaluation",
    "Fault",
    "FlagType",
    "Identity",
    "Notice",
    "Origin",
    "PennonError",
    "Reason",
    "RequestContext",
    "SettingInvalid",
    "Status",
    "Timing",
    "Unit",
    "client",
    "connect",
    "counters",
    "current",
    "deadlines",
    "detached",
    "headers",
    "http",
    "kafka",
    "logs",
    "otel",
    "signing",
    "system_context",
    "testing",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"pennon.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'pennon' has no attribute {name!r}")
    value = getattr(import_module(f"pennon.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


# `counters` is a module that can be called: `pennon.counters()` reads them.
_ROOMS: Final = frozenset(
    {"client", "counters", "deadlines", "headers", "http", "kafka", "logs", "otel", "signing", "testing"}
)
_HOMES: Final = {
    "Client": "client",
    "ContextExecutor": "executor",
    "ErrorCode": "context",
    "Evaluation": "client",
    "Fault": "errors",
    "FlagType": "flags",
    "Identity": "context",
    "Notice": "client",
    "Origin": "context",
    "PennonError": "errors",
    "Reason": "context",
    "RequestContext": "context",
    "SettingInvalid": "errors",
    "Status": "client",
    "Timing": "client",
    "Unit": "context",
    "connect": "client",
    "current": "ambient",
    "detached": "otel",
    "system_context": "system",
}
