"""The fuzzer by time: `python -m tests.fuzz.soak --minutes 10` gives each codec that long, on all processors.

What reached new lines is kept in a folder, and the next run goes on from it. What is found is printed as a literal, to
become a vector and a test, and the exit status is 1.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from tests.fuzz.codecs import CODECS
from tests.fuzz.fuzzer import Finding, Outcome, fuzz


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 if nothing was found, 1 with the inputs on standard error."""
    options = _options(arguments)
    findings = []
    with workers() as pool:
        begun = [
            (name, pool.submit(fuzzed, name, options.minutes * 60, _seed(), _corpus(options.corpus / name)))
            for name in options.codecs
        ]
        for name, future in begun:
            outcome = future.result()
            _keep(options.corpus / name, outcome.corpus)
            print(f"{name}: {outcome.runs} inputs, at most {outcome.most_steps} steps", flush=True)
            if outcome.finding is not None:
                findings.append(outcome.finding)
    for finding in findings:
        print(told(finding), file=sys.stderr)
    return 1 if findings else 0


def fuzzed(name: str, seconds: float, seed: int, corpus: Sequence[bytes] = ()) -> Outcome:
    """One codec, by name: what a worker is told."""
    codec = next(each for each in CODECS if each.name == name)
    return fuzz(codec, seconds=seconds, seed=seed, corpus=corpus)


@contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """One for each processor: new processes, in whose main threads signals arrive. At the end nothing new begins."""
    pool = ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def told(finding: Finding) -> str:
    """A finding as somebody wants it who is to reproduce it."""
    return f"{finding.codec} breaks on {finding.data!r}: {finding.how}"


def _corpus(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.is_dir() else []


def _keep(folder: Path, corpus: Iterable[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for data in corpus:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def _seed() -> int:
    return int.from_bytes(os.urandom(4))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    names = [codec.name for codec in CODECS]
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("PENNON_FUZZ_MINUTES", "10")))
    parser.add_argument("--corpus", type=Path, default=Path(os.environ.get("PENNON_SOAK_DATABASE", ".soak")) / "fuzz")
    parser.add_argument("--codecs", nargs="+", choices=names, default=names)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
