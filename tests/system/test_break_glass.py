"""`pennon break-glass`, as typed, while another process holds the database; and a server killed in the midst of it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import pennon

pytestmark = [pytest.mark.system, pytest.mark.slow]

Done = subprocess.CompletedProcess[str]


class Duty:
    """Whoever is on call at a control plane with a flag that is on, its key made beforehand."""

    def __init__(self, run: Callable[..., Done], plane: Any) -> None:
        self.run = run
        self.plane = plane
        self.folder: Path = plane.credentials.parent.parent
        self.done("flags", "create", "checkout")
        self.done("flags", "set", "checkout", "--serve", "on")
        self.signer = self.told("signer", "create", "oncall", "--use", "kill", "--all")["id"]

    def done(self, *arguments: str) -> str:
        """What a command prints that is done."""
        done = self.run(*arguments)
        assert 0 == done.returncode, done.stderr
        return done.stdout.strip()

    def told(self, *arguments: str) -> Any:
        """The same as JSON."""
        return json.loads(self.done(*arguments, "--json"))

    @contextmanager
    def held_database(self) -> Iterator[None]:
        """Another process writes, and does not end: the server can write nothing, no kill either."""
        with closing(sqlite3.connect(self.folder / "pennon.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    def settings(self) -> Any:
        """What the database says of the flag."""
        return self.plane.http.get("/environments/production/flags/checkout").json()


@pytest.fixture
def duty(run: Callable[..., Done], control_plane: Any) -> Duty:
    """At a server of their own."""
    return Duty(run, control_plane)


def test_kill_holds_while_the_server_dies_and_the_database_is_held(duty: Duty, processes: Any, tools: Any) -> None:
    """Off at once, and at every moment until it is killed in the database, by the server that came after."""
    port = duty.plane.url.rpartition(":")[2]
    client = pennon.connect(duty.plane.url, token=duty.plane.sdk_token)
    assert client.wait_ready(60)
    assert client.is_on("checkout", unit="user-7", default=False)
    with duty.held_database():
        told = duty.told("break-glass", "kill", "checkout", "--env", "production", "--reason", "it burns")
        tools.wait_until(lambda: not client.is_on("checkout", unit="user-7", default=False))
        assert [True, True] == [told["servers"][0][name] for name in ("taken", "kept")]
        seen, ended = [], threading.Event()

        def watch() -> None:
            while not ended.is_set():
                seen.append(client.is_on("checkout", unit="user-7", default=False))
                ended.wait(0.001)

        watching = threading.Thread(target=watch)
        watching.start()
        server = processes._children[0]
        os.kill(server.pid, signal.SIGKILL)
        server.end()
    command = [sys.executable, "-m", "pennon", "serve", "--port", port]
    again = processes.start("again", [*command, "--database", f"sqlite:///{duty.folder}/pennon.db"])
    tools.wait_until(lambda: tools.is_up(f"{duty.plane.url}/health/ready"), saying=again.log)
    tools.wait_until(lambda: duty.settings()["killed"])
    tools.wait_until(lambda: not client._state.replica.emergencies)
    ended.set()
    watching.join(60)
    assert {False} == set(seen)

    last = duty.told("flags", "history", "checkout")[0]
    (server_said,) = told["servers"]
    assert ("kill", f"break-glass {duty.signer}") == (last["action"], last["actor"])
    assert f"it burns (token {server_said['id']})" == last["reason"]
    assert [] == list((duty.folder / ".pennon/break-glass").iterdir())

    duty.done("flags", "unkill", "checkout")
    tools.wait_until(lambda: client.is_on("checkout", unit="user-7", default=False))
    assert "nothing to do" in duty.done("break-glass", "send", told["token"])
    assert client.is_on("checkout", unit="user-7", default=False)
    client.close()


def test_command_asks_no_server_and_says_which_took_it(duty: Duty, tools: Any) -> None:
    """Without any token of the control plane; a server that is not there is named, and how to send it again."""
    duty.plane.credentials.unlink()
    gone = f"http://127.0.0.1:{tools.free_port()}"
    servers = ("--server", duty.plane.url, "--server", gone)
    done = duty.run("break-glass", "kill", "checkout", "--env", "staging", "--ttl", "10m", *servers)

    assert 3 == done.returncode
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{duty.plane.url}: default/staging: killed 'checkout' (")
    assert second.startswith(f"{gone}: not taken: ")
    token = done.stderr.split()[-1]
    assert 0 == duty.run("break-glass", "send", token, "--server", duty.plane.url).returncode
    assert 3 == duty.run("break-glass", "send", token, "--server", gone).returncode
    tools.wait_until(lambda: duty.plane.http.get("/environments/staging/flags/checkout").json()["killed"])


def test_environment_is_named_by_key_or_by_id(duty: Duty, tools: Any) -> None:
    """By what was noted beside the key; without the note by its id, or by asking."""
    noted = json.loads((duty.folder / ".pennon/keys/oncall.json").read_text())
    assert {"default/production", "default/staging"} == set(noted)
    duty.done("break-glass", "kill", "checkout", "--env", noted["default/staging"])
    (duty.folder / ".pennon/keys/oncall.json").unlink()
    key = ("--key", ".pennon/keys/oncall.pem")
    duty.done("break-glass", "kill", "checkout", "--env", noted["default/production"], *key)
    duty.done("break-glass", "kill", "checkout", "--env", "production", *key)
    tools.wait_until(lambda: duty.settings()["killed"])
    none = duty.run("break-glass", "kill", "checkout")
    assert (1, True) == (none.returncode, "was made for kills in default/production: name its file" in none.stderr)
    unknown = duty.run("break-glass", "kill", "checkout", "--env", "none", *key)
    assert (1, "no environment 'none'" in unknown.stderr) == (unknown.returncode, True)


REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    (("checkout", "--ttl", "25h"), 2, "'25h' must be more than 0s and at most 24h"),
    (("checkout", "--ttl", "0s"), 2, "'0s' must be more than 0s"),
    (("none",), 1, "no flag 'none' in environment 'production'"),
    (("checkout", "--project", "other"), 1, "was made for kills in other/production"),
    (("checkout", "--key", "none.pem", "--env", "0123456789"), 1, "none.pem: cannot be read"),
    (("checkout", "--reason", "x" * 2_000), 1, "its claims are too long"),
]


def test_kill_that_cannot_be_signed_or_is_refused_says_why(duty: Duty) -> None:
    """One line each, with its exit code; nothing is killed."""
    for arguments, code, said in REFUSED:
        done = duty.run("break-glass", "kill", *arguments)
        assert (arguments, code) == (arguments, done.returncode)
        assert said in done.stdout + done.stderr
    other = duty.run("signer", "create", "tester", "--use", "override")
    assert 0 == other.returncode
    environment_id = json.loads((duty.folder / ".pennon/keys/oncall.json").read_text())["default/production"]
    wrong = ("--key", ".pennon/keys/tester.pem", "--env", environment_id)
    assert "not believed: signer_use" in duty.run("break-glass", "kill", "checkout", *wrong).stdout
    assert not duty.settings()["killed"]
