"""ASGI blocks that the apps share: the hub and its streams, problem responses, negotiation, bounds, logs.

They know HTTP and bytes; what a flag, a token or a project is they do not know. Routes and what they do live in
`server` (and later `edge`); the outermost middleware, the door that reads and writes our headers, in `http`.
"""

from pennon.web.access import AccessLog
from pennon.web.body import BODY_LIMIT_BYTES, read_body, read_json
from pennon.web.head import HeadAsGet
from pennon.web.hub import Detach, Hub, Write
from pennon.web.lanes import RETRY_AFTER_S, Lane
from pennon.web.stream import ABORT_EXTENSION, BACKLOG_LIMIT_BYTES, EventStream

__all__ = [
    "ABORT_EXTENSION",
    "BACKLOG_LIMIT_BYTES",
    "BODY_LIMIT_BYTES",
    "RETRY_AFTER_S",
    "AccessLog",
    "Detach",
    "EventStream",
    "HeadAsGet",
    "Hub",
    "Lane",
    "Write",
    "read_body",
    "read_json",
]
