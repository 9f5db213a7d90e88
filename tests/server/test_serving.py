"""The process: first start, later starts, SIGTERM. Real processes over real HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.slow

DEADLINE_S = 60.0
_MAIN = """
import sys
from pathlib import Path
from pennon.server import serve
host, port, folder, *more = sys.argv[1:]
serve(host=host, port=int(port), database=f"sqlite:///{folder}/pennon.db", credentials=Path(folder) / "credentials",
      new_credentials="--new-credentials" in more, on_started=lambda url: print(url, flush=True))
"""


class Process:
    """One server process in a folder."""

    def __init__(self, folder: Path, *more: str, port: int = 0) -> None:
        self.folder = folder
        command = [sys.executable, "-c", _MAIN, "127.0.0.1", str(port), str(folder), *more]
        self.log_path = folder / "log"
        with self.log_path.open("ab") as log:
            self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)

    @property
    def url(self) -> str:
        """Where it listens, once it does."""
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    @property
    def credentials(self) -> dict[str, Any]:
        """What it wrote."""
        held: dict[str, Any] = json.loads((self.folder / "credentials").read_text())
        return held

    def events(self) -> list[str]:
        """The names of what it logged."""
        return [json.loads(line)["event"] for line in self.log_path.read_text().splitlines()]

    def end(self, signal_: int = signal.SIGTERM) -> int:
        """Its exit code after this signal."""
        self.popen.send_signal(signal_)
        return self.popen.wait(DEADLINE_S)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """Start a server in this test's folder; what is left at the end is ended."""
    started: list[Process] = []

    def start_(*more: str, port: int = 0) -> Process:
        started.append(Process(tmp_path, *more, port=port))
        return started[-1]

    yield start_
    for process in started:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.wait(DEADLINE_S)
        assert process.popen.stdout is not None
        process.popen.stdout.close()


def get(url: str, path: str, token: str) -> httpx.Response:
    """One request."""
    return httpx.get(url + path, headers={"authorization": f"Bearer {token}"}, timeout=DEADLINE_S)


def wait_until_refused(url: str) -> None:
    """Return once the server takes no new connection: its shutdown has begun."""
    host, port = url.removeprefix("http://").split(":")
    deadline = threading.Event()
    for _ in range(int(DEADLINE_S / 0.02)):
        try:
            socket.create_connection((host, int(port)), timeout=DEADLINE_S).close()
        except ConnectionRefusedError:
            return
        deadline.wait(0.02)
    raise AssertionError("the server went on accepting")


def test_first_start_writes_working_credentials_that_only_the_owner_reads(start: Any) -> None:
    """Project, environments, tokens; the real port; mode 0600; and no token in the log."""
    process = start()
    url, held = process.url, process.credentials
    assert (url, "default", {"production", "staging"}) == (held["server"], held["project"], set(held["sdk"]))
    assert 0o600 == (process.folder / "credentials").stat().st_mode & 0o777
    assert 200 == get(url, "/v1/projects/default/flags", held["admin"]).status_code
    for environment, token in held["sdk"].items():
        assert environment == get(url, "/v1/sdk/ruleset", token).json()["environment"]["key"]
    assert 0 == process.end()
    assert held["admin"] not in process.log_path.read_text()
    database = b"".join(path.read_bytes() for path in process.folder.glob("pennon.db*"))
    assert held["admin"].encode() not in database


def test_later_start_keeps_the_tokens_and_brings_the_address_up_to_date(start: Any) -> None:
    """A restart on another port invalidates nothing."""
    first = start()
    before = (first.url, first.credentials)
    first.end()
    second = start()
    url = second.url
    assert {**before[1], "server": url} == second.credentials
    assert 200 == get(url, "/v1/projects", before[1]["admin"]).status_code


def test_start_without_the_file_says_how_to_make_new_tokens_and_does(start: Any) -> None:
    """Tokens are not made behind anybody's back; asked for, they are, and the old ones go on working."""
    first = start()
    _, held = first.url, first.credentials
    first.end()
    (first.folder / "credentials").unlink()
    second = start()
    assert second.url
    second.end()
    assert not (second.folder / "credentials").exists()
    assert "credentials.missing" in second.events()
    assert "--new-credentials" in second.log_path.read_text()
    third = start("--new-credentials")
    url = third.url
    assert [200, 200] == [
        get(url, "/v1/projects", token).status_code for token in (held["admin"], third.credentials["admin"])
    ]


def test_file_of_another_database_is_kept_beside_the_new_one(start: Any) -> None:
    """A first start overwrites nobody's tokens."""
    process = start()
    _, before = process.url, process.credentials
    process.end()
    for path in process.folder.glob("pennon.db*"):
        path.unlink()
    again = start()
    assert again.url
    assert before == json.loads((again.folder / "credentials.old").read_text())
    assert before["admin"] != again.credentials["admin"]


def test_port_that_is_taken_is_said_in_one_sentence(start: Any) -> None:
    """Not a traceback of the event loop."""
    first = start()
    port = int(first.url.rpartition(":")[2])
    second = start(port=port)
    assert 0 != second.popen.wait(DEADLINE_S)
    assert f"127.0.0.1:{port}: cannot listen" in second.log_path.read_text()


def test_sigterm_with_twenty_open_streams_ends_them_and_exits_0_in_time(start: Any) -> None:
    """Every reader sees an orderly end, and the process does not wait for what would never end by itself."""
    process = start()
    url, token = process.url, process.credentials["sdk"]["production"]
    ended: list[bool] = []
    with ExitStack() as stack:
        readers = []
        for _ in range(20):
            headers = {"authorization": f"Bearer {token}"}
            stream = httpx.stream("GET", f"{url}/v1/sdk/stream", headers=headers, timeout=DEADLINE_S)
            lines = stack.enter_context(stream).iter_lines()
            assert "event: snapshot" == next(lines)
            readers.append(threading.Thread(target=lambda lines=lines: ended.append(bool(list(lines)) or True)))
        for reader in readers:
            reader.start()
        process.popen.send_signal(signal.SIGTERM)
        assert 0 == process.popen.wait(DEADLINE_S)
        for reader in readers:
            reader.join(DEADLINE_S)
    assert [True] * 20 == ended
    assert "server.stopped" == process.events()[-1]
    assert "graceful shutdown exceeded" not in process.log_path.read_text()


def test_sigterm_lets_what_is_in_flight_finish(start: Any) -> None:
    """A request whose body is still coming when SIGTERM does is answered."""
    process = start()
    url, held = process.url, process.credentials

    def body() -> Iterator[bytes]:
        yield b'{"key": "late", "type": "boolean", '
        process.popen.send_signal(signal.SIGTERM)
        wait_until_refused(url)
        yield b'"variants": [{"key": "on", "value": true}]}'

    headers = {"authorization": f"Bearer {held['admin']}", "content-type": "application/json"}
    response = httpx.post(f"{url}/v1/projects/default/flags", content=body(), headers=headers, timeout=DEADLINE_S)
    assert (201, 0) == (response.status_code, process.popen.wait(DEADLINE_S))


def test_second_signal_ends_at_once(start: Any) -> None:
    """With a request that never finishes, it is the second SIGTERM that ends the process, not the deadline, with 0."""
    process = start()
    url, held = process.url, process.credentials
    gone = threading.Event()

    def body() -> Iterator[bytes]:
        yield b"{"
        process.popen.send_signal(signal.SIGTERM)
        wait_until_refused(url)
        process.popen.send_signal(signal.SIGTERM)
        gone.wait(DEADLINE_S)
        yield b"}"

    def ask() -> None:
        headers = {"authorization": f"Bearer {held['admin']}", "content-type": "application/json"}
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{url}/v1/projects/default/flags", content=body(), headers=headers, timeout=DEADLINE_S)

    asking = threading.Thread(target=ask)
    asking.start()
    assert -signal.SIGTERM == process.popen.wait(DEADLINE_S)
    gone.set()
    asking.join(DEADLINE_S)


def test_killed_in_the_middle_it_starts_again_with_what_was_answered(start: Any) -> None:
    """What got an answer survives SIGKILL."""
    process = start()
    url, held = process.url, process.credentials
    document = {"key": "kept", "type": "boolean", "variants": [{"key": "on", "value": True}]}
    headers = {"authorization": f"Bearer {held['admin']}"}
    assert 201 == httpx.post(f"{url}/v1/projects/default/flags", json=document, headers=headers).status_code
    os.kill(process.popen.pid, signal.SIGKILL)
    process.popen.wait(DEADLINE_S)
    again = start()
    assert 200 == get(again.url, "/v1/projects/default/flags/kept", held["admin"]).status_code
