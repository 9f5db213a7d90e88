"""The demo as a newcomer runs it, and the commands it prints."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from confluent_kafka import Consumer, TopicPartition

from pennon.carry import Decoded, decode
from pennon.context import Origin
from pennon.headers import DropReason, parse_baggage
from pennon.testing import Kafka

pytestmark = [pytest.mark.system, pytest.mark.kafka, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
# Actions in a second.
RATE = 15
# A person sees the effect of a command within a second after it returned: told by the actions that came meanwhile, of
# which a machine that stands still has none.
LATE_LIMIT_COUNT = 2 * RATE
SETTLED_COUNT = 30
# It ends a dozen processes one after the other, which takes some seconds, on a busy machine most of a minute.
END_LIMIT_S = 180


class Demo:
    """`python -m streamsocial --json` in a folder of its own, its lines as they come."""

    def __init__(self, folder: Path, kafka: Kafka, *options: str) -> None:
        self.folder = folder
        self._err = folder / "demo.err"
        with self._err.open("w") as errors:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "streamsocial",
                    *options,
                    "--rate",
                    str(RATE),
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
        self.wait(lambda: len(self.of(event)) >= count, f"{count} {event}")
        return self.of(event)[count - 1]

    def wait(self, wanted: Callable[[], object], what: str) -> None:
        """Until a line has come with which it holds."""
        with self._news:
            assert self._news.wait_for(wanted, 60), f"{what}: {self._err.read_text()}"

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    def run(self, command: str) -> float:
        """Type a command that the demo printed; when it returned, in seconds since 1970."""
        self.type(*shlex.split(command))
        return time.time()

    def type(self, *words: str) -> str:
        """What a command prints."""
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pennon(self, *words: str) -> str:
        """The same of a `pennon` command."""
        return self.type(str(Path(sys.executable).with_name("pennon")), *words)

    def page(self, path: str) -> Any:
        """What the journeys page is told."""
        return httpx.get(f"{self.of('ready')[0]['page']}/api{path}", timeout=60).raise_for_status().json()

    def settle(self, since_s: float, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Until of the journeys begun since then the last ones have been as wanted at every hop."""

        def is_settled() -> bool:
            last = _begun(self.of("journey"), since_s)[-SETTLED_COUNT:]
            return len(last) == SETTLED_COUNT and all(wanted(hop) for journey in last for hop in journey["hops"])

        self.wait(is_settled, "journeys as wanted")

    def end(self) -> int:
        code = self.process.wait(END_LIMIT_S)
        self._thread.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def clean_up(self) -> None:
        """Leave no process, also where it has not ended as it should."""
        if self.process.poll() is None:
            demo = psutil.Process(self.process.pid)
            for each in [*demo.children(recursive=True), demo]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            self.end()


@pytest.fixture
def demo(tmp_path: Path, kafka: Kafka) -> Iterator[Demo]:
    started = Demo(tmp_path, kafka)
    yield started
    started.clean_up()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, kafka: Kafka) -> Iterator[Demo]:
    """A demo for several tests, which runs until they are done."""
    started = Demo(tmp_path_factory.mktemp("demo"), kafka)
    yield started
    started.process.terminate()
    try:
        assert 0 == started.end()
    finally:
        started.clean_up()


@pytest.mark.timeout(600)
def test_demo_shows_a_ramp_and_a_kill_within_a_second(demo: Demo) -> None:
    """In whole journeys, and from then on in all of them; nothing is left behind."""
    ramp, kill = (
        next(command for command in demo.wait_for("ready")["commands"] if command.endswith(wanted))
        for wanted in ("ramp feed-ranking 100", " kill feed-ranking")
    )
    demo.wait_for("journey", count=SETTLED_COUNT)
    assert {"ranked", "chronological"} == {hop["variant"] for each in demo.of("journey") for hop in each["hops"]}
    ramped_s = demo.run(ramp)
    demo.settle(ramped_s, lambda hop: hop["variant"] == "ranked")
    killed_s = demo.run(kill)
    demo.settle(killed_s, _is_killed)
    children = {child.pid for child in psutil.Process(demo.process.pid).children(recursive=True)}

    demo.process.terminate()
    assert 0 == demo.end()

    journeys = demo.of("journey")
    assert {3} == {len(journey["hops"]) for journey in journeys}
    late_for_the_ramp = [
        journey
        for journey in _begun(journeys, ramped_s)
        if any(hop["variant"] != "ranked" and not _is_killed(hop) for hop in journey["hops"])
    ]
    late_for_the_kill = [journey for journey in _begun(journeys, killed_s) if not all(map(_is_killed, journey["hops"]))]
    assert LATE_LIMIT_COUNT >= max(len(late_for_the_ramp), len(late_for_the_kill))
    assert not {pid for pid in children if psutil.pid_exists(pid)}
    assert not (demo.folder / ".pennon" / "credentials").exists()


@pytest.mark.timeout(600)
def test_demo_ends_by_itself_after_its_time(tmp_path: Path, kafka: Kafka) -> None:
    """As if it had been told to end."""
    demo = Demo(tmp_path, kafka, "--for", "1")
    try:
        assert 0 == demo.end()
    finally:
        demo.clean_up()


@pytest.mark.timeout(600)
def test_tester_sees_what_was_signed_and_counts_nowhere(lasting: Demo, kafka: Kafka, tools: Any) -> None:
    """The printed request, hops, records and audit say override; exposures and metrics know nothing of it."""
    ready = lasting.wait_for("ready")
    words = shlex.split(ready["curl"])
    headers = dict(word.split(": ", 1) for option, word in pairwise(words) if option == "-H")
    feed = httpx.get(words[-1], headers=headers, timeout=60).raise_for_status().json()
    assert "blend" == feed["ranking"]
    assert "overridden for this request" in feed["explained"]

    tools.wait_until(lambda: {"gateway", "posts", "analytics"} <= _overridden_in(lasting))
    tools.wait_until(lambda: json.loads(lasting.pennon("override", "uses", "--json")))
    [use] = json.loads(lasting.pennon("override", "uses", "--json"))
    assert ("ranking-experiment", "blend", "gateway") == (use["flag"], use["variant"], use["service"])

    # Whoever was exposed before has been sent: exposures leave every second.
    lasting.wait_for("exposed", count=len(lasting.of("exposed")) + 30)
    exposures = [exposure for exposure, _ in _held(kafka, "streamsocial.exposures")]
    mine = {each["user"] for each in exposures if each["pid"] == ready["pids"]["gateway"]}
    assert len(mine) > 10
    assert "user-2000" not in mine
    likes = [
        carried
        for metric, carried in _held(kafka, "streamsocial.metrics")
        if metric["user"] == "user-2000" and metric["id"].startswith(ready["run"])
    ]
    assert likes
    assert all(Origin.OVERRIDE in {entry.origin for entry in carried.entries} for carried in likes)


@pytest.mark.timeout(600)
def test_page_of_the_demo_shows_causes_and_what_holds_a_flag_off(lasting: Demo, tools: Any) -> None:
    """A service that does not know a plan diverges, and is told apart; a kill takes along what needs its flag."""
    lasting.wait_for("ready")
    place = ("profiles", "rich-profiles", "missing_attribute")
    tools.wait_until(
        lambda: place in {(i["service"], i["flag"], i["cause"]) for i in lasting.page("/divergence")["items"]},
    )
    lasting.pennon("flags", "kill", "moderation-on")
    tools.wait_until(lambda: ("reactions", "switched off", "moderation-on") in _decided(lasting))
    lasting.pennon("flags", "unkill", "moderation-on")


@pytest.mark.req(39, 62, 68, 123)
@pytest.mark.timeout(600)
def test_page_of_the_demo_shows_who_acts_until_when_and_what_was_dropped(lasting: Demo, tools: Any) -> None:
    """Hashed, and the same in every service; what hostile clients forge is dropped with its reason."""
    lasting.wait_for("ready")
    lasting.wait(lambda: _forgeries(lasting), "somebody forges something")
    tools.wait_until(lambda: any(_dropped(lasting, forged) for forged in _forgeries(lasting)))
    reasons = {reason for forged in _forgeries(lasting) for _, reason in _dropped(lasting, forged)}
    assert reasons <= {reason.value for reason in DropReason}
    hops = list(_hops(lasting))

    journeys: dict[str, set[tuple[str, str]]] = {}
    for hop in hops:
        who = hop["identity"]
        if who is not None and "actor" in who:
            assert who["actor"].startswith("#"), who
            assert "HUMAN" == who["actor_type"]
            journeys.setdefault(hop["attributes"].get("enduser.id", ""), set()).add((who["tenant"], who["actor"]))
    journeys.pop("", None)
    assert {1} == {len(said) for said in journeys.values()}, "one user is one actor in every service"
    assert len(set.union(*journeys.values())) > 1
    acting = {hop["service"] for hop in hops if hop["identity"]}
    assert {"gateway", "posts", "feed", "notify"} <= acting
    left = [hop["deadline_left_ms"] for hop in hops if hop["kind"] == "server" and hop["service"] == "posts"]
    assert left
    assert all(0 < left_ms <= 5_000 for left_ms in left)
    assert "community-" not in json.dumps(hops)


@pytest.mark.timeout(600)
def test_batch_of_followers_fits_a_record(lasting: Demo, kafka: Kafka) -> None:
    """The most famous author's batches carry what was decided for ten people and for the author; nothing is cut."""
    run = lasting.wait_for("ready")["run"]
    lasting.wait(lambda: any(update["update"] == 3 for update in lasting.of("updated")), "somebody famous")
    mine = [(told, sent) for told, sent in _held(kafka, "streamsocial.feed-updates") if told["id"].startswith(run)]
    assert [] == [told for told, sent in mine if sent.was_cut]
    full = [{entry.fingerprint for entry in sent.entries} for told, sent in mine if 10 == len(told["readers"])]
    assert full
    assert {11} == set(map(len, full))


@pytest.mark.timeout(600)
def test_followers_are_told_as_was_decided_for_each(lasting: Demo, tools: Any) -> None:
    """`notify` is killed and the flag is ramped to everybody: its heir still wakes whom `feed` had decided on."""
    lasting.wait_for("ready")
    lasting.wait_for("pushed", count=20)
    pid = lasting.of("ready")[0]["pids"]["notify"]
    os.kill(pid, signal.SIGKILL)
    before = len(lasting.of("updated"))
    lasting.wait_for("updated", count=before + 12)
    waiting = {(update["id"], update["update"]) for update in lasting.of("updated")[before:]}
    lasting.pennon("flags", "ramp", "instant-alerts", "100")
    lasting.wait(lambda: waiting <= {(push["id"], push["update"]) for push in lasting.of("pushed")}, "all are told")

    updates = {(update["id"], update["update"]): update for update in lasting.of("updated")}
    for push in lasting.of("pushed"):
        update = updates[push["id"], push["update"]]
        assert update["dotted"] == push["woken"], f"decided {update}, done {push}"
    by_heir = {(push["id"], push["update"]) for push in lasting.of("pushed") if push["pid"] != pid}
    assert any(set(updates[key]["dotted"]) < set(updates[key]["readers"]) for key in waiting & by_heir)
    tools.wait_until(lambda: lasting.of("updated")[-1]["dotted"] == lasting.of("updated")[-1]["readers"])


# What hostile clients forge, and nobody takes: it is dropped, and the request is served.
FORGED = {"forged decisions", "broken trace", "two trace parents", "bytes that are no text"}


def _forgeries(demo: Demo) -> list[str]:
    """The correlation ids of requests that forged something and were served."""
    return [told["id"] for told in demo.of("answered") if told["hostile"] in FORGED and told["status"] == 201]


def _dropped(demo: Demo, journey: str) -> set[tuple[str, str]]:
    """Name and reason of all drops in a journey, as far as the page remembers it."""
    return {
        (drop["name"], drop["reason"])
        for hop in _hops(demo, journey)
        if hop["headers"]
        for drop in hop["headers"]["dropped"]
    }


def _decided(demo: Demo, user: str = "") -> set[tuple[str, str, str | None]]:
    """Flag, way and what took it down, of all decisions in journeys that the page remembers."""
    return {(each["flag"], each["how"], each["unmet"]) for hop in _hops(demo, user) for each in hop["decisions"]}


def _overridden_in(demo: Demo) -> set[str]:
    """The services whose hops say that the tester's variant is an override."""
    return {
        hop["service"]
        for hop in _hops(demo, "user-2000")
        for decision in hop["decisions"]
        if ("ranking-experiment", "blend", "override") == (decision["flag"], decision["variant"], decision["how"])
    }


def _hops(demo: Demo, user: str = "") -> Iterator[dict[str, Any]]:
    for summary in demo.page(f"/journeys?limit=50&q={user}")["items"]:
        yield from demo.page(f"/journeys/{summary['trace_id']}")["hops"]


def _held(kafka: Kafka, topic: str) -> list[tuple[dict[str, Any], Decoded]]:
    """What a topic holds by now, and the decisions that came with each record."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "looks", "enable.auto.commit": False})
    places = [TopicPartition(topic, partition, 0) for partition in range(4)]
    ends = {place.partition: consumer.get_watermark_offsets(place, timeout=60)[1] for place in places}
    left = sum(ends.values())
    consumer.assign(places)
    found = []
    while left > 0:
        record = consumer.poll(60.0)
        assert record is not None, f"{left} records not read"
        if (record.offset() or 0) < ends[record.partition() or 0]:
            left -= 1
            found.append((json.loads(record.value() or b"{}"), _decoded(record.headers() or [])))
    consumer.close()
    return found


def _decoded(headers: Any) -> Decoded:
    lines = [value for name, value in headers if name == "baggage" and isinstance(value, bytes)]
    return decode(".".join(member.value for member in parse_baggage(lines).members if member.key == "pennon"))


def _begun(journeys: list[dict[str, Any]], since_s: float) -> list[dict[str, Any]]:
    return [journey for journey in journeys if since_s <= journey["began_s"]]


def _is_killed(hop: dict[str, Any]) -> bool:
    return ("chronological", "KILLED") == (hop["variant"], hop["reason"])
