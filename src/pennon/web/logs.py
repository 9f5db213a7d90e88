"""Structured logs: one JSON object a line on standard error, events not sentences, ours and the libraries' alike.

Keys are the glossary's words. No token, no unit key and no flag value is ever logged.
"""

import logging
import sys
from typing import TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

from pennon import ambient


def configure(*, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Route structlog and the standard library's logging to `stream` (standard error) from this level on."""
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        with_request,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # Without locals: they hold tokens and unit keys.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "sqlalchemy", "asyncio"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = name != "uvicorn.access"
        library.setLevel(max(level, logging.WARNING))


def with_request(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The event with the ids of the request being served, if one is."""
    context = ambient.current()
    if context is not None:
        event["request_id"] = context.request_id
        event["trace_id"] = context.trace.trace_id
        event["span_id"] = context.trace.span_id
    return event
