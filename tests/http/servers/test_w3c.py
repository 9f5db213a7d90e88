"""W3C's trace-context cases over real HTTP, behind each server, asked of a service that forwards."""

from collections.abc import Callable, Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from pennon.testing.headers import W3cTraceContext

pytestmark = pytest.mark.slow

SERVERS = ["uvicorn, httptools", "uvicorn, h11", "hypercorn", "gunicorn", "gunicorn, threads", "wsgiref"]


@pytest.fixture(scope="module")
def spans() -> Iterator[None]:
    """OpenTelemetry's SDK makes spans in this process; gunicorn's workers set it up themselves."""
    with pytest.MonkeyPatch.context() as patched:
        # The public setter works once per process.
        patched.setattr(trace, "_TRACER_PROVIDER", TracerProvider())
        yield


@pytest.fixture(scope="module")
def services(behind: Callable[[str], dict[str, str]], spans: None) -> dict[str, str]:
    """Their addresses by server."""
    return behind("forwarding")


@pytest.mark.req(22, 116)
@pytest.mark.parametrize("server", SERVERS)
def test_service_passes_all_forty(server: str, services: dict[str, str], w3c_trace_context: W3cTraceContext) -> None:
    """Whatever the server's parser makes of the headers, and with a parent of its own for each call."""
    assert SERVERS == list(services)
    assert 40 == w3c_trace_context.run_at(f"http://{services[server]}/", each_call_has_a_span=True)
