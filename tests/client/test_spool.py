"""The spool: exposures outlive their process, whenever it is killed, and are delivered by whoever comes next."""

import fcntl
import itertools
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import pennon
from pennon.carry import Exposure
from pennon.client import Timing, spool_files
from pennon.client import spool as spool_module
from pennon.client.exposures import Buffer
from pennon.client.spool import Spool
from pennon.client.spool_files import Folder, Line, decode_line, encode_line, root_of
from pennon.client.waiting import BATCH_COUNT, LIMIT_COUNT, Early
from pennon.context import Answer, Decision, Environment, Origin, Reason, Scope
from pennon.counters import Count
from pennon.errors import SettingInvalid
from pennon.flags import Flag, Ruleset

Until = Callable[[Callable[[], object]], None]
Counted = Callable[[Count], dict[str, int]]

ENVIRONMENT = 7
TOKEN = "pn_sdk_test"


def exposure(number: int, unit_key: str = "u") -> Exposure:
    """One of many."""
    return Exposure(f"{number:032x}", "checkout", "on", "user", unit_key, 1, 5, 1)


def files(root: Path) -> list[Path]:
    """What is on the disk, also while somebody removes it."""
    return sorted(Path(folder, name) for folder, _, names in os.walk(root) for name in names)


def drained(spool: Spool, outlet: int = 0) -> list[Exposure]:
    """Deliver everything to an outlet."""
    found = list[Exposure]()
    while batch := spool.take(outlet):
        found += batch
        spool.done(outlet)
    return found


def killed(spool: Spool) -> None:
    """What the kernel does to the spool of a process that is killed: it closes what is open, and nothing else."""
    spool.clear()


def tear(root: Path) -> None:
    """Let the last thing that the killed process did be half a write."""
    path = max(files(root), key=lambda path: path.stat().st_mtime_ns)
    with path.open("ab") as file:
        file.write(encode_line(Line(exposure=exposure(0)))[:-10])


# --- one process


def test_exposure_is_on_the_disk_when_put_returns(tmp_path: Path) -> None:
    """A line of JSON of its own, for the owner alone."""
    spool = Spool(tmp_path, 1)
    assert spool.put(exposure(1), ENVIRONMENT)
    (path,) = files(tmp_path)
    (line,) = path.read_text().splitlines()
    assert {"id", "flag", "variant", "unit_kind", "unit_key", "phase", "at_ns", "revision"} == json.loads(line)[
        "exposure"
    ].keys()
    assert (0o600, 0o700) == (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777)


def test_what_every_outlet_has_delivered_leaves_the_disk(tmp_path: Path) -> None:
    """Not before the last of them."""
    spool = Spool(tmp_path, 2)
    for number in range(3):
        spool.put(exposure(number), ENVIRONMENT)
    assert [0, 1, 2] == [int(each.id, 16) for each in drained(spool, 1)]
    assert 1 == len(files(tmp_path))
    assert 3 == len(drained(spool, 0))
    assert ([], 0) == (files(tmp_path), len(spool))


def test_batch_that_was_given_back_is_taken_again(tmp_path: Path) -> None:
    """The same, in the same order."""
    spool = Spool(tmp_path, 1)
    for number in range(BATCH_COUNT + 1):
        spool.put(exposure(number), ENVIRONMENT)
    first = spool.take(0)
    spool.give_back(first, 0)
    assert (BATCH_COUNT, BATCH_COUNT + 1) == (len(first), len(spool))
    assert [*first, exposure(BATCH_COUNT)] == drained(spool)


def test_files_are_begun_anew_and_go_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a long outage is not one file, and little comes twice after a kill."""
    monkeypatch.setattr(spool_module, "FILE_BYTES", 1_000)
    spool = Spool(tmp_path, 1)
    for number in range(1_000):
        spool.put(exposure(number), ENVIRONMENT)
    before = len(files(tmp_path))
    # About seven lines each.
    assert 100 < before
    spool.take(0)
    spool.done(0)
    assert before - 1 == len(files(tmp_path))


def test_outlet_that_is_stuck_does_not_cut_the_log_into_small_files(tmp_path: Path) -> None:
    """However often another one has read all there is."""
    spool = Spool(tmp_path, 2)
    for number in range(100):
        spool.put(exposure(number), ENVIRONMENT)
        assert [exposure(number)] == drained(spool, 1)
    assert 1 == len(files(tmp_path))


def test_close_leaves_what_was_not_delivered_and_nothing_else(tmp_path: Path, counted: Counted) -> None:
    """It is not lost, so it is not counted; a spool that is empty leaves no folder."""
    spool = Spool(tmp_path, 1)
    spool.put(exposure(1), ENVIRONMENT)
    spool.close()
    successor = Spool(tmp_path, 1)
    successor.take_over(ENVIRONMENT)
    assert [exposure(1)] == drained(successor)
    successor.close()
    assert ([], {}) == (list(tmp_path.iterdir()), counted(Count.EXPOSURES_DROPPED))


# --- the bounds, and what disks do


def test_over_the_limit_exposures_wait_in_memory_until_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    """As they would without a spool: the newest are dropped, and counted."""
    monkeypatch.setattr(spool_module, "LIMIT_BYTES", 10_000)
    spool, number = Spool(tmp_path, 1), 0
    while spool.put(exposure(number), ENVIRONMENT):
        number += 1
    on_disk = sum(path.read_bytes().count(b"\n") for path in files(tmp_path))
    assert 10_000 >= sum(path.stat().st_size for path in files(tmp_path))
    assert (LIMIT_COUNT, len(spool)) == (number - on_disk, number)
    assert ({"limit": LIMIT_COUNT + 1}, {"full": 1}) == (
        counted(Count.EXPOSURES_UNSPOOLED),
        counted(Count.EXPOSURES_DROPPED),
    )
    assert list(range(number)) == [int(each.id, 16) for each in drained(spool)]
    assert spool.put(exposure(number), ENVIRONMENT)
    assert 1 == len(files(tmp_path))


def test_outlet_that_is_stuck_drops_nothing_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    """Disk and memory are full for the one; the other goes on."""
    monkeypatch.setattr(spool_module, "LIMIT_BYTES", 10_000)
    spool, delivered = Spool(tmp_path, 2), 0
    for number in range(LIMIT_COUNT + 200):
        spool.put(exposure(number), ENVIRONMENT)
        if number % 100 == 99:
            delivered += len(drained(spool, 1))
    assert LIMIT_COUNT + 200 == delivered
    assert set(counted(Count.EXPOSURES_DROPPED)) == {"full"}


def test_disk_that_fails_is_counted_and_the_exposure_delivered_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    """And when the disk is well again, it is used again."""
    spool = Spool(tmp_path, 1)
    spool.put(exposure(1), ENVIRONMENT)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        assert spool.put(exposure(2), ENVIRONMENT)
    spool.put(exposure(3), ENVIRONMENT)
    assert {"disk": 1} == counted(Count.EXPOSURES_UNSPOOLED)
    assert 2 == sum(path.read_bytes().count(b"\n") for path in files(tmp_path))
    assert {1, 2, 3} == {int(each.id, 16) for each in drained(spool)}


@pytest.mark.parametrize("can_cut", [True, False])
def test_half_a_write_spoils_no_line_but_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Counted, can_cut: bool
) -> None:
    """A disk that fills up takes the first half of a line; the next must not be glued to it."""
    spool, write = Spool(tmp_path, 1), os.write

    def half(handle: int, data: bytes) -> int:
        return write(handle, data[:20])

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    spool.put(exposure(1), ENVIRONMENT)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", half)
        if not can_cut:
            patched.setattr(os, "ftruncate", fail)
        spool.put(exposure(2), ENVIRONMENT)
    spool.put(exposure(3), ENVIRONMENT)
    killed(spool)
    successor = Spool(tmp_path, 1)
    successor.take_over(ENVIRONMENT)
    # The second was in memory, of a process that was killed.
    assert [1, 3] == [int(each.id, 16) for each in drained(successor)]
    assert ({} if can_cut else {"unreadable": 1}) == counted(Count.EXPOSURES_DROPPED)


def test_spool_that_somebody_removes_costs_what_was_in_it_and_goes_on(tmp_path: Path, counted: Counted) -> None:
    """Counted, and the next exposure makes its folder anew."""
    root = tmp_path / "spool"
    root.mkdir()
    spool = Spool(root, 1)
    spool.put(exposure(1), ENVIRONMENT)
    for path in files(root):
        path.unlink()
        path.parent.rmdir()
    assert [] == drained(spool)
    assert {"unreadable": 1} == counted(Count.EXPOSURES_DROPPED)
    for number in range(2, 5):
        spool.put(exposure(number), ENVIRONMENT)
    assert ({2, 3, 4}, 1) == ({int(each.id, 16) for each in drained(spool)}, len(list(root.iterdir())))


def test_file_that_somebody_cuts_costs_what_was_cut_off(tmp_path: Path, counted: Counted) -> None:
    """What stands before is delivered."""
    spool = Spool(tmp_path, 1)
    for number in range(5):
        spool.put(exposure(number), ENVIRONMENT)
    (path,) = files(tmp_path)
    os.truncate(path, path.stat().st_size * 2 // 5)
    assert [0, 1] == [int(each.id, 16) for each in drained(spool)]
    assert {"unreadable": 3} == counted(Count.EXPOSURES_DROPPED)
    spool.put(exposure(5), ENVIRONMENT)
    assert ([exposure(5)], 0, []) == (drained(spool), len(spool), files(tmp_path))


def test_file_that_cannot_be_read_now_is_read_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many open files is no reason to lose anything."""
    spool = Spool(tmp_path, 1)
    spool.put(exposure(1), ENVIRONMENT)

    def fail(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", fail)
        assert [] == spool.take(0)
    assert [exposure(1)] == drained(spool)


@given(st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF), max_size=20))
def test_line_holds_whatever_a_unit_is_called(unit_key: str) -> None:
    """On one line, line ends and halves of characters included."""
    line = encode_line(Line(exposure=exposure(1, unit_key)))
    assert (1, b"\n") == (line.count(b"\n"), line[-1:])
    assert Line(exposure=exposure(1, unit_key)) == decode_line(line)


@given(st.data())
def test_line_that_is_torn_is_nothing(data: st.DataObject) -> None:
    """Wherever it ends, it is no other exposure."""
    line = encode_line(Line(exposure=exposure(1, data.draw(st.text(max_size=5)))))
    assert decode_line(line[: data.draw(st.integers(0, len(line) - 2))]) in (None, Line())


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[]", b"{}", b'{"exposure": 3}', b"[" * 100_000, b"nonsense"])
def test_line_that_is_nothing_of_ours_is_nothing(data: bytes) -> None:
    """Whatever somebody has put there."""
    assert decode_line(data) in (None, Line())


# --- several processes


def test_spool_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    """Several share a directory, and each delivers its own."""
    one, other = Spool(tmp_path, 1), Spool(tmp_path, 1)
    one.put(exposure(1), ENVIRONMENT)
    other.put(exposure(2), ENVIRONMENT)
    one.take_over(ENVIRONMENT)
    assert ([exposure(1)], [exposure(2)]) == (drained(one), drained(other))


def test_spool_of_a_killed_process_is_taken_over_once(tmp_path: Path, counted: Counted) -> None:
    """By one of those who look, while that one lives; half a line is passed over, and counted."""
    killed_one = Spool(tmp_path, 1)
    for number in range(3):
        killed_one.put(exposure(number), ENVIRONMENT)
    killed(killed_one)
    tear(tmp_path)
    first, second = Spool(tmp_path, 1), Spool(tmp_path, 1)
    first.put(exposure(3), ENVIRONMENT)
    for spool in (first, second, first):
        spool.take_over(ENVIRONMENT)
    assert (5, 0) == (len(first), len(second))
    assert ({0, 1, 2, 3}, []) == ({int(each.id, 16) for each in drained(first)}, drained(second))
    assert {"unreadable": 1} == counted(Count.EXPOSURES_DROPPED)
    first.close()
    assert [] == list(tmp_path.iterdir())


def test_outlet_that_is_stuck_does_not_keep_another_from_what_is_taken_over(tmp_path: Path) -> None:
    """Also where that one stands at the end of a file that is being written."""
    killed_one, spool = Spool(tmp_path, 2), Spool(tmp_path, 2)
    killed_one.put(exposure(1), ENVIRONMENT)
    spool.put(exposure(2), ENVIRONMENT)
    assert [exposure(2)] == drained(spool, 1)
    killed(killed_one)
    spool.take_over(ENVIRONMENT)
    assert [exposure(1)] == drained(spool, 1)
    assert [exposure(2), exposure(1)] == drained(spool, 0)


def test_folder_that_is_removed_while_it_is_locked_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that look for the dead may find the same one; what the slower one locks is gone from the disk."""
    lock = fcntl.flock

    def late(handle: int, operation: int) -> None:
        (tmp_path / "dead").rmdir()
        lock(handle, operation)

    (tmp_path / "dead").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", late)
        assert Folder.seize(tmp_path / "dead") is None


def test_successor_that_is_killed_too_has_a_successor(tmp_path: Path) -> None:
    """What it had taken over and not delivered is there for the next."""
    killed_one = Spool(tmp_path, 1)
    killed_one.put(exposure(1), ENVIRONMENT)
    killed(killed_one)
    second = Spool(tmp_path, 1)
    second.take_over(ENVIRONMENT)
    second.take(0)
    killed(second)
    third = Spool(tmp_path, 1)
    third.take_over(ENVIRONMENT)
    assert [exposure(1)] == drained(third)


def test_spool_of_another_environment_is_left_alone(tmp_path: Path) -> None:
    """Its exposures must never be told to this one's server."""
    killed_one = Spool(tmp_path, 1)
    killed_one.put(exposure(1), ENVIRONMENT + 1)
    killed(killed_one)
    spool = Spool(tmp_path, 1)
    spool.take_over(ENVIRONMENT)
    assert ([], 1) == (drained(spool), len(files(tmp_path)))
    spool.take_over(ENVIRONMENT + 1)
    assert [exposure(1)] == drained(spool)


def test_more_is_taken_over_only_while_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a fleet has left in a long outage comes bit by bit; nothing is left for ever."""
    for number in range(5):
        each = Spool(tmp_path, 1)
        each.put(exposure(number), ENVIRONMENT)
        killed(each)
    monkeypatch.setattr(spool_module, "LIMIT_BYTES", 200)
    spool, rounds = Spool(tmp_path, 1), list[int]()
    while not rounds or rounds[-1]:
        spool.take_over(ENVIRONMENT)
        rounds.append(len(drained(spool)))
    assert [2, 2, 1, 0] == rounds


def test_forked_child_has_a_spool_of_its_own_and_lets_the_parent_s_go(tmp_path: Path) -> None:
    """A child that lives on must not keep the files of a parent that was killed from being taken over."""
    parent = Spool(tmp_path, 1)
    parent.put(exposure(1), ENVIRONMENT)
    (folder,) = tmp_path.iterdir()
    handle = os.dup(parent._folders[0]._handle)
    killed(parent)
    assert Spool(tmp_path, 1).take_over(ENVIRONMENT) == []
    # What a fork duplicates holds the lock until both are closed.
    with pytest.raises(BlockingIOError):
        _lock(folder)
    os.close(handle)
    _lock(folder)
    # In a child the same object begins anew.
    parent.put(exposure(2), ENVIRONMENT)
    assert ([exposure(2)], 2) == (parent.take(0), len(list(tmp_path.iterdir())))


def _lock(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(handle)


# --- decisions that are newer than the replica


def flag_of(ruleset: Ruleset) -> Flag:
    """Its only flag."""
    flag = ruleset.flag("checkout")
    assert flag is not None
    return flag


def decision(flag: Flag, unit_key: str, *, revision: int = 1) -> Decision:
    """A decision of the flag's split."""
    answer = Answer("checkout", value=True, variant="on", variant_id=1, reason=Reason.CARRIED, origin=Origin.SPLIT,
                    rule=None, revision=revision)  # fmt: skip
    return Decision(answer, flag.scope, unit_key, 5, Origin.SPLIT, revision)


def test_decision_that_waits_for_the_replica_outlives_its_process(make: Any, tmp_path: Path) -> None:
    """The successor makes the exposure when its own replica has caught up; then it leaves the disk."""
    ruleset = Ruleset.of(make.ruleset(make.split(exposes=True)))
    queues = Spool(tmp_path, 1)
    Buffer(1, queues).add(flag_of(ruleset), ruleset, decision(flag_of(ruleset), "u", revision=5), 9)
    killed(queues)
    successor = Buffer(1, Spool(tmp_path, 1))
    successor.take_over(ruleset)
    assert [] == successor.take(ruleset)
    later = Ruleset.of(make.ruleset(make.split(exposes=True, phase=2, revision=5, void_before=5), revision=5))
    (found,) = successor.take(later)
    assert ("u", 2, 5, 9) == (found.unit_key, found.phase, found.revision, found.at_ns)
    successor.done()
    assert [] == successor.take(later)
    assert [] == files(tmp_path)


def test_early_decision_of_a_value_of_any_kind_is_kept(make: Any) -> None:
    """The line of one holds what made it."""
    scope = Scope(Environment(7, "production", "salt"), 1, 10, "user", 0, carry=True, key="7.1.10.0")
    answer = Answer("f", value={"a": [1, None]}, variant="on", variant_id=1, reason=Reason.CARRIED,
                    origin=Origin.SPLIT, rule=None, revision=5)  # fmt: skip
    line = Line(early=Early(Decision(answer, scope, "half \ud800", 5, Origin.SPLIT, 5), 9))
    assert line == decode_line(encode_line(line))


# --- the whole, killed at any point


class Killed(BaseException):
    """Where a process ends."""


class Disk:
    """Everything that changes the disk, and ends the process just before one of these."""

    CHANGES = ((os, "write"), (os, "ftruncate"), (Path, "mkdir"), (Path, "rmdir"), (Path, "unlink"))

    def __init__(self) -> None:
        self.left_count = -1

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for owner, name in self.CHANGES:
            monkeypatch.setattr(owner, name, self._fused(getattr(owner, name)))

    def _fused(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def fused(*given: Any, **more: Any) -> Any:
            if self.left_count == 0:
                raise Killed
            self.left_count -= 1
            return change(*given, **more)

        return fused


class Process:
    """One with a spool and two outlets."""

    def __init__(self, root: Path) -> None:
        self.spool = Spool(root, 2)
        self.buffer = Buffer(2, self.spool)
        self.is_ahead = False


class Killing(RuleBasedStateMachine):
    """Processes that share a directory, expose, deliver and are killed at any point.

    Promise: once a last process has taken over and delivered, each outlet was given everything whose exposing had
    returned, and nothing that nobody had begun to expose.
    """

    make: Any
    disk: Disk
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=self.folder))
        self.begun = set[str]()
        self.exposed = set[str]()
        self.delivered: tuple[set[str], set[str]] = (set(), set())

    @initialize(count=st.integers(1, 3))
    def begin(self, count: int) -> None:
        self.before = Ruleset.of(self.make.ruleset(self.make.split(exposes=True)))
        self.after = Ruleset.of(self.make.ruleset(self.make.split(exposes=True, revision=5), revision=5))
        self.processes = [Process(self.root) for _ in range(count)]

    @rule(at=st.integers(0, 2), count=st.integers(1, 12), is_early=st.booleans(), lives=st.integers(-1, 6))
    def expose(self, at: int, count: int, is_early: bool, lives: int) -> None:
        """Of the replica's own revision, or one that it does not know yet."""

        def do(process: Process) -> None:
            ruleset = self._ruleset(process)
            for _ in range(count):
                unit_key = f"u{len(self.begun)}"
                self.begun.add(unit_key)
                made = decision(flag_of(ruleset), unit_key, revision=5 if is_early else 1)
                process.buffer.add(flag_of(ruleset), ruleset, made, 5)
                self.exposed.add(unit_key)

        self._do(at, do, lives)

    @rule(at=st.integers(0, 2), outlet=st.integers(0, 1), arrives=st.booleans(), lives=st.integers(-1, 3))
    def deliver(self, at: int, outlet: int, arrives: bool, lives: int) -> None:
        """A batch."""

        def do(process: Process) -> None:
            batch = process.buffer.take(self._ruleset(process), outlet)
            if arrives:
                self.delivered[outlet].update(exposure.unit_key for exposure in batch)
                process.buffer.done(outlet)
            else:
                process.buffer.give_back(batch, outlet)

        self._do(at, do, lives)

    @rule(at=st.integers(0, 2))
    def catch_up(self, at: int) -> None:
        """The replica comes to know what was decided elsewhere."""
        self.processes[at % len(self.processes)].is_ahead = True

    @rule(at=st.integers(0, 2), lives=st.integers(-1, 3))
    def take_over(self, at: int, lives: int) -> None:
        """Look for the dead."""
        self._do(at, lambda process: process.buffer.take_over(self._ruleset(process)), lives)

    @rule(at=st.integers(0, 2), is_torn=st.booleans())
    def kill(self, at: int, is_torn: bool) -> None:
        """Between two calls, or in the midst of a write that had not returned."""
        process = self.processes[at % len(self.processes)]
        writing = process.spool._writing
        self._replace(process)
        if is_torn and writing is not None and writing.path.exists():
            with writing.path.open("ab") as file:
                file.write(encode_line(Line(exposure=exposure(0, "nobody")))[:40])

    @rule(at=st.integers(0, 2), lives=st.integers(-1, 3))
    def close(self, at: int, lives: int) -> None:
        """In order; what was not delivered stays."""

        def do(process: Process) -> None:
            process.buffer.close()
            self._replace(process)

        self._do(at, do, lives)

    @invariant()
    def nothing_is_made_up(self) -> None:
        for delivered in self.delivered:
            assert delivered <= self.begun

    def teardown(self) -> None:
        for process in self.processes:
            killed(process.spool)
        last = Process(self.root)
        last.buffer.take_over(self.after)
        for outlet, delivered in enumerate(self.delivered):
            while batch := last.buffer.take(self.after, outlet):
                delivered.update(exposure.unit_key for exposure in batch)
                last.buffer.done(outlet)
            assert self.exposed <= delivered <= self.begun
        last.buffer.close()
        assert [] == list(self.root.iterdir())

    def _ruleset(self, process: Process) -> Ruleset:
        return self.after if process.is_ahead else self.before

    def _do(self, at: int, do: Callable[[Process], object], lives: int) -> None:
        """Let a process do something. lives: how many changes of the disk it lives to see; -1: all."""
        process = self.processes[at % len(self.processes)]
        self.disk.left_count = lives
        try:
            do(process)
        except Killed:
            self.disk.left_count = -1
            self._replace(process)
        self.disk.left_count = -1

    def _replace(self, process: Process) -> None:
        killed(process.spool)
        self.processes[self.processes.index(process)] = Process(self.root)


@pytest.mark.parametrize("lives", range(4))
def test_decision_that_becomes_an_exposure_is_on_the_disk_as_one_or_the_other(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lives: int
) -> None:
    """Wherever in between the process is killed."""
    early = Ruleset.of(make.ruleset(make.split(exposes=True)))
    later = Ruleset.of(make.ruleset(make.split(exposes=True, revision=5), revision=5))
    queues, disk = Spool(tmp_path, 1), Disk()
    buffer = Buffer(1, queues)
    buffer.add(flag_of(early), early, decision(flag_of(early), "u", revision=5), 9)
    assert [] == buffer.take(early)
    with monkeypatch.context() as patched:
        disk.install(patched)
        disk.left_count = lives
        with suppress(Killed):
            buffer.take(later)
    killed(queues)
    successor = Buffer(1, Spool(tmp_path, 1))
    successor.take_over(later)
    assert {"u"} == {exposure.unit_key for exposure in successor.take(later)}


@pytest.mark.slow
def test_nothing_is_lost_whenever_processes_are_killed(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """See `Killing`. Files and batches are small, so that they end within what is exposed."""
    monkeypatch.setattr(spool_module, "FILE_BYTES", 900)
    monkeypatch.setattr(spool_module, "BATCH_COUNT", 3)
    disk = Disk()
    disk.install(monkeypatch)
    monkeypatch.setattr(Killing, "make", make, raising=False)
    monkeypatch.setattr(Killing, "disk", disk, raising=False)
    monkeypatch.setattr(Killing, "folder", tmp_path, raising=False)
    # Names in the order in which they are made, so that an example runs the same way again.
    numbers = itertools.count(1)
    monkeypatch.setattr(spool_files, "uuid4", lambda: UUID(int=next(numbers)))
    run_state_machine_as_test(Killing, settings=settings(max_examples=150, stateful_step_count=25, deadline=None))


# --- the client


def test_client_s_exposures_are_on_the_disk_until_they_are_delivered(
    server: Any, make: Any, timing: Callable[..., Timing], tmp_path: Path, until: Until
) -> None:
    """Before the call returns, and until server and sinks have them."""
    given = list[Exposure]()
    server.script_for_ever("/v1/sdk/exposures", make.Reply(503))
    spool = tmp_path / "made" / "for it"
    with pennon.connect(server.url, token=TOKEN, timing=timing(), sinks=[given.extend], spool=str(spool)) as client:
        server.accept().send(make.ruleset(make.split(exposes=True)))
        assert client.wait_ready(60)
        client.is_on("checkout", unit="u")
        assert 1 == len(files(spool))
        until(lambda: given and len(server.seen_at("/v1/sdk/exposures")) > 1)
        assert 1 == len(files(spool))
        server.forget_script("/v1/sdk/exposures")
        until(lambda: not files(spool))
        assert (["u"], 1) == ([each.unit_key for each in given], len(server.exposures))
    assert [] == list(spool.iterdir())


def test_client_delivers_what_a_killed_one_has_left(
    server: Any, make: Any, timing: Callable[..., Timing], tmp_path: Path, until: Until
) -> None:
    """At its start, and of those that die while it lives."""
    dead, dying = Spool(tmp_path, 1), Spool(tmp_path, 1)
    dead.put(exposure(0), ENVIRONMENT)
    dying.put(exposure(1), ENVIRONMENT)
    killed(dead)
    with pennon.connect(server.url, token=TOKEN, timing=timing(takeover_s=0.05), spool=tmp_path):
        server.accept().send(make.ruleset(make.split(exposes=True)))
        until(lambda: len(server.exposures) == 1)
        killed(dying)
        until(lambda: len(server.exposures) == 2)
    assert [] == list(tmp_path.iterdir())


def test_client_that_is_closed_without_its_server_leaves_its_exposures(
    server: Any, make: Any, timing: Callable[..., Timing], tmp_path: Path, counted: Counted
) -> None:
    """They are not lost, so they are not counted; the next one delivers them."""
    server.script_for_ever("/v1/sdk/exposures", make.Reply(503))
    with pennon.connect(server.url, token=TOKEN, timing=timing(), spool=tmp_path) as client:
        server.accept().send(make.ruleset(make.split(exposes=True)))
        assert client.wait_ready(60)
        client.is_on("checkout", unit="u")
    assert (1, {}) == (len(files(tmp_path)), counted(Count.EXPOSURES_DROPPED))


@pytest.mark.parametrize("spool", ["", 7, b"/tmp", [], "a\0b"])
def test_spool_that_is_no_path_is_named(spool: Any) -> None:
    """What was found."""
    with pytest.raises(SettingInvalid, match=r"^spool: "):
        pennon.connect("http://127.0.0.1:9", token=TOKEN, spool=spool)


def test_spool_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """When it is configured, not when the first exposure is lost."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/pennon")):
        with pytest.raises(SettingInvalid, match=r"^spool: '/.*' cannot be written \(.*\); must be a directory"):
            root_of(place)


def test_spool_is_found_again_after_a_change_of_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon goes to the root of all."""
    monkeypatch.chdir(tmp_path)
    assert tmp_path / "spool" == root_of("spool")


def test_no_spool_is_none() -> None:
    """On request only."""
    assert root_of(None) is None
