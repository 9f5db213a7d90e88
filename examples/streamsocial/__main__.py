"""`python -m streamsocial`: the control plane, a Kafka, the services, the journeys page and some traffic."""

import argparse
import json
import shlex
import signal
import sys
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pennon.testing import LocalKafka
from streamsocial import cluster
from streamsocial.authoring import author_flags
from streamsocial.journeys import Journey, Journeys
from streamsocial.sending import Sending
from streamsocial.stage import Stage, own_credentials
from streamsocial.tally import Tally
from streamsocial.tester import Tester, let_in
from streamsocial.traffic import Action, Traffic

TRY = (
    ("flags ramp feed-ranking 100", "everybody gets the ranked feed"),
    ("flags ramp feed-ranking 10", "the same tenth of the users as always"),
    ("flags kill feed-ranking", "nobody does, carried decisions included"),
    ("flags unkill feed-ranking", ""),
    ("flags show feed-ranking", ""),
    ("override uses", "whom a signed token let see another arm, and where"),
    ("divergence", "where services alone would have decided otherwise, and why"),
)
WATCH_S = 0.2
# How often the counters are shown: on a terminal in place, in a file line by line.
SHOW_S = 1.0
SHOW_IN_FILE_S = 5.0


class Demo:
    """What the parts of the running demo share."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.run = f"run-{uuid.uuid4().hex[:8]}"
        self.stopping = threading.Event()
        self.tally = Tally()
        self._journeys = Journeys()
        self._printing = threading.Lock()

    def say(self, text: str, /, **event: Any) -> None:
        """A line for people, or the same as an event for programs."""
        with self._printing:
            print(json.dumps(event) if self.as_json else text, flush=True)

    def told(self, line: dict[str, Any]) -> None:
        """A service told of something."""
        what = line.pop("told")
        if what == "experiment":
            self.tally.experiment = line["result"]
        if not self.as_json:
            return
        if what != "hop":
            self.say("", event="up" if what == "ready" else what, **line)
        elif (journey := self._journeys.told(line)) is not None:
            self.say("", **journey.as_event())

    def begun(self, action: Action) -> None:
        """An action is sent for the first time."""
        if self.as_json and action.kind in {"post", "comment", "like"}:
            self._journeys.begin(Journey(action.id, f"user-{action.account}", time.time()))

    def answered(self, action: Action, status: int, attempts_count: int, took_s: float) -> None:
        """An action was answered, or given up."""
        if self.as_json:
            about = {"seq": action.seq, "id": action.id, "kind": action.kind, "hostile": action.what}
            answer = {"status": status, "attempts": attempts_count, "took_s": took_s, "at_s": time.time()}
            self.say("", event="answered", **about, **answer)


def run(arguments: argparse.Namespace) -> None:
    """Set everything up, let it run, take everything down."""
    demo = Demo(as_json=arguments.as_json)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: demo.stopping.set())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamsocial-")))
        credentials = stack.enter_context(own_credentials())
        broker = LocalKafka()
        stack.callback(broker.stop)
        stage = stack.enter_context(Stage(folder, demo.told))
        demo.say("starting ...", event="starting")
        with ThreadPoolExecutor(max_workers=1) as pool:
            # The broker takes as long to start as everything that does not need it.
            started = pool.submit(lambda: arguments.kafka or broker.start().bootstrap)
            server = cluster.start_server(stage, folder, credentials)
            page = cluster.start_journeys(stage, server, credentials)
            author_flags()
            tester = let_in(folder)
            kafka = started.result()
        simulated = max(0, arguments.services - cluster.SERVICES_COUNT)
        cluster.make_topics(kafka, simulated)
        gateway = cluster.start_services(
            stage,
            folder,
            server=server,
            credentials=credentials,
            kafka=kafka,
            page=page,
            simulated=simulated,
            tell=arguments.as_json,
        )
        introduce(demo, stage, page, gateway, tester)
        traffic = Traffic(arguments.seed, demo.run, tester.token)
        play(demo, stage, Sending(traffic, gateway, demo.tally, begun=demo.begun, answered=demo.answered), arguments)
        demo.say("\nending everything ...", event="ending", **demo.tally.facts())


def play(demo: Demo, stage: Stage, sending: Sending, arguments: argparse.Namespace) -> None:
    """The traffic, until it is over or somebody pressed Ctrl-C. Raises: RuntimeError if what is essential fell."""
    until_s = None if arguments.seconds is None else time.monotonic() + arguments.seconds
    traffic = threading.Thread(target=sending.run, args=(arguments.rate, demo.stopping, until_s))
    traffic.start()
    show_at_s = time.monotonic() + SHOW_S
    try:
        while traffic.is_alive() and not demo.stopping.wait(WATCH_S):
            for actor in stage.replace_fallen(but_not=cluster.ESSENTIAL):
                demo.say(
                    f"\n{actor.name} ended and was started again",
                    event="restarted",
                    service=actor.name,
                    pid=actor.process.pid,
                )
            if time.monotonic() >= show_at_s:
                show_at_s += show(demo)
    finally:
        demo.stopping.set()
        traffic.join()


def show(demo: Demo) -> float:
    """The counters, and when to show them next, in seconds."""
    if demo.as_json:
        demo.say("", event="traffic", **demo.tally.facts())
        return SHOW_S
    is_terminal = sys.stdout.isatty()
    print(
        f"\r\x1b[K{demo.tally.line()}" if is_terminal else demo.tally.line(),
        end="" if is_terminal else "\n",
        flush=True,
    )
    return SHOW_S if is_terminal else SHOW_IN_FILE_S


def introduce(demo: Demo, stage: Stage, page: str, gateway: str, tester: Tester) -> None:
    """Say where to look and what to try."""
    executable = Path(sys.executable).with_name("pennon")
    shown = executable.relative_to(Path.cwd()) if executable.is_relative_to(Path.cwd()) else executable
    commands = [(f"{shlex.quote(str(shown))} {command}", effect) for command, effect in TRY]
    width = max(len(command) for command, _ in commands)
    lines = [f"  {command:<{width}}  {'# ' + effect if effect else ''}".rstrip() for command, effect in commands]
    text = f"\nStreamSocial: {page}\n\nIn another terminal, in this folder:\n" + "\n".join(lines) + "\n"
    text += f"\nAs a tester, who may pick an arm of the experiment:\n  {tester.short_curl(gateway)}\n"
    pids = {name: actor.process.pid for name, actor in stage.actors().items()}
    told = {"page": page, "commands": [command for command, _ in commands], "curl": tester.curl(gateway)}
    demo.say(text, event="ready", run=demo.run, pids=pids, **told)


def main() -> int:
    """Parse and run; 0 unless something fell."""
    parser = argparse.ArgumentParser(prog="streamsocial", description=__doc__)
    parser.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="end after this long")
    parser.add_argument("--rate", type=float, default=10.0, help="actions a second (default 10)")
    parser.add_argument(
        "--seed", type=int, default=7, help="of the traffic; the same seed, the same people (default 7)"
    )
    parser.add_argument("--services", type=int, default=cluster.SERVICES_COUNT, metavar="N",
                        help=f"how many, e.g. 24; beyond {cluster.SERVICES_COUNT} they are simulated")  # fmt: skip
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
