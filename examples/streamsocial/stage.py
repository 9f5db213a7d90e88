"""Starts what the demo needs, each in a process of its own, brings back what falls, and ends all of it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

Told = Callable[[dict[str, Any]], None]

# Above the deadline that services set themselves.
END_TIMEOUT_S = 10.0
READY_TIMEOUT_S = 45.0
POLL_S = 0.05

# A service that falls this often within its first seconds will not come up.
QUICK_FALLS_LIMIT_COUNT = 3
QUICK_S = 5.0

CREDENTIALS = Path(".pennon/credentials")


class Actor:
    """One process, and whoever takes its place."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        told: Told,
        listener: socket.socket | None,
    ) -> None:
        self.name = name
        self.is_ready = threading.Event()
        self.quick_falls_count = 0
        self._command = command
        self._environment = environment
        self._log = log
        self._told = told
        self._listener = listener
        self.start()

    def start(self) -> None:
        """Run the command (again)."""
        handles = [] if self._listener is None else [self._listener.fileno()]
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                self._command,
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                pass_fds=handles,
                # Ctrl-C reaches the demo alone, which ends the others in order.
                start_new_session=True,
            )
        self.started_s = time.monotonic()
        self.hears = threading.Thread(target=self._hear, args=(self.process.stdout,), name=f"hears-{self.name}")
        self.hears.start()

    def _hear(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                if line.startswith("{"):
                    told = json.loads(line)
                    if told.get("told") == "ready":
                        self.is_ready.set()
                    self._told(told)

    def end(self, deadline_s: float) -> None:
        """Wait until it has ended, and make it at the deadline; it was asked to before."""
        try:
            self.process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.hears.join(1.0)
        if self._listener is not None:
            self._listener.close()

    def log(self) -> str:
        """The end of what it wrote."""
        return self._log.read_text()[-2_000:]


class Stage:
    """Everything started here. `with Stage() as stage:` ends it, last started first, whatever happens."""

    def __init__(self, folder: Path, told: Told) -> None:
        self._folder = folder
        self._told = told
        self._acts: list[list[Actor]] = [[]]
        self._is_ending = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Callers end before those they call: act by act, the last one first, each at once."""
        self._is_ending = True
        for act in reversed(self._acts):
            for actor in act:
                actor.process.terminate()
            deadline_s = time.monotonic() + END_TIMEOUT_S
            for actor in act:
                actor.end(deadline_s)

    def next_act(self) -> None:
        """What is started from now on ends before what was started so far."""
        self._acts.append([])

    def start(
        self,
        name: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        listener: socket.socket | None = None,
    ) -> Actor:
        """Run Python with these arguments.

        What it prints, a JSON object a line, is told on; the rest goes to a file. listener: a socket for it to listen
        on; the stage keeps it open, so that who calls while the process is replaced waits in the kernel's queue.
        """
        given = dict(environment or {})
        if listener is not None:
            given["LISTEN_FD"] = str(listener.fileno())
        command = [sys.executable, *arguments]
        actor = Actor(name, command, given, self._folder / f"{name}.log", self._told, listener)
        self._acts[-1].append(actor)
        return actor

    def actors(self) -> dict[str, Actor]:
        """By name."""
        return {actor.name: actor for act in self._acts for actor in act}

    def wait_ready(self, actors: Sequence[Actor]) -> None:
        """Until all of them have said that they are.

        Raises: RuntimeError, with what it printed, if one ended or took too long.
        """
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        for actor in actors:
            while not actor.is_ready.wait(POLL_S):
                if actor.process.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError(f"{actor.name} did not come up:\n{actor.log()}")

    def replace_fallen(self, *, but_not: frozenset[str]) -> list[Actor]:
        """Start again what has ended by itself, as any platform would; what was started.

        Raises: RuntimeError if it is one of `but_not`, or falls again and again.
        """
        fallen = [actor for actor in self.actors().values() if actor.process.poll() is not None]
        for actor in fallen:
            is_quick = time.monotonic() - actor.started_s < QUICK_S
            actor.quick_falls_count = actor.quick_falls_count + 1 if is_quick else 0
            if actor.name in but_not or actor.quick_falls_count >= QUICK_FALLS_LIMIT_COUNT:
                raise RuntimeError(f"{actor.name} ended by itself:\n{actor.log()}")
            actor.is_ready.clear()
            actor.start()
        return fallen


def listener() -> socket.socket:
    """A loopback socket on a free port, listening."""
    return socket.create_server(("127.0.0.1", 0), backlog=1_024)


def address_of(bound: socket.socket) -> str:
    """Its host and port."""
    host, port = bound.getsockname()
    return f"{host}:{port}"


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with listener() as probe:
        return int(probe.getsockname()[1])


@contextmanager
def own_credentials() -> Iterator[Path]:
    """`.pennon/credentials` for the demo's server; a file that was there before comes back at the end."""
    CREDENTIALS.parent.mkdir(mode=0o700, exist_ok=True)
    before = CREDENTIALS.with_suffix(".before-demo")
    if CREDENTIALS.exists():
        shutil.move(CREDENTIALS, before)
    try:
        yield CREDENTIALS
    finally:
        CREDENTIALS.unlink(missing_ok=True)
        if before.exists():
            shutil.move(before, CREDENTIALS)
