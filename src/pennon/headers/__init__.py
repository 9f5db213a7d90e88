"""The header contract and its codecs: what a request or record may say, who is believed, and what may leave to whom.

Here live the declaration (`Contract`, `Field`, `Downstream`, `Boundary`), the built-in fields (`std`), the codecs and
the two crossings: `extract` reads headers, `inject` says which leave. HTTP and Kafka share them. Here is no I/O, and
nothing about decisions: baggage members whose key begins with `pennon` pass as opaque text; `carry` reads and writes
them.

Codecs that are used by themselves are imported from their own modules: `deadline`, `proxies`, and those that no
crossing needs (`structured`, `ulid`, `cloudevents`, `redaction`, `leaks`), so that who needs none waits for none.
"""

from pennon.context import Identity
from pennon.headers.baggage import Baggage, format_baggage, parse_baggage
from pennon.headers.boundary import Boundary, Inbound, mesh, networks, public
from pennon.headers.carrier import Headers
from pennon.headers.contract import Contract
from pennon.headers.deadline import DeadlineForm, DeadlinePolicy
from pennon.headers.egress import inject
from pennon.headers.extracted import Extracted
from pennon.headers.fields import (
    BaggageKey,
    BaggagePolicy,
    Breaker,
    Budgets,
    Category,
    Classification,
    Downstream,
    Field,
    Limits,
    Log,
    Propagate,
    Retries,
    Trust,
    UnknownHeaders,
    UnknownMembers,
)
from pennon.headers.grammar import DECIDED
from pennon.headers.ids import new_request_id, parse_id
from pennon.headers.ingress import ENTROPY_BYTES, extract
from pennon.headers.proxies import ForwardedSource, TrustedProxies
from pennon.headers.report import Drop, DropReason, Refusal, Report
from pennon.headers.tracecontext import (
    TraceParent,
    TraceState,
    fit_tracestate,
    format_traceparent,
    format_tracestate,
    parse_traceparent,
    parse_tracestate,
)
from pennon.headers.written import Outgoing

__all__ = [
    "DECIDED",
    "ENTROPY_BYTES",
    "Baggage",
    "BaggageKey",
    "BaggagePolicy",
    "Boundary",
    "Breaker",
    "Budgets",
    "Category",
    "Classification",
    "Contract",
    "DeadlineForm",
    "DeadlinePolicy",
    "Downstream",
    "Drop",
    "DropReason",
    "Extracted",
    "Field",
    "ForwardedSource",
    "Headers",
    "Identity",
    "Inbound",
    "Limits",
    "Log",
    "Outgoing",
    "Propagate",
    "Refusal",
    "Report",
    "Retries",
    "TraceParent",
    "TraceState",
    "Trust",
    "TrustedProxies",
    "UnknownHeaders",
    "UnknownMembers",
    "extract",
    "fit_tracestate",
    "format_baggage",
    "format_traceparent",
    "format_tracestate",
    "inject",
    "mesh",
    "networks",
    "new_request_id",
    "parse_baggage",
    "parse_id",
    "parse_traceparent",
    "parse_tracestate",
    "public",
]
