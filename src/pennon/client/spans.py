"""Whether decisions are told to OpenTelemetry, decided once so that its absence costs nothing.

Asking OpenTelemetry for the current span costs several evaluations. So it is asked for what a request decides first,
not for each use; outside requests only where `connect(..., spans=True)` says so; and never where nobody has loaded
OpenTelemetry's SDK, without which no span records.
"""

import sys
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

SDK: Final = "opentelemetry.sdk.trace"
loaded_modules: Final[Mapping[str, object]] = sys.modules


class Spans(Enum):
    """Which decisions go on the span that is current where they are made."""

    NEVER = auto()
    REQUESTS = auto()
    ALWAYS = auto()

    @classmethod
    def of(cls, spans: bool | None) -> "Spans":
        """What `connect(spans=...)` means: None is what a request decides first, True every evaluation."""
        if spans is None:
            return cls.REQUESTS
        return cls.ALWAYS if spans else cls.NEVER


def can_record() -> bool:
    """Whether this process has loaded what could make a span record."""
    return SDK in loaded_modules
