"""The HTTP doors: what comes in by ASGI or WSGI becomes a request context, what goes out gets what its host may have.

Here live the wrappers of foreign things and nothing that decides: what a header may hold and where it may go is
`headers`, which decisions travel and how is `carry`, spans are `otel`. What doors of one direction have in common is in
`arriving` and `calling`. A client library is imported when one of its clients is wrapped.
"""

from pennon.http.egress import aiohttp, httpx, requests, urllib3
from pennon.http.guarding import Guard
from pennon.http.ingress import asgi, wsgi

__all__ = ["Guard", "aiohttp", "asgi", "httpx", "requests", "urllib3", "wsgi"]
