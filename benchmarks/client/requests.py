"""Requests built ahead, and what makes one current."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.engine.jobs import Ask

from pennon.ambient import CURRENT
from pennon.context import Identity, Ledger, RequestContext, RequestId, SpanId, Trace, TraceId

enter = CURRENT.set


def context_of(ask: Ask) -> RequestContext:
    """The request of one unit."""
    trace = Trace(TraceId("0af7651916cd43dd8448eb211c80319c"), SpanId("b7ad6b7169203331"), None, 1, "")
    return RequestContext(
        trace, RequestId("request"), Ledger(), identity=Identity(units=ask.units, attributes=ask.attributes)
    )


@contextmanager
def current(context: RequestContext) -> Iterator[None]:
    """Be in this request."""
    token = CURRENT.set(context)
    try:
        yield
    finally:
        CURRENT.reset(token)
