"""The test kit of the header contract: whether a service keeps what its contract promises.

`cases_of(contract, boundary)` makes one case per rule; `Case.run(app)` asks the service. The pytest fixtures
`header_contract_suite`, `downstream_spy`, `w3c_trace_context` and `hostile_headers` come by themselves
(`pennon.testing.plugin`). Works without a control plane, a server, Kafka or OpenTelemetry.
"""

from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.hostile import Hostile, HostileHeaders
from pennon.testing.headers.probing import Probe
from pennon.testing.headers.service import Needs, Unseen
from pennon.testing.headers.spy import UNDECLARED, DownstreamSpy, Reached
from pennon.testing.headers.suite import cases_of, run_suite
from pennon.testing.headers.w3c import W3cTraceContext

__all__ = [
    "UNDECLARED",
    "Caller",
    "Case",
    "DownstreamSpy",
    "Hostile",
    "HostileHeaders",
    "Needs",
    "Probe",
    "Reached",
    "Unseen",
    "W3cTraceContext",
    "cases_of",
    "run_suite",
]
