"""A processor for structlog, which is not needed to make it."""

import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from pennon.clock import SYSTEM_CLOCK, Clock
from pennon.headers import Contract
from pennon.headers.redaction import Redaction
from pennon.logs.facts import Facts, log_salt
from pennon.logs.safety import Safety

Event = MutableMapping[str, Any]

# What ProcessorFormatter puts there and takes out again, and what those behind make of an exception.
_OWN: Final = ("_record", "_from_structlog", "exc_info")


def structlog_processor(
    contract: Contract, *, salt: bytes | None = None, clock: Clock = SYSTEM_CLOCK
) -> Callable[[Any, str, Event], Event]:
    """A processor that tells each event which request it is about, and takes out of it what is secret.

    It belongs right before the renderer: what a processor behind it adds is not looked at. What the event says itself
    of request or tenant stays.
    salt: the key of hashed values; None: PENNON_LOG_SALT, else random in each process.
    Raises: ValueError for an empty one.
    """
    redaction = Redaction(contract, salt=log_salt(salt))
    facts, safety = Facts(redaction, clock), Safety(redaction)

    def process(_logger: Any, _method: str, event: Event) -> Event:
        _render_failure(event, safety)
        own = {name: event.pop(name) for name in _OWN if name in event}
        safe = safety.members(event)
        event.clear()
        event.update(safe)
        event.update(own)
        for name, fact in facts.here().items():
            event.setdefault(name, fact)
        return event

    return process


def _render_failure(event: Event, safety: Safety) -> None:
    """An exception that no processor before has rendered is left to those behind, unless it says something secret."""
    given = event.get("exc_info")
    if not given:
        return
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else sys.exception()
    if error is None:
        return
    safe = safety.failure(error)
    if safe is not None:
        del event["exc_info"]
        event["exception"] = safe
