"""The commands, as typed, against a real server."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]

Run = Callable[..., subprocess.CompletedProcess[str]]


def _json(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_flag_lives_from_create_to_archive(run: Run) -> None:
    """Every authoring command does what its sentence says, and the history tells it."""
    assert 0 == run("flags", "create", "new-checkout", "--description", "the new one").returncode
    assert "25% of units" in run("flags", "ramp", "new-checkout", "25", "--reason", "first step").stdout
    assert "'on'" in run("flags", "set", "new-checkout", "--serve", "on").stdout
    assert "is off" in run("flags", "set", "new-checkout", "--off").stdout
    assert 0 == run("flags", "set", "new-checkout", "--on").returncode
    assert 0 == run("flags", "kill", "new-checkout", "--reason", "refunds fail").returncode
    killed = _json(run("flags", "show", "new-checkout", "--json"))["settings"]
    assert 0 == run("flags", "kill", "new-checkout").returncode
    again = _json(run("flags", "show", "new-checkout", "--json"))["settings"]
    assert (True, killed["revision"], killed["void_before"]) == (
        again["killed"],
        again["revision"],
        again["void_before"],
    )
    assert 0 == run("flags", "unkill", "new-checkout").returncode
    assert 0 == run("flags", "archive", "new-checkout").returncode

    history = _json(run("flags", "history", "new-checkout", "--json"))

    assert ["archive", "unkill", "kill", "update", "update", "update", "update", "create"] == [
        row["action"] for row in history
    ]
    assert {"refunds fail", "first step"} <= {row["reason"] for row in history}


def test_list_and_show_read_well(run: Run) -> None:
    """People see the flag, its variants, and what is served in words."""
    run("flags", "create", "ranking", "--type", "string", "-v", "new=new", "-v", "old=old")
    run("flags", "ramp", "ranking", "0.5%")

    listed, shown = run("flags", "list"), run("flags", "show", "ranking")

    assert "'new' to 0.5% of units, 'old' to the rest" in listed.stdout
    assert 'new = "new", old = "old"' in shown.stdout


def test_eval_says_which_rule_and_clause_decided(run: Run) -> None:
    """The answer of the SDK, explained, and as JSON."""
    run("flags", "create", "gate")
    rule = {
        "id": "pros",
        "clauses": [{"op": "equals", "attribute": "plan", "value": "pro"}],
        "serve": {"variant": "on"},
    }
    assert 0 == run("flags", "set", "gate", "--patch", "-", stdin=json.dumps({"rules": [rule]})).returncode

    explained = run("eval", "gate", "--unit", "user-7", "-a", "plan=pro")
    answer = _json(run("eval", "gate", "--unit", "user-7", "-a", "plan=free", "--json"))

    assert "pros" in explained.stdout
    assert "plan" in explained.stdout
    assert (False, "off") == (answer["value"], answer["variant"])


def test_eval_of_an_unknown_flag_ends_with_1(run: Run) -> None:
    """An answer that is an error says so in words and in the exit code."""
    done = run("eval", "nowhere", "--unit", "user-7")

    assert 1 == done.returncode
    assert "FLAG_NOT_FOUND" in done.stdout


def test_every_fault_of_a_patch_is_printed(run: Run) -> None:
    """A document with two faults names both, each with its path, and changes nothing."""
    run("flags", "create", "gate")
    before = _json(run("flags", "show", "gate", "--json"))

    patch = {"off": "nowhere", "fallthrough": {"split": {"weights": [{"variant": "on", "weight": 7}], "coverage": -1}}}
    done = run("flags", "set", "gate", "--patch", json.dumps(patch))

    assert 1 == done.returncode
    assert "/off" in done.stderr
    assert "/fallthrough/split" in done.stderr
    assert before == _json(run("flags", "show", "gate", "--json"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("flags", "show", "nowhere"), 1, "nowhere"),
        (("flags", "ramp", "gate", "120"), 2, "from 0 to 100"),
        (("flags", "set", "gate"), 2, "nothing to set"),
        (("flags", "list", "--server", "http://127.0.0.1:9", "--token", "pn_adm_x"), 3, "127.0.0.1:9"),
        (("flags", "list", "--server", "http://127.0.0.1:9"), 1, "no admin token"),
        (("flags", "list", "--token", "pn_adm_wrong"), 1, "token"),
        (("token", "create", "--role", "sdk"), 2, "--env"),
    ],
)
def test_wrong_input_ends_with_its_code(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    """One line that names the thing, and an exit code a script can tell apart."""
    run("flags", "create", "gate")

    done = run(*arguments)

    assert code == done.returncode, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_created_token_works_and_is_printed_once(run: Run) -> None:
    """A new SDK token evaluates."""
    run("flags", "create", "gate")
    token = run("token", "create", "--env", "staging", "--name", "orders").stdout.strip()

    assert token.startswith("pn_sdk_")
    assert "'off'" in run("eval", "gate", "--unit", "u", "--token", token).stdout


def test_missing_server_names_every_way_to_say_it(run: Run, tmp_path: Path) -> None:
    """Without credentials the message says what to do."""
    command = [str(Path(sys.executable).with_name("pennon")), "flags", "list"]
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        command,
        cwd=tmp_path / "empty",
        env={"PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert 1 == done.returncode
    assert all(way in done.stderr for way in ("--server", "PENNON_SERVER", ".pennon/credentials"))


def test_a_flag_is_edited_shown_and_its_decisions_forgotten(run: Run) -> None:
    """What the project says of it, what it asks for, and the floor."""
    run("flags", "create", "gate")
    run("flags", "create", "payments")
    asked = {"prerequisites": [{"flag": "payments", "variants": ["on"]}]}
    assert 0 == run("flags", "set", "gate", "--patch", json.dumps(asked)).returncode
    edited = run("flags", "edit", "gate", "--at", "publish", "--carry-max-age", "60", "--overridable")
    assert "changed 'gate' in every environment" in edited.stdout

    shown = run("flags", "show", "gate").stdout
    assert all(said in shown for said in ("for at most 60 s", "publish", "if payments", "is 'on', else 'off'"))
    flag = _json(run("flags", "edit", "gate", "--carry-max-age", "none", "--not-overridable", "--json"))
    assert (None, "publish", False) == (flag["carry_max_age_s"], flag["at"], flag["overridable"])
    assert "nothing to change" in run("flags", "edit", "gate").stderr

    forgotten = _json(run("flags", "forget-carried", "gate", "--reason", "wrong units", "--json"))
    assert forgotten["revision"] == forgotten["void_before"]
    assert "before revision" in run("flags", "forget-carried", "gate").stdout
    assert ["forget", "forget"] == [row["action"] for row in _json(run("flags", "history", "gate", "--json"))][:2]


def test_a_backup_is_restored_under_a_running_server(run: Run, control_plane: Any) -> None:
    """The old state in a new epoch; what was killed since stays killed, unless it is to be dropped."""
    folder = control_plane.credentials.parent.parent
    database, backup = f"sqlite:///{folder}/pennon.db", folder / "backup.db"
    run("flags", "create", "gate")
    with sqlite3.connect(folder / "pennon.db") as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()
    run("flags", "create", "since")
    run("flags", "kill", "gate")

    restored = run("restore", "backup.db", "--database", database)
    assert "default/production: 'gate' stays killed" in restored.stdout
    assert "the database of before is" in restored.stdout
    assert _json(run("flags", "show", "gate", "--json"))["settings"]["killed"]
    assert "no flag 'since'" in run("flags", "show", "since").stderr

    again = _json(run("restore", "backup.db", "--database", database, "--drop-kills", "--json"))
    assert not _json(run("flags", "show", "gate", "--json"))["settings"]["killed"]
    last = _json(run("restore", "--in-place", "--database", database, "--json"))
    before, after = ([row["epoch"] for row in done["environments"]] for done in (again, last))
    assert all(now > was for was, now in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "either BACKUP or --in-place"),
        (("backup.db", "--in-place"), 2, "either BACKUP or --in-place"),
        (("nowhere.db",), 1, "nowhere.db: no such file"),
        (("--in-place", "--database", "sqlite:///nowhere/pennon.db"), 1, "no such file"),
    ],
)
def test_a_restore_of_nothing_is_refused(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    """One line, and no database is made."""
    done = run("restore", *arguments)

    assert code == done.returncode, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
