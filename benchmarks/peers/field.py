"""Who runs, and where: the contenders, their environments and their processes."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from benchmarks.engine.jobs import job_flags

from pennon.testing.jars import cache_folder

HERE: Final = Path(__file__).parent

# Who is in the segment of job D; the ruleset of the jobs has their hashes.
MEMBERS: Final = {"beta": tuple(f"member-{number}" for number in range(10_000))}

Question = tuple[str, Mapping[str, object]]


class Entrant(NamedTuple):
    """name: of its modules here and of its requirements. title: for readers. distribution: as installed."""

    name: str
    title: str
    distribution: str


OURS: Final = Entrant("pennon", "pennon", "pennon")
PEERS: Final = (
    Entrant("statsig", "Statsig core", "statsig-python-core"),
    Entrant("flagd", "flagd core", "openfeature-flagd-core"),
    Entrant("growthbook", "GrowthBook", "growthbook"),
    Entrant("launchdarkly", "LaunchDarkly", "launchdarkly-server-sdk"),
    Entrant("unleash", "Unleash", "UnleashClient"),
)


class Racer:
    """A contender's process."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str], entrant: Entrant) -> None:
        self._process = process
        self._errors = errors
        self.entrant = entrant
        self.version = ""

    def open(self, asks: Sequence[Question]) -> None:
        """Give it the jobs in its own format and the questions that are timed."""
        formats = import_module(f"benchmarks.peers.formats.{self.entrant.name}")
        document = formats.document(job_flags(), MEMBERS)
        opening = {"document": document, "asks": asks, "distribution": self.entrant.distribution}
        self.version = self._asked(opening)["version"]

    def answers(self, job: str, asks: Sequence[Question]) -> list[Any]:
        """What it answers to these questions."""
        answers: list[Any] = self._asked({"job": job, "asks": asks})
        return answers

    def spent_ns(self, job: str) -> dict[str, float]:
        """CPU time of one call of the job, and of the floor in the same process: "job" and "floor"."""
        spent: dict[str, float] = self._asked({"job": job})
        return spent

    def _asked(self, request: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._errors.seek(0)
            sys.exit(f"{self.entrant.title} ended:\n{self._errors.read()[-4_000:]}")
        return json.loads(line)


@contextmanager
def running() -> Iterator[tuple[Racer, ...]]:
    """All contenders, ours first, each in its process; ended on the way out."""
    pythons = {OURS: Path(sys.executable), **{peer: _environment(peer.name) for peer in PEERS}}
    with ExitStack() as stack:
        yield tuple(stack.enter_context(_process(entrant, python)) for entrant, python in pythons.items())


@contextmanager
def _process(entrant: Entrant, python: Path) -> Iterator[Racer]:
    # The way to loopback leads through no proxy.
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [python, HERE / "worker.py", entrant.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        )
        with process:
            try:
                yield Racer(process, errors, entrant)
            finally:
                _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """The end of its input ends it; if not, it is killed."""
    assert process.stdin is not None
    try:
        process.stdin.close()
        process.wait(timeout=10)
    except (BrokenPipeError, subprocess.TimeoutExpired):
        process.kill()


def _environment(name: str) -> Path:
    """The Python of a peer's own environment, made anew when its requirements or this Python have changed."""
    requirements = HERE / "requirements" / f"{name}.txt"
    wanted = f"{sys.version}\n{requirements.read_text(encoding='utf-8')}"
    folder = cache_folder() / "peers" / name
    python, stamp = folder / "bin" / "python", folder / "made"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {name} ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*install, "--requirement", str(requirements)], check=True)
    stamp.write_text(wanted, encoding="utf-8")
    return python
