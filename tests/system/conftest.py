"""Real processes: a control plane, services, and the commands a person would type. Every one is ended by its test."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

END_TIMEOUT_S = 60.0
HEAR_TIMEOUT_S = 60.0
SERVICES = Path(__file__).parent / "services"
ROOT = Path(__file__).parents[2]


class Process:
    """A child whose standard output is JSON lines, heard as they come."""

    def __init__(self, command: list[str], *, environment: dict[str, str], folder: Path, name: str) -> None:
        self._log = folder / f"{name}.log"
        with self._log.open("a") as log:
            self._child = subprocess.Popen(
                command,
                env=os.environ | environment,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.name = name
        self._heard: list[dict[str, Any]] = []
        self._said: list[str] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def _hear(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._said.append(line)
            if line.startswith("{"):
                with self._news:
                    self._heard.append(json.loads(line))
                    self._news.notify_all()

    def say(self, command: str) -> None:
        """Type a line at it."""
        assert self._child.stdin is not None
        self._child.stdin.write(command + "\n")
        self._child.stdin.flush()

    def hear(self, wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The first line that is wanted and was not heard yet; the others stay for later."""
        with self._news:
            found = self._news.wait_for(lambda: next(filter(wanted, self._heard), None), HEAR_TIMEOUT_S)
            assert found is not None, f"{self.name} said nothing of the kind:\n{self.log()}"
            self._heard.remove(found)
        return found

    def said(self) -> str:
        """All that it wrote to standard output, heard or not."""
        return "".join(self._said)

    def log(self) -> str:
        return self._log.read_text()[-3_000:]

    def returncode(self) -> int | None:
        return self._child.poll()

    def end(self) -> int:
        """SIGTERM, then SIGKILL; the exit code."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        self._child.terminate()
        try:
            self._child.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
        self._thread.join(END_TIMEOUT_S)
        code = self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()
        return code


class Processes:
    """Starts children and ends them all, last started first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._children: list[Process] = []

    def start(self, name: str, command: list[str], **environment: str) -> Process:
        child = Process(command, environment=environment, folder=self.folder, name=name)
        self._children.append(child)
        return child

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self._children):
            child.end()


class ControlPlane:
    """A real server, and its API as an author uses it."""

    def __init__(self, url: str, credentials: Path) -> None:
        self.url = url
        self.credentials = credentials
        known = json.loads(credentials.read_text())
        self.sdk_token: str = known["sdk"]["production"]
        self.http = httpx.Client(
            base_url=f"{url}/v1/projects/default", headers={"authorization": f"Bearer {known['admin']}"}, timeout=10
        )

    def create(self, flag: str, **document: Any) -> None:
        self._done(self.http.post("/flags", json={"key": flag, **document}))

    def patch(self, flag: str, patch: dict[str, Any], *, environment: str | None = "production") -> dict[str, Any]:
        path = self._path(flag, environment)
        etag = self.http.get(path).headers["etag"]
        return self._done(self.http.patch(path, json=patch, headers={"if-match": etag}))

    def ramp(self, flag: str, coverage: int, *, variant: str = "on") -> dict[str, Any]:
        weights = [{"variant": variant, "weight": 100_000}]
        serve = {"variant": None, "split": {"weights": weights, "coverage": coverage}}
        return self.patch(flag, {"fallthrough": serve})

    def kill(self, flag: str) -> dict[str, Any]:
        """The one change that it made."""
        killed = self._done(self.http.put(self._path(flag, "production") + "/kill", json={"reason": "test"}))
        return dict(killed["changes"][0])

    def unkill(self, flag: str) -> dict[str, Any]:
        return self._done(self.http.request("DELETE", self._path(flag, "production") + "/kill"))

    @staticmethod
    def _path(flag: str, environment: str | None) -> str:
        return f"/flags/{flag}" if environment is None else f"/environments/{environment}/flags/{flag}"

    @staticmethod
    def _done(response: httpx.Response) -> dict[str, Any]:
        assert response.is_success, response.text
        return dict(response.json()) if response.content else {}


def free_port() -> int:
    """A port that nobody is given before who asks for it by its number, for a minute.

    A connection that was closed from its side leaves it in TIME_WAIT: the kernel hands it out to nobody who takes any,
    and a server, which sets SO_REUSEADDR, gets it.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as peer:
        accepted, _ = listener.accept()
        accepted.close()
        assert b"" == peer.recv(1)
        return int(listener.getsockname()[1])


def wait_until(asked: Callable[[], bool], *, timeout_s: float = 60.0, saying: Callable[[], str] = str) -> None:
    """Until it holds. Fails with `saying()` if it never does."""
    tick, ends_s = threading.Event(), time.monotonic() + timeout_s
    while not asked():
        assert time.monotonic() < ends_s, saying()
        tick.wait(0.02)


def is_up(url: str) -> bool:
    try:
        return httpx.get(url, timeout=END_TIMEOUT_S).status_code < 500
    except httpx.HTTPError:
        return False


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Processes]:
    """Makes a place for children that all tests of a module look at; to be entered."""
    return lambda: Processes(tmp_path_factory.mktemp("processes"))


@pytest.fixture
def control_plane(processes: Processes) -> Iterator[ControlPlane]:
    """A server of its own for each test, on a new database."""
    port, folder = free_port(), processes.folder
    command = [sys.executable, "-m", "pennon", "serve", "--port", str(port)]
    server = processes.start("server", [*command, "--database", f"sqlite:///{folder}/pennon.db"])
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: is_up(f"{url}/health/ready"), saying=server.log)
    plane = ControlPlane(url, folder / ".pennon" / "credentials")
    yield plane
    plane.http.close()


@pytest.fixture
def run(control_plane: ControlPlane) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Type a command in the folder where the server wrote its credentials."""
    folder = control_plane.credentials.parent.parent

    def typed(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("pennon")), *arguments]
        plain = {"PATH": "/usr/bin:/bin", "COLUMNS": "120", **environment}
        return subprocess.run(
            command, cwd=folder, env=plain, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    return typed


def virtual_environment(folder: Path, *packages: str) -> Path:
    """The Python of a new virtual environment with these packages, in the versions of constraints.txt."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt"), *packages]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(command, check=True, env=clean, timeout=300)
    return python


class Tools:
    """What tests of this folder use besides the fixtures (importlib mode has no imports between test files)."""

    free_port = staticmethod(free_port)
    wait_until = staticmethod(wait_until)
    is_up = staticmethod(is_up)
    virtual_environment = staticmethod(virtual_environment)
    services = SERVICES


@pytest.fixture(scope="session")
def tools() -> type[Tools]:
    return Tools
