"""The built-in fields: the standards' headers that a contract is likely to use, pennon's own, and routing metadata.

What every client and server sends beside them stands in `std_http`; `ALL` and `BY_NAME` hold both.

Each has one category, and says whose word counts, how far it means something, where it goes and how it is logged. The
syntax bounds what may stand there at all; where a codec of this room reads the value, the codec decides.
"""

from collections.abc import Mapping
from typing import Final

from pennon.headers import std_http
from pennon.headers.fields import Category, Classification, Log
from pennon.headers.grammar import TOKEN
from pennon.headers.standard import (
    ANSWERS,
    CALLERS,
    CONNECTION,
    GATEWAYS,
    IDENTITY,
    MESH,
    NEAREST,
    SERVICES,
    TRAVELLING,
    Direction,
    StandardField,
)
from pennon.headers.syntaxes import HTTP_DATE, NUMBER, PARAMETERS, TAG, TEXT

_BOTH: Final = Direction.BOTH
_INTERNAL: Final = Classification.INTERNAL
_INTERNAL_ID: Final = Classification.INTERNAL_ID
_PERSONAL: Final = Classification.PERSONAL
_SECRET: Final = Classification.SECRET

_ID: Final = r"[A-Za-z0-9._:\-]++"
_LABEL: Final = r"[A-Za-z0-9][A-Za-z0-9._\-]*+"
_HOST: Final = r"(?:[A-Za-z0-9._\-]++|\[[0-9A-Fa-f:.]++\])(?::[0-9]{1,5})?"
# RFC 9110 §13.1.1.
_TAGS: Final = rf"\*|{TAG}(?:[ \t]*+,[ \t]*+{TAG})*+"
_RFC3339: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,30})?(?:[Zz]|[+\-][0-9]{2}:[0-9]{2})"
)

TRACEPARENT: Final = MESH.field(
    "traceparent", Category.OBSERVABILITY, "W3C", "Trace Context level 2 §3.2",
    r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[ -~]*+)?", 128, "Where in its trace the caller stands",
)  # fmt: skip
TRACESTATE: Final = MESH.field(
    "tracestate", Category.OBSERVABILITY, "W3C", "Trace Context level 2 §3.3", TEXT, 16_447,
    "What tracing systems add to the trace", classification=_INTERNAL, is_list=True,
)  # fmt: skip
BAGGAGE: Final = TRAVELLING.field(
    "baggage", Category.OBSERVABILITY, "W3C", "Baggage (CR of 2024-05-30)", TEXT, 8_192,
    "Hints that travel with the request, under the contract's baggage policy", log=Log.REDACTED,
    classification=_INTERNAL, is_list=True,
)  # fmt: skip
REQUEST_ID: Final = MESH.field(
    "x-request-id", Category.OBSERVABILITY, "pennon", "", _ID, 128, "This request at one hop; also in the response",
    classification=_INTERNAL_ID, direction=_BOTH,
)  # fmt: skip
CORRELATION_ID: Final = TRAVELLING.field(
    "x-correlation-id", Category.OBSERVABILITY, "pennon", "", _ID, 128, "The business conversation it belongs to",
    classification=_INTERNAL_ID, direction=_BOTH,
)  # fmt: skip

REQUEST_DEADLINE: Final = SERVICES.field(
    "x-request-deadline", Category.EXECUTION, "pennon", "RFC 3339 §5.6", _RFC3339, 64, "When the caller stops waiting",
    classification=_INTERNAL,
)  # fmt: skip
REQUEST_TIMEOUT_MS: Final = SERVICES.field(
    "x-request-timeout-ms", Category.EXECUTION, "pennon", "", NUMBER, 15, "How long the caller goes on waiting",
    classification=_INTERNAL,
)  # fmt: skip
GRPC_TIMEOUT: Final = SERVICES.field(
    "grpc-timeout", Category.EXECUTION, "gRPC", "gRPC over HTTP/2, Requests", r"[0-9]{1,8}[HMSmun]", 9,
    "How long the caller goes on waiting", classification=_INTERNAL,
)  # fmt: skip
ENVOY_TIMEOUT_MS: Final = NEAREST.field(
    "x-envoy-expected-rq-timeout-ms", Category.EXECUTION, "Envoy", "Envoy, Router", NUMBER, 15,
    "How long the Envoy before us goes on waiting", classification=_INTERNAL,
)  # fmt: skip
IDEMPOTENCY_KEY: Final = CALLERS.field(
    "idempotency-key", Category.EXECUTION, "IETF", "draft-ietf-httpapi-idempotency-key-header-07", TEXT, 127,
    "One deed that must not be done twice; downstreams get keys derived from it", log=Log.HASH,
)  # fmt: skip
RETRY_AFTER: Final = ANSWERS.field(
    "retry-after", Category.EXECUTION, "IETF", "RFC 9110 §10.2.3", rf"[0-9]{{1,10}}|{HTTP_DATE}", 29,
    "When to try again, where that is known",
)  # fmt: skip
RATELIMIT: Final = ANSWERS.field(
    "ratelimit", Category.EXECUTION, "IETF", "draft-ietf-httpapi-ratelimit-headers-10", TEXT, 256,
    "What is left of the quotas", is_list=True,
)  # fmt: skip
RATELIMIT_POLICY: Final = ANSWERS.field(
    "ratelimit-policy", Category.EXECUTION, "IETF", "draft-ietf-httpapi-ratelimit-headers-10", TEXT, 256,
    "The quotas that hold", is_list=True,
)  # fmt: skip
DECIDED: Final = ANSWERS.field(
    "pennon-decided", Category.EXECUTION, "pennon", "docs/reference/http.md", TEXT, 512,
    "What the callee decided about flags", classification=_INTERNAL,
)  # fmt: skip

SHARD: Final = GATEWAYS.field(
    "x-shard", Category.ROUTING, "pennon", "", _LABEL, 64, "Which share of the data the request belongs to",
    classification=_INTERNAL,
)  # fmt: skip
REGION: Final = GATEWAYS.field(
    "x-region", Category.ROUTING, "pennon", "", _LABEL, 32, "Where the request came in", classification=_INTERNAL
)
CANARY: Final = GATEWAYS.field(
    "x-canary", Category.ROUTING, "pennon", "", r"always|never|true|false", 6,
    "Whether the request is to go to the release under test", classification=_INTERNAL,
)  # fmt: skip
FORWARDED: Final = NEAREST.field(
    "forwarded", Category.ROUTING, "IETF", "RFC 7239", TEXT, 4_096, "What proxies say about whom they pass on",
    log=Log.REDACTED, classification=_PERSONAL, is_list=True,
)  # fmt: skip
X_FORWARDED_FOR: Final = NEAREST.field(
    "x-forwarded-for", Category.ROUTING, "pennon", "", TEXT, 4_096, "Whom proxies pass on", log=Log.REDACTED,
    classification=_PERSONAL, is_list=True,
)  # fmt: skip
X_FORWARDED_PROTO: Final = NEAREST.field(
    "x-forwarded-proto", Category.ROUTING, "pennon", "", r"[A-Za-z0-9+.\-, \t]++", 256, "Over which scheme they came",
    classification=_INTERNAL, is_list=True,
)  # fmt: skip
X_FORWARDED_HOST: Final = NEAREST.field(
    "x-forwarded-host", Category.ROUTING, "pennon", "", TEXT, 1_024, "Which host they asked for",
    classification=_INTERNAL, is_list=True,
)  # fmt: skip
X_FORWARDED_PORT: Final = NEAREST.field(
    "x-forwarded-port", Category.ROUTING, "pennon", "", r"[0-9, \t]++", 128, "Which port they asked for",
    classification=_INTERNAL, is_list=True,
)  # fmt: skip

AUTHORIZATION: Final = CALLERS.field(
    "authorization", Category.SECURITY, "IETF", "RFC 9110 §11.6.2", TEXT, 8_192, "What the caller proves itself with",
    log=Log.NEVER, classification=_SECRET,
)  # fmt: skip
COOKIE: Final = CALLERS.field(
    "cookie", Category.SECURITY, "IETF", "RFC 6265 §5.4", TEXT, 8_192, "What a browser keeps for us", log=Log.NEVER,
    classification=_SECRET,
)  # fmt: skip
SET_COOKIE: Final = ANSWERS.field(
    "set-cookie", Category.SECURITY, "IETF", "RFC 6265 §4.1", TEXT, 4_096, "What a browser shall keep for us",
    log=Log.NEVER, classification=_SECRET,
)  # fmt: skip
TENANT_ID: Final = IDENTITY.field(
    "x-tenant-id", Category.SECURITY, "pennon", "", _ID, 64, "Whose data this request is about", log=Log.HASH,
    classification=_INTERNAL_ID,
)  # fmt: skip
ACTOR_ID: Final = IDENTITY.field(
    "x-actor-id", Category.SECURITY, "pennon", "", _ID, 128, "Who acts; an opaque id, or system:<name>", log=Log.HASH,
    classification=_INTERNAL_ID,
)  # fmt: skip
ACTOR_TYPE: Final = IDENTITY.field(
    "x-actor-type", Category.SECURITY, "pennon", "", r"[A-Z][A-Z_]*+", 32, "What acts, e.g. HUMAN or SYSTEM",
    classification=_INTERNAL,
)  # fmt: skip
ON_BEHALF_OF: Final = IDENTITY.field(
    "x-on-behalf-of", Category.SECURITY, "pennon", "", _ID, 128, "For whom the actor acts; an opaque id", log=Log.HASH,
    classification=_INTERNAL_ID,
)  # fmt: skip
CALLER_SERVICE: Final = SERVICES.field(
    "x-caller-service", Category.SECURITY, "pennon", "", _LABEL, 64, "Which service calls", classification=_INTERNAL
)
OVERRIDE: Final = CALLERS.field(
    "pennon-override", Category.SECURITY, "pennon", "docs/reference/http.md", r"[!-~]++", 2_048,
    "A tester's signed token, read at a public boundary alone", log=Log.NEVER, classification=_SECRET,
)  # fmt: skip
CONTEXT: Final = SERVICES.field(
    "pennon-context", Category.SECURITY, "pennon", "", r"[!-~]++", 4_096, "Identity, signed, across zones",
    log=Log.NEVER, classification=_SECRET,
)  # fmt: skip
SIGNATURE: Final = CALLERS.field(
    "signature", Category.SECURITY, "IETF", "RFC 9421 §4.2", TEXT, 4_096, "What the sender signed", log=Log.NEVER,
    classification=_SECRET, direction=_BOTH, is_list=True,
)  # fmt: skip
SIGNATURE_INPUT: Final = CALLERS.field(
    "signature-input", Category.SECURITY, "IETF", "RFC 9421 §4.1", TEXT, 4_096, "Which parts are signed, and how",
    log=Log.REDACTED, classification=_INTERNAL, direction=_BOTH, is_list=True,
)  # fmt: skip
CONTENT_DIGEST: Final = CALLERS.field(
    "content-digest", Category.SECURITY, "IETF", "RFC 9530 §2", TEXT, 512, "A digest of the content",
    direction=_BOTH, is_list=True,
)  # fmt: skip

ETAG: Final = ANSWERS.field(
    "etag", Category.CONCURRENCY, "IETF", "RFC 9110 §8.8.3", TAG, 256, "Which version of the resource this is"
)
IF_MATCH: Final = CALLERS.field(
    "if-match", Category.CONCURRENCY, "IETF", "RFC 9110 §13.1.1", _TAGS, 1_024, "Only if it still is this version",
    is_list=True,
)  # fmt: skip
IF_NONE_MATCH: Final = CALLERS.field(
    "if-none-match", Category.CONCURRENCY, "IETF", "RFC 9110 §13.1.2", _TAGS, 1_024, "Only if it is none of these",
    is_list=True,
)  # fmt: skip
IF_MODIFIED_SINCE: Final = CALLERS.field(
    "if-modified-since", Category.CONCURRENCY, "IETF", "RFC 9110 §13.1.3", HTTP_DATE, 29, "Only if it has changed"
)
IF_UNMODIFIED_SINCE: Final = CALLERS.field(
    "if-unmodified-since", Category.CONCURRENCY, "IETF", "RFC 9110 §13.1.4", HTTP_DATE, 29, "Only if it has not"
)

DEPRECATION: Final = ANSWERS.field(
    "deprecation", Category.EVOLUTION, "IETF", "RFC 9745", TEXT, 64, "Since when the resource is deprecated"
)
SUNSET: Final = ANSWERS.field("sunset", Category.EVOLUTION, "IETF", "RFC 8594", HTTP_DATE, 29, "When it goes away")
LINK: Final = ANSWERS.field(
    "link", Category.EVOLUTION, "IETF", "RFC 8288 §3", TEXT, 4_096, "Where to read on, e.g. about a deprecation",
    log=Log.REDACTED, is_list=True,
)  # fmt: skip

CONTENT_TYPE: Final = CALLERS.field(
    "content-type", Category.PROTOCOL, "IETF", "RFC 9110 §8.3", rf"{TOKEN}/{TOKEN}{PARAMETERS}", 256,
    "What the content is", direction=_BOTH,
)  # fmt: skip
ACCEPT: Final = CALLERS.field(
    "accept", Category.PROTOCOL, "IETF", "RFC 9110 §12.5.1", TEXT, 1_024, "What the caller can read", is_list=True
)
HOST: Final = CONNECTION.field(
    "host", Category.PROTOCOL, "IETF", "RFC 9110 §7.2", _HOST, 262, "Which host is asked", direction=Direction.REQUEST
)
CONTENT_LENGTH: Final = CONNECTION.field(
    "content-length", Category.PROTOCOL, "IETF", "RFC 9110 §8.6", NUMBER, 15, "How long the content is"
)
TRANSFER_ENCODING: Final = CONNECTION.field(
    "transfer-encoding", Category.PROTOCOL, "IETF", "RFC 9112 §6.1", TEXT, 128, "How the content is framed",
    is_list=True,
)  # fmt: skip
PROXY_AUTHORIZATION: Final = CONNECTION.field(
    "proxy-authorization", Category.SECURITY, "IETF", "RFC 9110 §11.7.2", TEXT, 8_192,
    "What the caller proves itself to a proxy with", log=Log.NEVER, classification=_SECRET, direction=Direction.REQUEST,
)  # fmt: skip
_CONNECTION: Final = tuple(
    CONNECTION.field(name, Category.PROTOCOL, "IETF", source, TEXT, 1_024, description, is_list=True)
    for name, source, description in (
        ("connection", "RFC 9110 §7.6.1", "Which fields are for this connection alone"),
        ("http2-settings", "RFC 7540 §3.2.1", "What an upgrade to HTTP/2 begins with"),
        ("keep-alive", "RFC 2068 §19.7.1.1", "How long the connection stays open"),
        ("proxy-authenticate", "RFC 9110 §11.7.1", "How to prove oneself to a proxy"),
        ("proxy-connection", "RFC 9112 §C.2.2", "A mistake of old; as connection"),
        ("te", "RFC 9110 §10.1.4", "Which transfer codings the sender reads"),
        ("trailer", "RFC 9110 §6.6.2", "Which fields come after the content"),
        ("upgrade", "RFC 9110 §7.8", "Which protocol to change to"),
    )
)

ALL: Final[tuple[StandardField, ...]] = (
    TRACEPARENT,
    TRACESTATE,
    BAGGAGE,
    REQUEST_ID,
    CORRELATION_ID,
    REQUEST_DEADLINE,
    REQUEST_TIMEOUT_MS,
    GRPC_TIMEOUT,
    ENVOY_TIMEOUT_MS,
    IDEMPOTENCY_KEY,
    RETRY_AFTER,
    RATELIMIT,
    RATELIMIT_POLICY,
    DECIDED,
    SHARD,
    REGION,
    CANARY,
    FORWARDED,
    X_FORWARDED_FOR,
    X_FORWARDED_PROTO,
    X_FORWARDED_HOST,
    X_FORWARDED_PORT,
    AUTHORIZATION,
    COOKIE,
    SET_COOKIE,
    TENANT_ID,
    ACTOR_ID,
    ACTOR_TYPE,
    ON_BEHALF_OF,
    CALLER_SERVICE,
    OVERRIDE,
    CONTEXT,
    SIGNATURE,
    SIGNATURE_INPUT,
    CONTENT_DIGEST,
    ETAG,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE,
    DEPRECATION,
    SUNSET,
    LINK,
    CONTENT_TYPE,
    ACCEPT,
    HOST,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    PROXY_AUTHORIZATION,
    *_CONNECTION,
    *std_http.ALL,
)
"""Every built-in field."""
BY_NAME: Final[Mapping[str, StandardField]] = {each.name: each for each in ALL}
"""The same by name, which is lower-case."""

FORWARDING: Final[tuple[str, ...]] = tuple(
    each.name for each in (FORWARDED, X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT)
)
"""What proxies write about whom they pass on."""
HANDLED: Final[frozenset[str]] = frozenset(
    {
        *(each.name for each in (TRACEPARENT, TRACESTATE, BAGGAGE, REQUEST_ID, CORRELATION_ID)),
        *(each.name for each in (REQUEST_DEADLINE, REQUEST_TIMEOUT_MS, GRPC_TIMEOUT, ENVOY_TIMEOUT_MS)),
        *(each.name for each in (OVERRIDE, DECIDED, CONTEXT)),
        *FORWARDING,
    }
)
"""What codecs of pennon's read and write. A contract that lists one documents it; it is handled either way."""
STANDARDS_OWNERS: Final = frozenset({"IETF", "W3C", "WHATWG", "gRPC", "Envoy", "jQuery"})
"""Who defines headers that mean the same everywhere; what pennon only suggests has the owner "pennon"."""
