"""`python -m streamsocial`: the control plane, a Kafka, three services and some traffic in one terminal."""

import argparse
import json
import random
import shlex
import signal
import sys
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # its types do not say so

from pennon.testing import LocalKafka
from streamsocial.contract import POSTS_TOPIC
from streamsocial.journeys import Journey, Journeys
from streamsocial.sessions import ACCOUNTS_COUNT
from streamsocial.stage import Stage, free_port, own_credentials, pennon

TRY = (
    ("flags ramp feed-ranking 100", "everybody gets the ranked feed"),
    ("flags ramp feed-ranking 10", "the same tenth of the users as always"),
    ("flags kill feed-ranking", "nobody does, carried decisions included"),
    ("flags unkill feed-ranking", ""),
    ("flags show feed-ranking", ""),
)


class Demo:
    """What the parts of the running demo share."""

    def __init__(self, *, as_json: bool) -> None:
        self.journeys = Journeys()
        self.stopping = threading.Event()
        self._as_json = as_json
        self._printing = threading.Lock()

    def say(self, text: str, **event: Any) -> None:
        """A line for people, or the same as an event for programs."""
        with self._printing:
            print(json.dumps(event) if self._as_json else text, flush=True)

    def told(self, hop: dict[str, Any]) -> None:
        """A service told of a hop."""
        journey = self.journeys.told(hop)
        if journey is not None:
            with self._printing:
                print(journey.as_json() if self._as_json else journey.as_line(), flush=True)

    def send_traffic(self, gateway: str, *, rate: float, until_s: float | None) -> None:
        """Post as one account after the other, `rate` times a second, until told to stop or the time is over."""
        accounts = random.Random(7)
        with httpx.Client(base_url=gateway, timeout=5.0) as client:
            while not self.stopping.wait(1 / rate) and (until_s is None or time.monotonic() < until_s):
                number = accounts.randrange(ACCOUNTS_COUNT)
                journey = Journey(f"journey-{uuid.uuid4().hex[:12]}", f"user-{number}", time.time())
                self.journeys.begin(journey)
                headers = {"authorization": f"Bearer session-{number}", "x-correlation-id": journey.id}
                try:
                    client.post("/posts", json={"text": "hello"}, headers=headers).raise_for_status()
                except httpx.HTTPError as error:
                    self.say(f"  a post failed: {error}", event="failure", error=str(error))


def run(arguments: argparse.Namespace) -> None:
    """Set everything up, let it run, take everything down."""
    demo = Demo(as_json=arguments.as_json)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: demo.stopping.set())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamsocial-")))
        credentials = stack.enter_context(own_credentials())
        stage = stack.enter_context(Stage(folder))
        server = start_server(stage, folder, credentials)
        demo.say("starting Kafka ...", event="starting", what="kafka")
        kafka = arguments.kafka or stack.enter_context(LocalKafka()).bootstrap
        make_topic(kafka)
        stage.wait_ready("server", f"{server}/health/ready")
        author_flag()
        gateway = start_services(demo, stage, server, kafka, credentials)
        introduce(demo, server)
        until_s = None if arguments.seconds is None else time.monotonic() + arguments.seconds
        traffic = threading.Thread(
            target=demo.send_traffic, args=(gateway,), kwargs={"rate": arguments.rate, "until_s": until_s}
        )
        traffic.start()
        watch(demo, stage, traffic)
        traffic.join()
        demo.say("ending everything ...", event="ending")


def watch(demo: Demo, stage: Stage, traffic: threading.Thread) -> None:
    """Until the traffic is over or somebody pressed Ctrl-C. Raises: RuntimeError if a service fell."""
    while traffic.is_alive() and not demo.stopping.wait(0.2):
        fallen = stage.fallen()
        if fallen is not None:
            demo.stopping.set()
            traffic.join()
            raise RuntimeError(f"{fallen} ended by itself:\n{stage.log_of(fallen)}")


def start_server(stage: Stage, folder: Path, credentials: Path) -> str:
    """The control plane; its URL."""
    port = free_port()
    database = f"sqlite:///{folder / 'pennon.db'}"
    command = [sys.executable, "-m", "pennon", "serve", "--port", str(port)]
    stage.start("server", [*command, "--database", database, "--credentials", str(credentials)])
    return f"http://127.0.0.1:{port}"


def start_services(demo: Demo, stage: Stage, server: str, kafka: str, credentials: Path) -> str:
    """gateway, posts and feed; the gateway's URL."""
    posts, gateway = free_port(), free_port()
    environment = {
        "PENNON_SERVER": server,
        "PENNON_TOKEN": json.loads(credentials.read_text())["sdk"]["production"],
        "KAFKA": kafka,
        "POSTS_HOST": f"127.0.0.1:{posts}",
    }
    for name, port in (("posts", posts), ("gateway", gateway)):
        command = [sys.executable, "-m", "uvicorn", f"streamsocial.{name}:app", "--port", str(port)]
        quiet = ["--log-level", "warning", "--timeout-graceful-shutdown", "5"]
        stage.start(name, command + quiet, environment=environment, told=demo.told)
    stage.start("feed", [sys.executable, "-m", "streamsocial.feed"], environment=environment, told=demo.told)
    for name, port in (("posts", posts), ("gateway", gateway)):
        stage.wait_ready(name, f"http://127.0.0.1:{port}/")
    return f"http://127.0.0.1:{gateway}"


def make_topic(kafka: str) -> None:
    """The topic of posts; one that is there already is used as it is."""
    admin = AdminClient({"bootstrap.servers": kafka})
    if POSTS_TOPIC not in admin.list_topics(timeout=10).topics:
        admin.create_topics([NewTopic(POSTS_TOPIC, num_partitions=4)])[POSTS_TOPIC].result(timeout=10)


def author_flag() -> None:
    """The demo's flag, at half of the users."""
    variants = ["-v", "ranked=ranked", "-v", "chronological=chronological"]
    pennon("flags", "create", "feed-ranking", "--type", "string", *variants)
    pennon("flags", "ramp", "feed-ranking", "50")


def introduce(demo: Demo, server: str) -> None:
    """Say what is running and what to try."""
    executable = Path(sys.executable).with_name("pennon")
    shown = executable.relative_to(Path.cwd()) if executable.is_relative_to(Path.cwd()) else executable
    commands = [(f"{shlex.quote(str(shown))} {command}", effect) for command, effect in TRY]
    lines = [f"  {command:<44} {'# ' + effect if effect else ''}".rstrip() for command, effect in commands]
    text = f"\nThe control plane is {server}. In another terminal, in this folder, try\n" + "\n".join(lines) + "\n"
    demo.say(text, event="ready", server=server, commands=[command for command, _ in commands])


def main() -> int:
    """Parse and run; 0 unless something fell."""
    parser = argparse.ArgumentParser(prog="streamsocial", description=__doc__)
    parser.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="end after this long")
    parser.add_argument("--rate", type=float, default=10.0, help="posts a second (default 10)")
    parser.add_argument("--json", dest="as_json", action="store_true", help="print events as JSON lines")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="use this broker instead of a local one")
    try:
        run(parser.parse_args())
    except RuntimeError as error:
        print(f"streamsocial: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
