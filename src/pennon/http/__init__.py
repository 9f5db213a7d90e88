"""The HTTP doors: what comes in by ASGI becomes a request context, what goes out by httpx gets what its host may have.

Here live the wrappers of foreign things and nothing that decides: what a header may hold and where it may go is
`headers`, which decisions travel and how is `carry`, spans are `otel`. httpx is imported when a client is wrapped.
"""

from pennon.http.egress import httpx
from pennon.http.ingress import asgi

__all__ = ["asgi", "httpx"]
