"""What a log line says of the request that it was written in."""

import os
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Final

from pennon import ambient, otel
from pennon.clock import Clock
from pennon.context import RequestContext
from pennon.headers import Log
from pennon.headers.redaction import Redaction
from pennon.settings import LOG_SALT_VARIABLE

# Ids that are hashed again and again; a fleet of 4,096 busy tenants is hashed once a second instead, at 2 µs each.
_REMEMBERED_LIMIT_COUNT: Final = 4_096
_RANDOM_SALT_BYTES: Final = 32
_NS_PER_MS: Final = 1_000_000

Fact = str | int | bool


def log_salt(given: bytes | None) -> bytes:
    """The key of hashed values: as given, else what PENNON_LOG_SALT says, else random.

    A random one ends with the process: its lines can be joined with each other, with nobody else's.
    Raises: ValueError for one that is given and empty.
    """
    if given is not None:
        if not given:
            raise ValueError("salt: is empty; hashes without a key are found by trying")
        return given
    return os.environ.get(LOG_SALT_VARIABLE, "").encode() or _random_salt()


@cache
def _random_salt() -> bytes:
    """One for the process, so that its log lines and its spans can be joined."""
    return os.urandom(_RANDOM_SALT_BYTES)


class Facts:
    """What a contract lets a line say of a request."""

    def __init__(self, redaction: Redaction, clock: Clock) -> None:
        self._clock = clock
        self._rule = redaction.rule
        self._safe = lru_cache(_REMEMBERED_LIMIT_COUNT)(redaction.safe_value)

    def here(self) -> dict[str, Fact]:
        """By the names of the glossary; nothing outside a request and after its door has closed."""
        context = ambient.current()
        return {} if context is None else dict(self._of(context))

    def whose(self, context: RequestContext) -> Iterator[tuple[str, Fact]]:
        """Who acts for whom, as the contract lets it be said, and how long whoever asked will wait."""
        identity = context.identity
        yield from self._fields(
            ("tenant", "x-tenant-id", identity.tenant),
            ("actor", "x-actor-id", identity.actor),
            ("on_behalf_of", "x-on-behalf-of", identity.on_behalf_of),
        )
        if identity.actor_type is not None:
            yield "actor_type", identity.actor_type.value
        if context.deadline is not None:
            yield "deadline_left_ms", context.deadline.remaining_ns(self._clock.monotonic_ns()) // _NS_PER_MS

    def _of(self, context: RequestContext) -> Iterator[tuple[str, Fact]]:
        # The span that is current within the request, if somebody makes spans: by it the trace store knows the line.
        trace = otel.current_trace() or context.trace
        yield "trace_id", trace.trace_id
        yield "span_id", trace.span_id
        yield from self._fields(
            ("request_id", "x-request-id", context.request_id),
            ("caller_request_id", "x-request-id", context.caller_request_id),
            ("correlation_id", "x-correlation-id", context.correlation_id),
        )
        yield from self.whose(context)
        if context.is_replay:
            yield "is_replay", True

    def _fields(self, *found: tuple[str, str, str | None]) -> Iterator[tuple[str, Fact]]:
        """Those that are there and may be said. found: of each name here, header and value."""
        for name, field, value in found:
            if value is not None and self._rule(field) is not Log.NEVER:
                yield name, self._safe(field, value)
