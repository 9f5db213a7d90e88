"""The app as a process."""

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pennon.errors import SettingInvalid
from pennon.journeys import serve

SAMPLE = Path(__file__).parent / "sample_trace.json"
PROGRAM = """
from pennon.journeys import serve
serve(port=0, server=None, token=None, on_started=lambda url: print(url, flush=True))
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """A served app; its first line is its address."""
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield running
    running.kill()
    running.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_open_streams_and_the_process_in_good_order(process: Any, number: int) -> None:
    """A page that looks does not hold the end up, and nothing of it is logged as a failure."""
    url = httpx.URL(process.stdout.readline().strip())
    sent = httpx.post(f"{url}/v1/traces", content=SAMPLE.read_bytes(), headers={"content-type": "application/json"})
    stream = http.client.HTTPConnection(url.host, url.port or 0, timeout=60)
    stream.request("GET", "/api/live")
    response = stream.getresponse()
    opened = response.readline()
    process.send_signal(number)
    response.read()
    stream.close()
    assert (200, b"event: traffic\n", 0) == (sent.status_code, opened, process.wait(60))
    assert "" == process.stderr.read()


def test_address_that_is_not_loopback_needs_its_names() -> None:
    """There is no login: whoever reaches it may flip every flag."""
    with pytest.raises(SettingInvalid, match="not a loopback address"):
        serve(host="0.0.0.0", port=0, server=None, token=None)


def test_settings_are_refused_together() -> None:
    """Every fault at once."""
    with pytest.raises(SettingInvalid, match=r"loopback.*limit_traces"):
        serve(host="192.0.2.1", port=0, server=None, token=None, limit_traces=0)


def test_port_that_is_taken_is_named() -> None:
    """With the way out."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SettingInvalid, match=r"cannot listen.*another port"),
    ):
        serve(port=taken.getsockname()[1], server=None, token=None)
