"""What this service is called in its reports: as OpenTelemetry calls it, if nobody says otherwise.

OpenTelemetry's specification, "Resource SDK" and "General SDK configuration": `OTEL_SERVICE_NAME` goes before the
`service.name` of `OTEL_RESOURCE_ATTRIBUTES`, a list of `key=value` with percent-encoded values; an empty variable is
one that is not set; without either the name is "unknown_service".
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from pennon.errors import Fault, SettingInvalid

NAME_VARIABLE: Final = "OTEL_SERVICE_NAME"
ATTRIBUTES_VARIABLE: Final = "OTEL_RESOURCE_ATTRIBUTES"

# As long as the server takes.
_LIMIT_COUNT: Final = 100
_UNKNOWN: Final = "unknown_service"


def service_of(service: object, environ: Mapping[str, str]) -> str:
    """The name; service: what `connect` was given, None: nothing. Raises: SettingInvalid if it is unusable."""
    if service is not None:
        return _checked("service", service)
    if name := environ.get(NAME_VARIABLE, "").strip():
        return _checked(NAME_VARIABLE, name)
    if name := _attribute(environ.get(ATTRIBUTES_VARIABLE, "")):
        return _checked(f"{ATTRIBUTES_VARIABLE}: service.name", name)
    return _UNKNOWN


def _attribute(attributes: str) -> str:
    pairs = (pair.partition("=") for pair in attributes.split(","))
    return {key.strip(): unquote(value.strip()) for key, _, value in pairs}.get("service.name", "")


def _checked(place: str, name: object) -> str:
    if isinstance(name, str) and 0 < len(name) <= _LIMIT_COUNT and _is_plain(name):
        return name
    found = f"{name[:_LIMIT_COUNT]!r}" if isinstance(name, str) else repr(name)
    message = (
        f"{found} names no service; must be text of 1 to {_LIMIT_COUNT} characters, none of them a control character"
    )
    raise SettingInvalid([Fault(place, message)])


def _is_plain(name: str) -> bool:
    """Without the control characters that the server refuses, and without halves of characters, which no JSON holds."""
    return not any(char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" for char in name)
