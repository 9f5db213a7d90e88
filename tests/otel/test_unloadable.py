"""pennon.otel where the environment names a provider that is not installed."""

import os
import subprocess
import sys

from opentelemetry.environment_variables import OTEL_PYTHON_TRACER_PROVIDER

SERVED = """
import asyncio
import logging
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import pennon.http
from pennon import otel
from pennon.headers import Contract, public

told, answers = [], []
logging.getLogger("opentelemetry.util._providers").addFilter(lambda record: told.append(record) or True)

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})

async def send(message):
    answers.append(message.get("status"))

door = pennon.http.asgi(app, Contract("named", version="1", owner="tests"), boundary=public())

def request():
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "headers": [], "query_string": b""}
    asyncio.run(door(scope, None, send))

request()
request()
assert [204, None] * 2 == answers, answers
assert 1 == len(told), told
assert not otel.is_recording()

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
request()
assert 1 == len(spans.get_finished_spans())
"""


def test_tracer_provider_that_cannot_be_loaded_breaks_no_request() -> None:
    """OpenTelemetry says so at the first request, and is not asked at each; one that is set later gets the spans."""
    command = [sys.executable, "-W", "error", "-c", SERVED]
    environment = os.environ | {OTEL_PYTHON_TRACER_PROVIDER: "nonesuch"}
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert 0 == ended.returncode, ended.stderr
