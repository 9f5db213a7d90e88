"""What a client is in, and what its listeners hear."""

from enum import StrEnum

import msgspec


class Status(StrEnum):
    """Whether a client answers, and how current it is.

    NOT_READY: no ruleset yet, every answer is the default. READY: it has one and hears from the server.
    STALE: it has one and answers from it, but has lost the server. CLOSED: every answer is the default.
    """

    NOT_READY = "NOT_READY"
    READY = "READY"
    STALE = "STALE"
    CLOSED = "CLOSED"


class Change(StrEnum):
    """What a listener is told: the words are OpenFeature's provider events."""

    READY = "PROVIDER_READY"
    STALE = "PROVIDER_STALE"
    CONFIGURATION_CHANGED = "PROVIDER_CONFIGURATION_CHANGED"
    ERROR = "PROVIDER_ERROR"


class Notice(msgspec.Struct, frozen=True):
    """One thing that happened to a client. flags: keys that changed, None if that is not known. detail: in words."""

    change: Change
    flags: tuple[str, ...] | None = None
    detail: str = ""
