"""pennon.otel where OpenTelemetry is not installed."""

import subprocess
import sys

import pytest

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Blocker())
"""

USED = """
import pennon.http
from pennon import otel
from pennon.context import Answer, Reason, ErrorCode
from pennon.headers import Contract, public

with otel.server_span("GET", path="/", scheme="http", trace=None) as span:
    assert span.trace is None
    span.attribute("a", 1); span.routed("GET", "/b"); span.fail("500")
with otel.client_span("GET", url="http://a/", host="a", port=1): pass
with otel.producer_span("t"): pass
with otel.process_span("t", trace=None): pass
with otel.batch_span("t", message_count=1, links=()): pass
assert not otel.is_recording()
with otel.outbound(is_silenced=True): pass
otel.record_decision(Answer("f", None, None, None, Reason.ERROR, None, None, 0, ErrorCode.GENERAL))
otel.export_counters()
pennon.http.asgi(None, Contract("shop", version="1", owner="tests"), boundary=public())
assert otel.current_trace() is None and otel.current_baggage() == ()
try:
    otel.PennonPropagator
except ModuleNotFoundError as error:
    assert error.name == "opentelemetry", error.name
    assert "pip install 'pennon[otel]'" in str(error), error
else:
    raise AssertionError("a propagator without its base")
"""

IMPORTED = """
import sys
import pennon.otel
assert not any(name.partition(".")[0] == "opentelemetry" for name in sys.modules)
"""


def run(program: str) -> None:
    """Run it in an interpreter of its own."""
    command = [sys.executable, "-W", "error", "-c", program]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert 0 == ended.returncode, ended.stderr


@pytest.mark.req(34)
def test_everything_but_the_propagator_works_without_the_api() -> None:
    """All calls do nothing; the propagator says what is missing."""
    run(BLOCKED + USED)


def test_import_does_not_load_the_api() -> None:
    """Who does not use spans does not pay for importing them."""
    run(IMPORTED)
