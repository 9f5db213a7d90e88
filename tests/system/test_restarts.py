"""Every service of the demo is restarted under traffic, in order and by force, and everything is accounted for.

What is counted: actions by their ids, records by partition and offset, exposures by process and user. The demo tells of
each answer, each record a service is done with, each use of the experiment's flag; the broker says what it holds, and
up to where each group has committed. The two must agree.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pennon.testing import Kafka

pytestmark = [pytest.mark.system, pytest.mark.kafka, pytest.mark.slow]

# What a broker answers until it has chosen who coordinates a group.
COORDINATOR_TO_COME = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}

EXAMPLES = Path(__file__).parents[2] / "examples"
HTTP_SERVICES = ("gateway", "posts", "profiles")
KAFKA_SERVICES = ("feed", "notify", "moderation", "analytics")
READS = {
    "feed": ("streamsocial.posts",),
    "moderation": ("streamsocial.posts",),
    "notify": ("streamsocial.feed-updates",),
    "analytics": ("streamsocial.exposures", "streamsocial.metrics"),
}
TOPICS = sorted({topic for topics in READS.values() for topic in topics})
PARTITIONS = range(4)
RATE = 40

# An exposure waits at most `Timing.flush_s` before it leaves; the rest is a busy machine's.
BUFFER_S = 1.0 + 10.0

Place = tuple[str, int, int]


class Hit(NamedTuple):
    """A signal, sent at some time between two, in seconds since 1970."""

    service: str
    pid: int
    number: signal.Signals
    from_s: float
    until_s: float


class Demo:
    """`python -m streamsocial --json`, its events as they come, and a hand on its processes."""

    def __init__(self, folder: Path, kafka: Kafka) -> None:
        self._err = folder / "demo.err"
        with self._err.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamsocial", "--json", "--rate", str(RATE), "--kafka", kafka.bootstrap],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(EXAMPLES)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.events: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.signals: list[Hit] = []
        self._pids: dict[str, int] = {}
        self._up: set[int] = set()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            with self._news:
                self.events[event["event"]].append(event)
                if event["event"] == "ready":
                    self._pids.update(event["pids"])
                elif event["event"] == "restarted":
                    self._pids[event["service"]] = event["pid"]
                elif event["event"] == "up":
                    self._up.add(event["pid"])
                self._news.notify_all()

    def wait(self, wanted: Callable[[], object], what: str, *, timeout_s: float = 60.0) -> None:
        with self._news:
            assert self._news.wait_for(wanted, timeout_s), f"{what}: {self._err.read_text()[-3000:]}"

    def hit(self, service: str, number: signal.Signals) -> int:
        """Send a signal to a service under traffic; whom it hit."""
        answered = len(self.events["answered"])
        self.wait(lambda: len(self.events["answered"]) > answered + RATE // 4, "traffic flows")
        pid, from_s = self._pids[service], time.time()
        os.kill(pid, number)
        self.signals.append(Hit(service, pid, number, from_s, time.time()))
        return pid

    def wait_back(self, service: str, pid: int) -> None:
        """Until another process serves in its place."""
        self.wait(lambda: self._pids[service] != pid and self._pids[service] in self._up, f"{service} is back")

    def wait_whole(self) -> None:
        """Until every action that was answered up to now has come through all its hops."""
        wanted = {event["id"] for event in self.events["answered"] if event["status"] == 201 and not event["hostile"]}
        self.wait(lambda: wanted <= {event["id"] for event in self.events["journey"]}, "whole journeys")

    def end(self) -> int:
        self.process.terminate()
        code = self.process.wait(60)
        self._thread.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def hit_by(self, number: signal.Signals, *services: str) -> dict[int, Hit]:
        """When each process of these services was hit, by pid."""
        return {hit.pid: hit for hit in self.signals if hit.number is number and hit.service in services}


@pytest.fixture
def demo(tmp_path: Path, kafka: Kafka) -> Iterator[Demo]:
    started = Demo(tmp_path, kafka)
    yield started
    if started.process.poll() is None:
        started.end()


@pytest.mark.timeout(600)
def test_restarts_lose_nothing_and_double_only_what_was_killed(demo: Demo, kafka: Kafka) -> None:
    """SIGTERM: nothing lost, nothing twice. SIGKILL: no action, no record; some twice; exposures of one buffer."""
    before = {group: _committed(kafka, group) for group in KAFKA_SERVICES}
    demo.wait(lambda: demo.events["ready"], "ready")
    for service in (*HTTP_SERVICES, *KAFKA_SERVICES):
        demo.wait_back(service, demo.hit(service, signal.SIGTERM))
    for service in HTTP_SERVICES:
        demo.wait_back(service, demo.hit(service, signal.SIGKILL))
    # A killed member's partitions are kept for it a while: the four waits may overlap.
    for service, pid in [(service, demo.hit(service, signal.SIGKILL)) for service in KAFKA_SERVICES]:
        demo.wait_back(service, pid)
    demo.wait_whole()
    assert 0 == demo.end()

    held = _held(kafka, demo.events["ready"][0]["run"])
    counts = {"actions_twice": _account_for_actions(demo, held)}
    for service in KAFKA_SERVICES:
        after = _committed(kafka, service)
        counts[f"records_twice_{service}"] = _account_for_records(demo, service, before[service], after)
    counts["exposures_lost"] = _account_for_exposures(demo, held)
    # Shown by `pytest -s`: how much of what is allowed has happened.
    print(f"\n{len(demo.events['answered'])} actions, {len(demo.signals)} restarts: {counts}")


HANGS = """
import sys, threading
from streamsocial import running
from streamsocial.telling import say
running.DEADLINE_S = int(sys.argv[1])
with running.service("hangs") as ending:
    say("ready", "hangs")
    ending.asked.wait()
    say("asked", "hangs")
    threading.Event().wait()
"""


@pytest.mark.parametrize(("deadline_s", "signals", "code"), [(60, 2, 128 + signal.SIGTERM), (1, 1, -signal.SIGALRM)])
def test_service_that_hangs_ends_at_the_second_signal_or_the_deadline(
    processes: Any, tools: Any, deadline_s: int, signals: int, code: int
) -> None:
    """Nobody has to send SIGKILL."""
    child = processes.start("hangs", [sys.executable, "-c", HANGS, str(deadline_s)], PYTHONPATH=str(EXAMPLES))
    child.hear(lambda line: line["told"] == "ready")
    os.kill(child.pid, signal.SIGTERM)
    child.hear(lambda line: line["told"] == "asked")
    for _ in range(signals - 1):
        os.kill(child.pid, signal.SIGTERM)
    tools.wait_until(lambda: child.returncode() is not None)
    assert code == child.returncode()


def _account_for_actions(demo: Demo, held: dict[str, list[dict[str, Any]]]) -> int:
    """How many are there twice.

    Everybody got an answer; what was answered 201 is in Kafka, once unless somebody was killed meanwhile.
    """
    answered = demo.events["answered"]
    assert [] == [event for event in answered if not event["hostile"] and event["status"] not in (200, 201)]
    assert set(range(1, len(answered) + 1)) == {event["seq"] for event in answered}
    kept = Counter(post["id"] for post in held["streamsocial.posts"])
    wanted = {event["id"]: event for event in answered if event["status"] == 201}
    assert set() == wanted.keys() - kept.keys(), "answered 201 and not in Kafka"
    kills = demo.hit_by(signal.SIGKILL, "gateway", "posts").values()
    doubled = [wanted[key] for key, count in kept.items() if count > 1]
    for twice in doubled:
        began_s = twice["at_s"] - twice["took_s"]
        assert any(began_s <= kill.until_s and kill.from_s <= twice["at_s"] for kill in kills), (
            f"twice without a kill: {twice}"
        )
    return len(doubled)


def _account_for_records(demo: Demo, service: str, before: dict[Place, int], after: dict[Place, int]) -> int:
    """How many were done twice.

    What a group committed it has done, all of it; what it has done twice, a killed process had done first.
    """
    did: dict[Place, list[int]] = defaultdict(list)
    for event in demo.events["did"]:
        if event["service"] == service:
            did[event["topic"], event["partition"], event["offset"]].append(event["pid"])
    committed = {
        (topic, partition, offset)
        for topic in READS[service]
        for partition in PARTITIONS
        for offset in range(before[topic, partition, 0], after[topic, partition, 0])
    }
    assert len(committed) > RATE
    assert committed == did.keys(), f"{service}: committed and not done, or done and not committed"
    killed = demo.hit_by(signal.SIGKILL, service)
    for place, pids in did.items():
        assert set(pids[:-1]) <= killed.keys(), f"{service}: {place} twice without a kill"
        assert len(pids) == len(set(pids))
    return sum(len(pids) > 1 for pids in did.values())


def _account_for_exposures(demo: Demo, held: dict[str, list[dict[str, Any]]]) -> int:
    """How many are lost.

    Each process exposes a user once; under SIGKILL those of the last moment are missing, and we know which.
    """
    exposed: dict[tuple[int, str], float] = {}
    for event in demo.events["exposed"]:
        exposed.setdefault((event["pid"], event["user"]), event["at_s"])
    sent = {(exposure["pid"], exposure["user"]) for exposure in held["streamsocial.exposures"]}
    lost = exposed.keys() - sent
    killed = demo.hit_by(signal.SIGKILL, "gateway")
    assert len(exposed) > RATE
    assert {pid for pid, _ in lost} <= killed.keys(), "lost without a kill"
    assert [] == [at_s for (pid, user) in lost if (at_s := exposed[pid, user]) < killed[pid].from_s - BUFFER_S]
    return len(lost)


def _committed(kafka: Kafka, service: str) -> dict[Place, int]:
    """The offset that a service would go on from, by (topic, partition, 0)."""
    consumer = _consumer(kafka, f"streamsocial.{service}")
    places = [TopicPartition(topic, partition) for topic in READS[service] for partition in PARTITIONS]
    found = {(place.topic, place.partition, 0): max(place.offset, 0) for place in _asked(consumer, places)}
    consumer.close()
    return found


def _asked(consumer: Consumer, places: list[TopicPartition]) -> list[TopicPartition]:
    """The offsets committed; a broker that has just started needs a moment to choose who coordinates the group."""
    ends_s = time.monotonic() + 20
    while True:
        try:
            return consumer.committed(places, timeout=60)
        except KafkaException as error:
            if error.args[0].code() not in COORDINATOR_TO_COME or time.monotonic() > ends_s:
                raise
            threading.Event().wait(0.1)


def _held(kafka: Kafka, run: str) -> dict[str, list[dict[str, Any]]]:
    """Topic -> the records in it that belong to a run; exposures do not say which, but their processes do."""
    consumer = _consumer(kafka, "accounts")
    places = [TopicPartition(topic, partition, 0) for topic in TOPICS for partition in PARTITIONS]
    left = {(place.topic, place.partition): consumer.get_watermark_offsets(place, timeout=60)[1] for place in places}
    consumer.assign(places)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    while any(left.values()):
        record = consumer.poll(60.0)
        assert record is not None, f"not read: {left}"
        topic, partition, offset = record.topic() or "", record.partition() or 0, record.offset() or 0
        if offset + 1 >= left[topic, partition]:
            left[topic, partition] = 0
        value = json.loads(record.value() or b"{}")
        if topic == "streamsocial.exposures" or str(value["id"]).startswith(run):
            found[topic].append(value)
    consumer.close()
    return found


def _consumer(kafka: Kafka, group: str) -> Consumer:
    return Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group, "enable.auto.commit": False})
