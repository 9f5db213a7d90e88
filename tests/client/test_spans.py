"""What evaluations put on OpenTelemetry's spans."""

import json
import subprocess
import sys

# In an interpreter of its own: a tracer provider is set once per process.
SCRIPT = """
import json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import pennon
from pennon.ambient import entered
from pennon.context import Identity, Ledger, RequestContext, Trace

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
context = lambda: RequestContext(
    Trace("0" * 31 + "1", "0" * 15 + "1", None, 0, ""), "r", Ledger(), identity=Identity(units={"user": "u"})
)
seen = {}
with pennon.testing.flags({"checkout": True}):
    for spans in (None, True, False):
        with pennon.connect(spans=spans) as client:
            for name, request in (("outside", None), ("within", context())):
                exporter.clear()
                with trace.get_tracer("t").start_as_current_span("s"):
                    for _ in range(3):
                        if request is None:
                            client.is_on("checkout", unit="u")
                        else:
                            token = pennon.ambient.CURRENT.set(request)
                            client.is_on("checkout")
                            pennon.ambient.CURRENT.reset(token)
                (span,) = exporter.get_finished_spans()
                seen[f"{spans} {name}"] = [dict(event.attributes)["feature_flag.key"] for event in span.events]
print(json.dumps(seen))
"""

UNMET = (
    SCRIPT[: SCRIPT.index("seen = {}")]
    + """
seen = []
fixed = pennon.testing.FixedFlag
needs = fixed(True, prerequisites={"other": True, "base": True})
with pennon.testing.flags({"base": False, "other": True, "needs": needs}):
    with pennon.connect() as client:
        token = pennon.ambient.CURRENT.set(context())
        with trace.get_tracer("t").start_as_current_span("s"):
            for flag in ("base", "needs"):
                client.is_on(flag, default=True)
(span,) = exporter.get_finished_spans()
print(json.dumps([dict(event.attributes).get("pennon.prerequisite.unmet") for event in span.events]))
"""
)


def test_spans_bear_what_each_request_decides_first() -> None:
    """By default; every evaluation where asked for, none where refused. A ledger hit is nothing new."""
    out = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True, timeout=60).stdout
    expected = {
        "None outside": [],
        "None within": ["checkout"],
        "True outside": ["checkout"] * 3,
        "True within": ["checkout"],
        "False outside": [],
        "False within": [],
    }
    assert expected == json.loads(out)


def test_span_says_which_flag_took_another_down() -> None:
    """`disabled` alone would leave people to guess."""
    out = subprocess.run([sys.executable, "-c", UNMET], capture_output=True, check=True, timeout=60).stdout
    assert [None, "base"] == json.loads(out)
