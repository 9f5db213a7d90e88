"""The demo as a newcomer runs it, and the commands it prints."""

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pennon.testing import Kafka

pytestmark = [pytest.mark.system, pytest.mark.kafka, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SECONDS = 20
# A person sees the effect of a command within this time after it returned.
EFFECT_LIMIT_S = 1.0


class Demo:
    """`python -m streamsocial --json` in a folder of its own, its lines as they come."""

    def __init__(self, folder: Path, kafka: Kafka) -> None:
        self.folder = folder
        self._err = folder / "demo.err"
        with self._err.open("w") as errors:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "streamsocial",
                    "--for",
                    str(SECONDS),
                    "--rate",
                    "15",
                    "--json",
                    "--kafka",
                    kafka.bootstrap,
                ],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT / "examples")},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.lines: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(json.loads(line))
                self._news.notify_all()

    def wait_for(self, event: str, *, count: int = 1) -> dict[str, Any]:
        """The count-th line of this event."""
        with self._news:
            done = self._news.wait_for(lambda: len(self.of(event)) >= count, 60)
            assert done, f"{len(self.of(event))} of {count} {event}: {self._err.read_text()}"
            return self.of(event)[count - 1]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    def run(self, command: str) -> float:
        """Type a command that the demo printed; when it returned, in seconds since 1970."""
        done = subprocess.run(
            shlex.split(command), cwd=self.folder, capture_output=True, text=True, timeout=20, check=False
        )
        assert done.returncode == 0, done.stderr
        return time.time()

    def end(self) -> int:
        code = self.process.wait(60)
        self._thread.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@pytest.fixture
def demo(tmp_path: Path, kafka: Kafka) -> Iterator[Demo]:
    started = Demo(tmp_path, kafka)
    yield started
    if started.process.poll() is None:
        started.process.terminate()
        started.end()


@pytest.mark.timeout(180)
def test_demo_shows_a_ramp_and_a_kill_within_a_second(demo: Demo) -> None:
    """At least a hundred whole journeys, each with one variant; both commands visible at once; nothing left behind."""
    commands = {command.split()[2]: command for command in demo.wait_for("ready")["commands"] if "show" not in command}
    ramp = next(command for command in demo.of("ready")[0]["commands"] if command.endswith("ramp feed-ranking 100"))
    demo.wait_for("journey", count=30)
    ramped_s = demo.run(ramp)
    demo.wait_for("journey", count=len(demo.of("journey")) + 60)
    killed_s = demo.run(commands["kill"])
    demo.wait_for("journey", count=len(demo.of("journey")) + 30)
    children = {child.pid for child in psutil.Process(demo.process.pid).children(recursive=True)}

    assert 0 == demo.end()

    journeys = demo.of("journey")
    assert len(journeys) >= 100
    assert {3} == {len(journey["hops"]) for journey in journeys}
    before = {hop["variant"] for journey in _begun(journeys, 0, ramped_s - 2) for hop in journey["hops"]}
    assert {"ranked", "chronological"} == before
    ramped = [hop for journey in _begun(journeys, ramped_s + EFFECT_LIMIT_S, killed_s - 1) for hop in journey["hops"]]
    assert {"ranked"} == {hop["variant"] for hop in ramped}
    killed = [hop for journey in _begun(journeys, killed_s + EFFECT_LIMIT_S, killed_s + 60) for hop in journey["hops"]]
    assert {("chronological", "KILLED")} == {(hop["variant"], hop["reason"]) for hop in killed}
    assert not {pid for pid in children if psutil.pid_exists(pid)}
    assert not (demo.folder / ".pennon" / "credentials").exists()


def _begun(journeys: list[dict[str, Any]], from_s: float, until_s: float) -> list[dict[str, Any]]:
    found = [journey for journey in journeys if from_s <= journey["began_s"] <= until_s]
    assert found, "no journey in the interval"
    return found
