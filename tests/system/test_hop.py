"""A service without pennon in the middle of a journey."""

import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]

FLAG = "checkout"
ROOT = Path(__file__).parents[2]
PACKAGES = (
    "fastapi",
    "uvicorn",
    "httpx",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-fastapi",
    "opentelemetry-instrumentation-httpx",
)


@pytest.fixture
def stranger(tmp_path: Path, tools: Any) -> Path:
    """The Python of a virtual environment with stock packages only."""
    python: Path = tools.virtual_environment(tmp_path / "stranger", *PACKAGES)
    return python


@pytest.mark.timeout(420)
def test_decision_crosses_a_service_without_pennon(
    stranger: Path, processes: Any, control_plane: Any, tools: Any
) -> None:
    """OpenTelemetry's own propagation carries our member through a service that knows nothing of it."""
    control_plane.create(FLAG, type="boolean", variants=[{"key": "on", "value": True}, {"key": "off", "value": False}])
    control_plane.ramp(FLAG, 100_000)
    ports = {name: tools.free_port() for name in ("gateway", "hop", "posts")}
    urls = {name: f"http://127.0.0.1:{port}/" for name, port in ports.items()}
    hop = processes.start(
        "hop",
        [str(stranger), "-I", str(ROOT / "tests/system/hop/service.py")],
        PORT=str(ports["hop"]),
        NEXT=urls["posts"],
    )
    shared = {"PENNON_SERVER": control_plane.url, "PENNON_TOKEN": control_plane.sdk_token}
    shared |= {"KAFKA": "127.0.0.1:9", "TOPIC": "unused", "POSTS_HOST": f"127.0.0.1:{ports['hop']}"}
    chain = [sys.executable, str(tools.services / "chain.py")]
    gateway = processes.start("gateway", [*chain, "gateway"], **shared, PORT=str(ports["gateway"]))
    sink = processes.start("sink", [*chain, "sink"], **shared, PORT=str(ports["posts"]))
    assert hop.hear(lambda line: "ready" in line)["has_pennon"] is False
    for process, name in ((gateway, "gateway"), (hop, "hop"), (sink, "posts")):
        tools.wait_until(lambda name=name: tools.is_up(urls[name]), saying=process.log)
    headers = {"x-correlation-id": "j-1", "authorization": "Bearer user-1"}

    answer = httpx.post(urls["gateway"], json={"author": "user-1"}, headers=headers, timeout=60)

    assert 201 == answer.status_code, gateway.log() + hop.log() + sink.log()
    decided, carried = (process.hear(lambda line: line.get("user") == "user-1") for process in (gateway, sink))
    assert ("on", "SPLIT") == (decided["variant"], decided["reason"])
    assert ("on", "CARRIED") == (carried["variant"], carried["reason"])
