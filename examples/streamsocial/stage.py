"""Starts what the demo needs, each in a process of its own, and ends all of it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import httpx

Told = Callable[[dict[str, Any]], None]

END_TIMEOUT_S = 8.0
READY_TIMEOUT_S = 20.0
POLL_S = 0.05

CREDENTIALS = Path(".pennon/credentials")
_PENNON = [sys.executable, "-m", "pennon"]


class Stage:
    """Everything started here, in order. `with Stage() as stage:` ends it in reverse order, whatever happens."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[tuple[str, subprocess.Popen[str]]] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for _name, process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for thread in self._threads:
            thread.join(END_TIMEOUT_S)

    def start(
        self, name: str, command: list[str], *, environment: dict[str, str] | None = None, told: Told | None = None
    ) -> None:
        """Run a command. What it prints, a JSON object a line, goes to `told`; its errors go to a file."""
        with (self._folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                command,
                env=os.environ | (environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log if told is None else subprocess.PIPE,
                stderr=log,
                text=True,
                # Ctrl-C reaches the demo alone, which ends the others in order.
                start_new_session=True,
            )
        self._processes.append((name, process))
        if told is not None and process.stdout is not None:
            thread = threading.Thread(target=_listen, args=(process.stdout, told), name=f"hears-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def wait_ready(self, name: str, url: str) -> None:
        """Wait until the URL answers.

        Raises: RuntimeError, with what the process printed, if it ended or took too long.
        """
        tick = threading.Event()
        for _ in range(round(READY_TIMEOUT_S / POLL_S)):
            process = dict(self._processes)[name]
            if process.poll() is not None:
                break
            try:
                if httpx.get(url, timeout=1.0).status_code < 500:
                    return
            except httpx.HTTPError:
                pass
            tick.wait(POLL_S)
        raise RuntimeError(f"{name} did not come up at {url}:\n{self.log_of(name)}")

    def log_of(self, name: str) -> str:
        """The end of what a process wrote."""
        return (self._folder / f"{name}.log").read_text()[-2_000:]

    def fallen(self) -> str | None:
        """The name of a process that ended by itself, if any did."""
        return next((name for name, process in self._processes if process.poll() is not None), None)


def _listen(stream: IO[str], told: Told) -> None:
    for line in stream:
        if line.startswith("{"):
            told(json.loads(line))


def pennon(*arguments: str) -> None:
    """Run a `pennon` command as a person would. Raises: RuntimeError with what it said, if it was refused."""
    done = subprocess.run([*_PENNON, *arguments], capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise RuntimeError(f"pennon {' '.join(arguments)}: {done.stderr}")


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
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
