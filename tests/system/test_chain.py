"""One request over HTTP, HTTP and Kafka, in real processes, while authors change the flag underneath."""

import sys
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from pennon.testing import Kafka

pytestmark = [pytest.mark.system, pytest.mark.kafka, pytest.mark.slow]

FLAG = "checkout"
JOURNEYS_COUNT = 300
HOPS = ("gateway", "posts", "feed")


class Chain:
    """gateway → posts → Kafka → feed, and the traffic into it."""

    def __init__(self, processes: Any, control_plane: Any, tools: Any, kafka: Kafka) -> None:
        self._tools = tools
        self.topic = kafka.fresh_topic("chain")
        ports = {"gateway": tools.free_port(), "posts": tools.free_port()}
        shared = {
            "PENNON_SERVER": control_plane.url,
            "PENNON_TOKEN": control_plane.sdk_token,
            "KAFKA": kafka.bootstrap,
            "TOPIC": self.topic,
            "POSTS_HOST": f"127.0.0.1:{ports['posts']}",
        }
        self.services = {
            name: processes.start(
                name, [sys.executable, str(tools.services / "chain.py"), name], **shared, PORT=str(ports.get(name, 0))
            )
            for name in HOPS
        }
        for service in self.services.values():
            service.hear(lambda line: "ready" in line)
        for name, port in ports.items():
            url = f"http://127.0.0.1:{port}/"
            tools.wait_until(lambda url=url: tools.is_up(url), saying=self.services[name].log)
        self.feed = self.services["feed"]
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{ports['gateway']}", timeout=60)

    def close(self) -> None:
        self._http.close()

    def post(self, user: str, **post: Any) -> str:
        """Send one action; its journey id."""
        journey = f"j-{uuid.uuid4().hex[:12]}"
        headers = {"x-correlation-id": journey, "authorization": f"Bearer {user}"}
        answer = self._http.post("/", json={"author": user, **post}, headers=headers)
        assert answer.status_code == 201, self.services["posts"].log() + self.services["gateway"].log()
        return journey

    def hold(self) -> None:
        """Stop feed; what is posted from now on waits in the topic."""
        self.feed.say("hold")
        self.feed.hear(lambda line: line["service"] == "held")

    def await_revision(self, revision: int) -> None:
        """Until every service's own replica has this revision of the flag."""
        for service in self.services.values():
            self._tools.wait_until(partial(_has, service, revision), saying=service.log)

    def journeys(self, ids: list[str]) -> list[list[dict[str, Any]]]:
        """Each journey's hops, in order, once all have been told of."""
        return [[service.hear(partial(_is_of, journey)) for service in self.services.values()] for journey in ids]


@pytest.fixture
def chain(processes: Any, control_plane: Any, tools: Any, kafka: Kafka) -> Iterator[Chain]:
    control_plane.create(FLAG, type="boolean", variants=[{"key": "on", "value": True}, {"key": "off", "value": False}])
    gate = [{"key": "in", "value": True}, {"key": "out", "value": False}]
    control_plane.create("plan-gate", type="boolean", variants=gate)
    started = Chain(processes, control_plane, tools, kafka)
    yield started
    started.close()


def _has(service: Any, revision: int) -> bool:
    service.say("status")
    return int(service.hear(lambda line: line["service"] == "status")["revision"]) >= revision


def _is_of(journey: str, line: dict[str, Any]) -> bool:
    return line.get("journey") == journey


def ramp_in_mid_traffic(chain: Chain, control_plane: Any) -> list[list[dict[str, Any]]]:
    """Half of the journeys are posted at 10 %, then the flag goes to 60 %, then feed takes all the records."""
    chain.await_revision(control_plane.ramp(FLAG, 10_000)["revision"])
    chain.hold()
    first = [chain.post(f"user-{number}") for number in range(JOURNEYS_COUNT // 2)]
    ramped = control_plane.ramp(FLAG, 60_000)
    second = [chain.post(f"user-{number}") for number in range(JOURNEYS_COUNT // 2, JOURNEYS_COUNT)]
    chain.await_revision(ramped["revision"])
    chain.feed.say("release")
    return chain.journeys(first + second)


def assert_one_variant_each(journeys: list[list[dict[str, Any]]]) -> None:
    split = [hops for hops in journeys if len({hop["variant"] for hop in hops}) > 1]
    assert not split, f"{len(split)} of {len(journeys)} journeys changed variant on the way, first {split[0]}"


def test_ramp_in_mid_traffic_leaves_each_journey_one_variant(chain: Chain, control_plane: Any) -> None:
    """Every hop acts on the first decision, although its own replica would have decided otherwise for many."""
    journeys = ramp_in_mid_traffic(chain, control_plane)

    assert_one_variant_each(journeys)
    differing = sum(any(hop["local_variant"] != hops[0]["variant"] for hop in hops) for hops in journeys)
    print(f"\n{differing} of {len(journeys)} journeys would have changed variant on the way, without carrying")
    assert differing >= 0.05 * len(journeys)
    assert {"CARRIED"} == {hop["reason"] for hops in journeys for hop in hops[1:]}


def test_ramp_in_mid_traffic_without_carrying_breaks_journeys(chain: Chain, control_plane: Any) -> None:
    """The same run with carrying off fails the check above, so the check can fail."""
    control_plane.patch(FLAG, {"carry": False}, environment=None)

    journeys = ramp_in_mid_traffic(chain, control_plane)

    with pytest.raises(AssertionError, match="changed variant on the way"):
        assert_one_variant_each(journeys)


def test_held_record_sees_the_kill(chain: Chain, control_plane: Any) -> None:
    """A record decided before a kill and processed after it gets the off variant."""
    chain.await_revision(control_plane.ramp(FLAG, 100_000)["revision"])
    chain.hold()
    journey = chain.post("user-1")
    killed = control_plane.kill(FLAG)
    chain.await_revision(killed["revision"])
    chain.feed.say("release")

    [[gateway, posts, feed]] = chain.journeys([journey])

    assert (gateway["variant"], posts["variant"]) == ("on", "on")
    assert (feed["variant"], feed["reason"]) == ("off", "KILLED")


def test_held_record_does_not_revive_after_unkill(chain: Chain, control_plane: Any) -> None:
    """Killed and unkilled while the record waited: the old decision stays void and the unit is decided anew."""
    chain.await_revision(control_plane.ramp(FLAG, 100_000)["revision"])
    chain.hold()
    journey = chain.post("user-1")
    control_plane.kill(FLAG)
    control_plane.unkill(FLAG)
    # Nobody is in now: an "on" at feed could only be the decision from before the kill.
    ramped = control_plane.ramp(FLAG, 0)
    chain.await_revision(ramped["revision"])
    chain.feed.say("release")

    [[gateway, _, feed]] = chain.journeys([journey])

    assert gateway["variant"] == "on"
    assert (feed["variant"], feed["reason"]) == ("off", "SPLIT")


def test_fan_out_decides_for_the_follower(chain: Chain, control_plane: Any) -> None:
    """Work for another unit takes nothing from the author: neither the decision nor the attributes."""
    pro = [{"op": "equals", "attribute": "plan", "value": "pro", "negate": False}]
    rule = {"id": "pro", "clauses": pro, "serve": {"variant": "on"}}
    control_plane.patch("plan-gate", {"rules": [rule | {"serve": {"variant": "in"}}]})
    control_plane.patch(FLAG, {"carry": True}, environment=None)
    chain.await_revision(control_plane.patch(FLAG, {"rules": [rule]})["revision"])
    followers = [
        {"user": "user-2", "attributes": {"plan": "free"}},
        {"user": "user-3", "attributes": {"plan": "pro"}},
    ]

    chain.post("user-1", attributes={"plan": "pro"}, followers=followers)

    told = [chain.feed.hear(lambda line: line["service"] == "fan-out") for _ in followers]
    by_user = {line["user"]: line for line in told}
    assert (by_user["user-2"]["variant"], by_user["user-3"]["variant"]) == ("off", "on")
    # Asked without attributes: the author's plan is pro, but the author is somebody else.
    assert [line["bare"] for line in told] == ["out", "out"]
