"""Decisions that come back: three real processes that know different things about one user."""

import sys
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]

FLAG = "checkout"
SERVICES = ("ranking", "posts", "gateway")


@pytest.fixture
def for_pros(control_plane: Any) -> None:
    """A carried flag that is on for one plan, which the gateway and posts know nothing of."""
    control_plane.create(FLAG, type="boolean", variants=[{"key": "on", "value": True}, {"key": "off", "value": False}])
    is_pro = [{"op": "equals", "attribute": "plan", "value": "pro", "negate": False}]
    control_plane.patch(FLAG, {"carry": True}, environment=None)
    control_plane.patch(FLAG, {"on": True, "rules": [{"id": "pro", "clauses": is_pro, "serve": {"variant": "on"}}]})


def asked(processes: Any, control_plane: Any, tools: Any, **more: str) -> httpx.Response:
    """The gateway's answer to one request."""
    hosts = {name.upper(): f"127.0.0.1:{tools.free_port()}" for name in SERVICES}
    shared = {"PENNON_SERVER": control_plane.url, "PENNON_TOKEN": control_plane.sdk_token, **hosts, **more}
    for name in SERVICES:
        service = processes.start(name, [sys.executable, str(tools.services / "callers.py"), name], **shared)
        service.hear(lambda line: "ready" in line)
        tools.wait_until(lambda name=name: tools.is_up(f"http://{hosts[name.upper()]}/"), saying=service.log)
    return httpx.get(f"http://{hosts['GATEWAY']}/", timeout=60)


def test_gateway_learns_what_the_last_service_decided(
    for_pros: None, processes: Any, control_plane: Any, tools: Any
) -> None:
    """Over two hops, and acts on it although its own replica says otherwise; its own caller is told nothing."""
    answer = asked(processes, control_plane, tools)

    ranking, posts, gateway = answer.json()
    assert ("on", "TARGETING_MATCH") == (ranking["variant"], ranking["reason"])
    for service in (posts, gateway):
        assert ("on", "CARRIED", "off") == (service["variant"], service["reason"], service["local"])
    assert not [name for name in answer.headers if name.startswith("pennon")]


def test_decided_at_ingress_is_decided_for_all(for_pros: None, processes: Any, control_plane: Any, tools: Any) -> None:
    """The gateway asks first, and whoever knows more comes too late."""
    ranking, posts, gateway = asked(processes, control_plane, tools, INGRESS="1").json()

    assert ["off"] * 3 == [service["variant"] for service in (ranking, posts, gateway)]
    assert "on" == ranking["local"]
    assert ["CARRIED"] * 2 == [service["reason"] for service in (ranking, posts)]
