"""Clients across `fork`: a child evaluates at once with what its parent had, and follows anew."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pennon.sync import Delta, Put

Until = Callable[[Callable[[], object]], None]

# Run by a fresh interpreter: pytest itself has threads that should not be forked.
FORKING = """
import json, os, sys, threading
import pennon
from pennon.carry import Divergence

def say(**what):
    os.write(1, (json.dumps({"pid": os.getpid(), **what}) + "\\n").encode())

# What it counts it reports at its end: no machine is so slow that a child has reported before it has looked.
flags = pennon.connect(timing=pennon.Timing(flush_s=3600.0, connect_s=60.0, close_s=60.0))
assert flags.wait_ready(60)
# Evaluations, counts and compiling go on in another thread all the while: a lock it holds must not reach the child.
busy = threading.Event()
def ask():
    while not busy.is_set():
        flags.is_on("unknown", unit="u")
        flags.is_on("exposing", unit=str(busy))
        flags._link.reports.compared("checkout", Divergence.AGREED)
threading.Thread(target=ask, daemon=True).start()

def await_change():
    changed = threading.Event()
    flags.listen(lambda notice: changed.set())
    while flags.is_on("checkout", unit="u") and changed.wait(60):
        changed.clear()

children = []
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        value, status = flags.is_on("checkout", unit="u"), flags.status
        reports = flags._link.reports
        inherited = len(reports.drain_divergences())
        reports.compared("checkout", Divergence.AGREED)
        counted = [inherited, len(reports.drain_divergences())]
        say(at="once", value=value, status=status, reports=counted)
        await_change()
        flags.is_on("unknown", unit="u")
        reports.compared("child", Divergence.AGREED)
        say(at="later", value=flags.is_on("checkout", unit="u"), status=flags.status)
        flags.close()
        say(at="closed", value=None, status=flags.status)
        os._exit(0)
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
await_change()
say(at="parent", value=flags.is_on("checkout", unit="u"), status=flags.status, codes=codes)
busy.set()
flags.close()
"""


def next_lines(process: subprocess.Popen[bytes], count: int) -> list[dict[str, Any]]:
    """The next things that a process and its children say; waits for them."""
    assert process.stdout is not None
    return [json.loads(process.stdout.readline()) for _ in range(count)]


def lines_of(process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    """What they say from here to their end."""
    out, _ = process.communicate(timeout=60)
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.slow
def test_forked_children_answer_at_once_and_follow_anew(server: Any, make: Any, until: Until) -> None:
    """Three children: each has the parent's ruleset, opens its own stream, sees the change, and closes."""
    environ = {**os.environ, "PENNON_SERVER": server.url, "PENNON_TOKEN": "t"}
    process = subprocess.Popen([sys.executable, "-c", FORKING, "3"], stdout=subprocess.PIPE, env=environ)
    ruleset = make.ruleset(make.flag(), make.split("exposing", id=11, exposes=True))
    streams = [server.accept()]
    streams[0].send(ruleset)
    streams += [server.accept() for _ in range(3)]
    # Each child resumes where its parent stood.
    assert ["1.1"] * 3 == [stream.headers["last-event-id"] for stream in streams[1:]]
    # The change comes when all have answered: one that is slow would else answer after it.
    said = next_lines(process, 3)
    for stream in streams:
        stream.send(Delta(7, 1, 1, 2, Put(flags={"checkout": make.flag(serve="off", revision=2)})))
    said += lines_of(process)
    by_place = {at: [line for line in said if line["at"] == at] for at in ("once", "later", "closed", "parent")}
    assert 3 == len({line["pid"] for line in by_place["once"]})
    assert [True] * 3 == [line["value"] for line in by_place["once"]]
    # What the parent had counted it reports itself.
    assert [[0, 1]] * 3 == [line["reports"] for line in by_place["once"]]
    assert {"STALE", "READY"} >= {line["status"] for line in by_place["once"]}
    assert [False] * 3 == [line["value"] for line in by_place["later"]]
    assert ["CLOSED"] * 3 == [line["status"] for line in by_place["closed"]]
    told = [report for report in server.reports if "child" in {item["flag"] for item in report["divergence"]}]
    assert 3 == len(told) == len({report["report"] for report in told})
    (parent,) = by_place["parent"]
    assert (False, [0, 0, 0]) == (parent["value"], parent["codes"])


APPLICATION = """
import json, os
import pennon

flags = pennon.connect()
flags.wait_ready(60)

def app(environ, start_response):
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps({"pid": os.getpid(), "on": flags.is_on("checkout", unit="u")}).encode()]
"""


@pytest.mark.slow
def test_gunicorn_workers_forked_after_connecting_follow(server: Any, make: Any, until: Until, tmp_path: Path) -> None:
    """`--preload` connects in the master; both workers answer and see a change."""
    (tmp_path / "application.py").write_text(APPLICATION)
    environ = {**os.environ, "PENNON_SERVER": server.url, "PENNON_TOKEN": "t"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, handle = listener.getsockname()[1], listener.fileno()
        command = [sys.executable, "-m", "gunicorn", "--preload", "-w", "2", "-b", f"fd://{handle}", "application:app"]
        process = subprocess.Popen([*command, "--log-level", "error"], cwd=tmp_path, env=environ, pass_fds=[handle])
    try:
        streams = [server.accept()]
        streams[0].send(make.ruleset(make.flag()))
        streams += [server.accept() for _ in range(2)]
        until(lambda: len({said["pid"] for said in _ask(port, 8)}) == 2)
        assert {True} == {said["on"] for said in _ask(port, 8)}
        for stream in streams:
            stream.send(Delta(7, 1, 1, 2, Put(flags={"checkout": make.flag(serve="off", revision=2)})))
        until(lambda: {False} == {said["on"] for said in _ask(port, 8)})
    finally:
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(60)


def _ask(port: int, times: int) -> list[dict[str, Any]]:
    answers = []
    for _ in range(times):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as response:
                answers.append(json.load(response))
        except OSError:
            return [{"pid": None, "on": None}]
    return answers
