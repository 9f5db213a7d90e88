"""One service: many askers in one request, and what leaves it towards which host."""

import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from pennon.carry import decode
from pennon.headers import parse_baggage

pytestmark = [pytest.mark.system, pytest.mark.slow]

FLAG = "checkout"
Received = dict[str, dict[str, list[str]]]


class Sink:
    """A host that remembers the headers of each path it is asked for; /redirect/x goes to the undeclared one."""

    def __init__(self) -> None:
        self.received: Received = defaultdict(dict)
        self.redirect_to = ""
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sink.received[self.path] = {
                    name.lower(): self.headers.get_all(name) or [] for name in set(self.headers.keys())
                }
                is_redirect = self.path.startswith("/redirect/")
                self.send_response(307 if is_redirect else 204)
                if is_redirect:
                    self.send_header("location", f"http://{sink.redirect_to}/redirected-{self.path.rsplit('/')[-1]}")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Not into the test's output."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def sinks() -> Iterator[tuple[Sink, Sink]]:
    declared, undeclared = Sink(), Sink()
    declared.redirect_to = undeclared.host
    yield declared, undeclared
    declared.close()
    undeclared.close()


class Inside:
    """The service under test."""

    def __init__(self, processes: Any, control_plane: Any, tools: Any, sinks: tuple[Sink, Sink], **more: str) -> None:
        port = tools.free_port()
        environment = {"PENNON_SERVER": control_plane.url, "PENNON_TOKEN": control_plane.sdk_token, "PORT": str(port)}
        hosts = {"DECLARED": sinks[0].host, "UNDECLARED": sinks[1].host}
        command = [sys.executable, str(tools.services / "inside.py")]
        self.process = processes.start("inside", command, **environment, **hosts, **more)
        self.process.hear(lambda line: "ready" in line)
        self.url = f"http://127.0.0.1:{port}"
        tools.wait_until(lambda: tools.is_up(self.url), saying=self.process.log)

    def get(self, path: str) -> dict[str, Any]:
        answer = httpx.get(self.url + path, headers={"authorization": "Bearer user-1"}, timeout=30)
        assert answer.status_code == 200, self.process.log()
        return dict(answer.json())


@pytest.fixture
def rolled_out(control_plane: Any) -> None:
    control_plane.create(FLAG, type="boolean", variants=[{"key": "on", "value": True}, {"key": "off", "value": False}])
    control_plane.ramp(FLAG, 100_000)


@pytest.mark.parametrize("path", ["/sync", "/gather"])
def test_request_agrees_with_itself_while_the_flag_changes(
    path: str, rolled_out: None, processes: Any, control_plane: Any, tools: Any, sinks: tuple[Sink, Sink]
) -> None:
    """Gathered children, threads, a sync endpoint and its dependency keep the first decision, and it leaves."""
    inside = Inside(processes, control_plane, tools, sinks)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(inside.get, path)
        inside.process.hear(lambda line: "asked" in line)
        control_plane.ramp(FLAG, 0)
        told = answer.result()

    assert {"on"} == {asked["variant"] for asked in told["asked"]}
    assert "off" == told["local"]["variant"]
    [member] = _ours(sinks[0].received[path])
    [entry] = decode(member).entries
    assert 0 == entry.origin


@pytest.mark.parametrize("instrumented", ["", "1"])
def test_only_the_declared_host_gets_the_decision(
    instrumented: str, rolled_out: None, processes: Any, control_plane: Any, tools: Any, sinks: tuple[Sink, Sink]
) -> None:
    """A redirect, an undeclared host and a plain call get nothing of ours, also beside OpenTelemetry's own hooks."""
    more = {"INSTRUMENT": instrumented} if instrumented else {}
    inside = Inside(processes, control_plane, tools, sinks, **more)

    assert "on" == inside.get("/calls")["variant"]

    declared, undeclared = sinks
    for path in ("/declared-async", "/declared-sync", "/redirect/async", "/redirect/sync"):
        [member] = _ours(declared.received[path])
        assert 1 == len(decode(member).entries), path
    asked = {"/undeclared-async", "/undeclared-sync", "/redirected-async", "/redirected-sync", "/plain"}
    assert asked == set(undeclared.received)
    for path, headers in undeclared.received.items():
        leaked = {name for name, values in headers.items() if "pennon" in name or any("pennon" in v for v in values)}
        assert set() == leaked, path
        assert not {"baggage", "x-request-id", "x-correlation-id"} & set(headers), path


def _ours(headers: dict[str, list[str]]) -> list[str]:
    parsed = parse_baggage([value.encode() for value in headers.get("baggage", [])])
    return [member.value for member in parsed.members if member.key == "pennon"]
