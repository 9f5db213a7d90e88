"""A process that is killed in the midst of its traffic, and a successor that delivers what it had exposed."""

import json
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]

SERVICE = Path(__file__).parent / "services" / "exposing.py"
FLAG = "checkout"


@pytest.fixture
def start(processes: Any, control_plane: Any) -> Any:
    """Starts the service with this spool."""
    control_plane.create(
        FLAG, type="boolean", variants=[{"key": "on", "value": True}, {"key": "off", "value": False}], exposes=True
    )
    control_plane.patch(FLAG, {"on": True})
    control_plane.ramp(FLAG, 100_000)
    environment = {"PENNON_SERVER": control_plane.url, "PENNON_TOKEN": control_plane.sdk_token}

    def started(name: str, spool: Path) -> Any:
        process = processes.start(name, [sys.executable, str(SERVICE), str(spool)], **environment)
        process.hear(lambda line: "ready" in line)
        return process

    return started


def exposed_by(process: Any) -> list[str]:
    """Whom it said that it has exposed, heard to the end."""
    process._thread.join(60)
    return [line["exposed"] for line in process._heard if "exposed" in line]


def counted(control_plane: Any) -> int:
    """How many exposures the server has, each id once."""
    answer = control_plane.http.get("/environments/production/exposures", params={"flag": FLAG}).json()
    return sum(item["count"] for item in answer["items"])


def files(spool: Path) -> dict[Path, list[bytes]]:
    """The whole lines of each file, also while somebody delivers and removes them; a write may have been cut short."""
    found = {}
    for folder, _, names in os.walk(spool):
        for path in (Path(folder, name) for name in names if name.endswith(".jsonl")):
            with suppress(FileNotFoundError):
                found[path] = path.read_bytes().split(b"\n")[:-1]
    return found


def until(holds: Any) -> None:
    """Wait for it, a minute at most."""
    tick = threading.Event()
    for _ in range(1_200):
        if holds():
            return
        tick.wait(0.05)
    raise AssertionError(f"never held: {holds}")


def test_exposures_of_a_killed_process_are_delivered_by_its_successor(
    start: Any, control_plane: Any, tmp_path: Path
) -> None:
    """All whose call had returned; beyond them at most one for each thread that was in mid-call. A child lives on."""
    spool = tmp_path / "spool"
    victim = start("victim", spool)
    victim.say("expose")
    # Until some have been delivered, and others have not.
    until(lambda: counted(control_plane) >= 300)
    victim.say("fork")
    child = victim.hear(lambda line: "forked" in line)
    os.kill(victim.pid, signal.SIGKILL)
    victim._child.wait(60)
    left = [json.loads(line) for lines in files(spool).values() for line in lines]
    assert {"exposure"} == {key for line in left for key in line}
    before = counted(control_plane)
    successor = start("successor", spool)
    exposed = len({*exposed_by(victim), child["exposed"]})
    until(lambda: not files(spool))
    assert exposed <= counted(control_plane) <= exposed + 3
    assert before < exposed, "the kill has left nothing to deliver: the test has shown nothing"
    successor._child.stdin.close()
    successor.hear(lambda line: "closed" in line)


def test_successors_follow_each_other_until_all_is_delivered(start: Any, control_plane: Any, tmp_path: Path) -> None:
    """Each is killed soon after it has begun, and adds its own; the last one ends in order and leaves nothing."""
    spool, exposed = tmp_path / "spool", 0
    for name in ("first", "second", "third"):
        process = start(name, spool)
        process.say("expose")
        for _ in range(50):
            process.hear(lambda line: "exposed" in line)
        os.kill(process.pid, signal.SIGKILL)
        process._child.wait(60)
        exposed += 50 + len(exposed_by(process))
    last = start("last", spool)
    until(lambda: counted(control_plane) >= exposed)
    last._child.stdin.close()
    last.hear(lambda line: "closed" in line)
    assert exposed <= counted(control_plane) <= exposed + 9
    assert [] == list(spool.iterdir())
