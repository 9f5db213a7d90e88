"""A fuzzer that is guided by coverage: what reaches new lines is mutated further.

It traces the lines of pennon that an input runs through. A pair of lines that follow one another and was not seen
before makes the input worth keeping; the number of lines bounds what an input may cost. What is found is made smaller
as long as it fails in the same way.
"""

import gc
import random
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

import pennon

# Above any server's own limit for the headers of one request that is left at its default but one.
INPUT_LIMIT_BYTES: Final = 20_000
# Thousands of times what any input costs here; an expression that runs away takes hours.
CPU_LIMIT_S: Final = 0.5
_SOURCE: Final = str(Path(pennon.__file__).parent)
_SHRINK_LIMIT_S: Final = 10.0
_WORDS: Final = re.compile(rb"[A-Za-z0-9]+|[^A-Za-z0-9]")
_TELLING: Final = (
    *(bytes([byte]) for byte in b'\n\0 \t,;="\\%+-.:@*[]0\x1e\x1f\x80\xff'),
    *(b"\r\n", b"%0d%0a", b"%00", b"%C3", b"%ed%a0%80", b"-1", b"00", b"ff", b"9" * 20, b"\xc3\xa9", b"\xed\xa0\x80"),
    # A digit and a letter to what does not ask for ASCII.
    *("\u0663".encode(), "\u017f".encode()),
)


class Codec(NamedTuple):
    """What is fuzzed.

    check: raises AssertionError where a promise is broken; whatever else it raises is a finding as well.
    step_limit: how many lines of pennon one input may run through, whatever its length.
    """

    name: str
    seeds: tuple[bytes, ...]
    check: Callable[[bytes], object]
    step_limit: int


class Finding(NamedTuple):
    """An input that breaks a promise, as small as it could be made."""

    codec: str
    data: bytes
    how: str


class Outcome(NamedTuple):
    """What a run came to. corpus: the inputs worth going on from. most_steps: of the dearest input."""

    runs: int
    corpus: tuple[bytes, ...]
    most_steps: int
    finding: Finding | None


class TooDear(BaseException):
    """An input cost more than is allowed; not an Exception, so that no codec catches it."""


def fuzz(codec: Codec, *, seconds: float, seed: int, corpus: Sequence[bytes] = ()) -> Outcome:
    """Inputs from the seeds and a corpus on, until one breaks a promise or has had this much of the processor."""
    chance = random.Random(seed)
    watch = _Watch(codec)
    words = tuple(sorted({word for each in codec.seeds for word in _WORDS.findall(each)} | {*_TELLING}))
    pool = [b"", *codec.seeds, *corpus]
    kept: list[bytes] = []
    until = time.thread_time() + seconds
    for data in _inputs(chance, pool, kept, words):
        how = watch.broken_by(data)
        if how is not None:
            return Outcome(watch.runs, tuple(kept), watch.most_steps, Finding(codec.name, watch.shrunk(data, how), how))
        if watch.is_new:
            kept.append(data)
        if time.thread_time() >= until:
            break
    return Outcome(watch.runs, tuple(kept), watch.most_steps, None)


class _Watch:
    """Runs the check of one codec, and sees where it goes."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._seen: set[tuple[CodeType, int, int]] = set()
        self.runs = 0
        self.steps = 0
        self.most_steps = 0
        self.is_new = False

    def broken_by(self, data: bytes) -> str | None:
        """How the input breaks a promise; None if it does not."""
        self.runs += 1
        self.steps = 0
        self.is_new = False
        try:
            with _limited_cpu(), self._traced():
                self._codec.check(data)
        except (Exception, TooDear) as error:  # noqa: BLE001 - whatever it is, it is a finding
            return f"{type(error).__name__} {_place(error)}"
        if self.steps > self.most_steps:
            # What costs most is worth going on from as well: so the dearest input is found.
            self.most_steps, self.is_new = self.steps, True
        if self.steps > self._codec.step_limit:
            return f"more than {self._codec.step_limit} steps"
        return None

    def shrunk(self, data: bytes, how: str) -> bytes:
        """The input without the pieces that it does not need, from halves to single bytes, to break in the same way."""
        until = time.thread_time() + _SHRINK_LIMIT_S
        size = len(data) // 2
        while size:
            begin = 0
            while begin < len(data) and time.thread_time() < until:
                smaller = data[:begin] + data[begin + size :]
                if self.broken_by(smaller) == how:
                    data = smaller
                else:
                    begin += size
            size //= 2
        return data

    @contextmanager
    def _traced(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(before)

    def _enter(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(_SOURCE):
            return None
        line = 0

        def step(frame: FrameType, event: str, _arg: Any) -> Any:
            nonlocal line
            if event == "line":
                self.steps += 1
                pair = (code, line, frame.f_lineno)
                if pair not in self._seen:
                    self._seen.add(pair)
                    self.is_new = True
                line = frame.f_lineno
            return step

        return step


@contextmanager
def _limited_cpu() -> Iterator[None]:
    """What runs away in an expression is interrupted: it looks for signals. Nothing else is collected meanwhile."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooDear(f"more than {CPU_LIMIT_S} s")

    gc.disable()
    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        gc.enable()


def _place(error: BaseException) -> str:
    """Where it was raised: the innermost line, and what that says."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "nowhere" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    return f"at {place}" if isinstance(error, TooDear) else f"at {place}: {str(error)[:200]}"


def _inputs(
    chance: random.Random, begin: Sequence[bytes], kept: Sequence[bytes], words: Sequence[bytes]
) -> Iterator[bytes]:
    """Those to begin with, then mutants of them and of what was kept, in equal shares; `kept` grows meanwhile."""
    yield from begin
    while True:
        data = chance.choice(chance.choice((begin, kept or begin)))
        for _ in range(1 << chance.randrange(4)):
            data = chance.choice(_MUTATIONS)(chance, data, begin, words)
        yield data[:INPUT_LIMIT_BYTES]


def _cut(chance: random.Random, data: bytes, _begin: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    begin, end = _span(chance, data)
    return data[:begin] + data[end:]


def _repeated(chance: random.Random, data: bytes, _begin: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    begin, end = _span(chance, data)
    return data[:end] + data[begin:end] * chance.choice((1, 1, 2, 8, 64, 1_000)) + data[end:]


def _inserted(chance: random.Random, data: bytes, _begin: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    place = chance.randint(0, len(data))
    # Some piled up: what is nested too deep, and numbers without end.
    return data[:place] + chance.choice(words) * chance.choice((1, 1, 1, 4, 64, 5_000)) + data[place:]


def _replaced(chance: random.Random, data: bytes, _begin: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    found = list(_WORDS.finditer(data))
    if not found:
        return chance.choice(words)
    match = chance.choice(found)
    return data[: match.start()] + chance.choice(words) + data[match.end() :]


def _flipped(chance: random.Random, data: bytes, _begin: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    if not data:
        return bytes([chance.randrange(256)])
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def _joined(chance: random.Random, data: bytes, begin: Sequence[bytes], _words: Sequence[bytes]) -> bytes:
    other = chance.choice(begin)
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


def _span(chance: random.Random, data: bytes) -> tuple[int, int]:
    begin = chance.randint(0, len(data))
    return begin, min(len(data), begin + 1 + int(chance.expovariate(0.1)))


_MUTATIONS: Final = (_cut, _repeated, _inserted, _replaced, _flipped, _joined)
