"""What is fuzzed: every codec, the inputs that it begins with, and how dear one may be."""

from collections.abc import Callable
from typing import Final

from tests.fuzz.fuzzer import Codec
from tests.fuzz.inputs import VALUE, messages, values, vectors, wire
from tests.fuzz.messages import (
    SIGNED,
    check_claims,
    check_context,
    check_decisions,
    check_extract,
    check_free_text,
    check_log_line,
    check_token,
    check_toml,
)
from tests.fuzz.values import (
    check_baggage,
    check_cloudevent,
    check_deadline,
    check_deprecation,
    check_forwarded,
    check_grpc_timeout,
    check_id,
    check_idempotency_key,
    check_identity,
    check_milliseconds,
    check_node,
    check_ratelimit,
    check_rfc3339,
    check_traceparent,
    check_tracestate,
    check_ulid,
    check_x_forwarded,
)

_REQUEST: Final = wire(
    host="orders.internal",
    traceparent="00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01",
    tracestate="rojo=00f067aa0ba902b7, congo=t61rcWkgMzE",
    baggage="tenant.tier=regulated;p=1,region=eu%2Dwest-1,pennon=AQIDBAU1wqGhssMByKDgAPGmAQApSeslow,promo=%C3%A9",
    x_request_id="req_01KAH6ZK3T8V9QWX2M5N7P4R6S",
    x_correlation_id="corr_01KAH6ZK4B1C2D3E4F5G6H7J8K",
    x_pool="blue",
    x_zone="eu-1",
    x_once='"idem 1"',
    x_local="here",
    x_tenant_id="acme",
    x_actor_id="user-7",
    x_actor_type="HUMAN",
    x_request_deadline="2026-11-21T10:15:10.250Z",
    grpc_timeout="12S",
    x_forwarded_for="1.1.1.1, 192.0.2.9, 10.0.0.2",
    connection="x-zone, keep-alive",
    pennon_override="eyJ.e30.AAAA",
    pennon_decided="x",
)
_IDENTITY: Final = wire(x_tenant_id="tenant-42", x_actor_id="7", x_actor_type="SUPPORT", x_on_behalf_of="user-8")


_CLAIMS: Final = b"""{"iss": "gateway", "aud": "posts", "iat": 1795256000, "nbf": 1795256010, "exp": 1795256300,
"sub": "user-991", "tenant": "tenant-42", "actor_type": "SUPPORT", "on_behalf_of": "user-7",
"units": {"user": "991"}}"""
_CONTRACT: Final = b"""
name = "orders"
version = "1"
owner = "platform"
unknown = "drop"
std = ["x-tenant-id", "idempotency-key"]

[[fields]]
name = "X-Plan"
category = "evolution"
owner = "billing"
syntax = "free|pro"
max_length = 8
trust = "mesh"
caller_may_set = false
gateway_overwrites = true
downstream_may_forward = true
propagate = "per_downstream"
log = "clear"
classification = "internal"
description = "Which plan the tenant has"
kafka = "plan"

[[fields]]
std = "x-region"
max_length = 16

[baggage]
max_bytes = 512
allow = ["region", { key = "tier", enum = ["free", "pro"] }]

[budgets]
total_count = 50

[deadline]
accept = ["grpc-timeout"]
cap_s = 30.0

[[downstreams]]
name = "posts"
host = "posts.internal:8001"
fields = ["x-plan"]
tenant = true
deadline = "grpc-timeout"

[[downstreams]]
name = "feed"
topic = "feed.posts"
"""

# About four times what the dearest input of some minutes took; what needs fewer is not named. Where a limit is high,
# the check is what is dear: it reads to the end what a door stops reading, or crosses a dozen doors.
_STEP_LIMITS: Final = {
    "tracestate": 3_000,
    "baggage": 6_000,
    "deadline": 3_000,
    "forwarded": 80_000,
    "x_forwarded": 8_000,
    "ratelimit": 2_000,
    "cloudevent": 20_000,
    "decisions": 40_000,
    "context": 200_000,
    "toml": 200_000,
    "identity": 500,
    "claims": 800,
    "free_text": 1_000_000,
    "log_line": 300_000,
    "extract": 1_000_000,
}


def _codec(check: Callable[[bytes], object], seeds: tuple[bytes, ...]) -> Codec:
    name = check.__name__.removeprefix("check_")
    assert seeds
    return Codec(name, seeds, check, _STEP_LIMITS.get(name, 200))


CODECS: Final = (
    _codec(check_traceparent, values("headers/traceparent.json", "parse", "format")),
    _codec(check_tracestate, values("headers/tracestate.json", "parse")),
    _codec(check_baggage, values("headers/baggage.json", "parse", "format")),
    _codec(
        check_deadline,
        (
            *messages("headers/deadline.json", "read"),
            *(wire(**{case["form"]: case["value"]}) for case in vectors("headers/deadline.json", "parse")),
        ),
    ),
    _codec(check_grpc_timeout, values("headers/deadline.json", "parse")),
    _codec(check_milliseconds, values("headers/deadline.json", "parse")),
    _codec(check_rfc3339, values("headers/deadline.json", "parse")),
    _codec(check_forwarded, values("headers/forwarded.json", "elements")),
    _codec(check_x_forwarded, messages("headers/forwarded.json", "client")),
    _codec(check_node, values("headers/forwarded.json", "node", "x_node", key="text")),
    _codec(check_id, values("headers/ids.json", "parse")),
    _codec(check_idempotency_key, values("headers/structured.json", "idempotency_key")),
    _codec(check_deprecation, values("headers/structured.json", "deprecation")),
    _codec(check_ratelimit, values("headers/structured.json", "ratelimit_policy", "ratelimit")),
    _codec(check_ulid, values("headers/ulid.json", "parse")),
    _codec(check_cloudevent, messages("headers/cloudevents.json", "parse")),
    _codec(check_decisions, values("carry/wire.json", "read")),
    _codec(check_token, values("signing/tokens.json", "believed", key="token")),
    _codec(check_context, (SIGNED,)),
    _codec(check_claims, (_CLAIMS,)),
    _codec(check_toml, (_CONTRACT,)),
    _codec(check_identity, (_IDENTITY,)),
    _codec(
        check_log_line, (_REQUEST, *(b"accept" + VALUE + each for each in values("headers/redaction.json", "clear")))
    ),
    _codec(check_free_text, values("headers/redaction.json", "text", "leak", key="text")),
    _codec(check_extract, (_REQUEST, *messages("headers/w3c_trace_context.json", "cases"))),
)
