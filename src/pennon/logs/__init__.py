"""Log lines that say which request they are about, and nothing that is secret: for stdlib logging and for structlog.

Here live a filter for handlers of the standard library and a processor for structlog, which is not imported. Both read
the request context when a line is written: a request that logs nothing pays nothing. How a value may stand in a line is
`headers.redaction`'s word; how a line is formatted, as JSON or otherwise, is the formatter's.
"""

from pennon.logs.standard import ContextFilter
from pennon.logs.structured import structlog_processor

__all__ = ["ContextFilter", "structlog_processor"]
