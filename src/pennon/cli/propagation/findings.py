"""What a probe finds: for each crossing, what became of each thing that a request carries."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

# Where a probe never gets into a request.
REFUSED: Final = "the door refused the probe: it is over a budget of the contract"


class Item(StrEnum):
    """A thing that a request carries from hop to hop."""

    TRACE = "trace"
    PARENT = "parent"
    SAMPLED = "sampled"
    REQUEST_ID = "request id"
    CORRELATION_ID = "correlation id"
    BAGGAGE = "baggage"
    DECISIONS = "decisions"
    DEADLINE = "deadline"
    IDENTITY = "identity"


class State(StrEnum):
    """What became of it."""

    KEPT = "kept"
    WITHHELD = "withheld"
    """The contract keeps it back, and it did not cross."""
    LOST = "lost"
    """It should have crossed and did not, or crossed as something else."""
    LEAKED = "leaked"
    """It crossed, and must not."""


class Verdict(msgspec.Struct, frozen=True):
    """What became of one thing. why: the contract's rule, or what went wrong; "" where it was kept."""

    item: Item
    state: State
    why: str = ""

    @property
    def is_break(self) -> bool:
        """Whether something is wrong with it."""
        return self.state in (State.LOST, State.LEAKED)


class Crossing(msgspec.Struct, frozen=True):
    """One probe through one door.

    hop: where from or to. door: which doors it passed, e.g. "asgi > httpx". fault: why the probe did not get there at
    all; then there are no verdicts.
    """

    hop: str
    door: str
    verdicts: tuple[Verdict, ...] = ()
    fault: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether anything was lost or leaked, or the probe did not arrive."""
        return bool(self.fault) or any(verdict.is_break for verdict in self.verdicts)


class Level(StrEnum):
    """How much a finding about the surroundings matters."""

    FINE = "fine"
    ADVICE = "advice"
    """It loses something for whoever uses it; nothing does here."""
    BREAK = "break"


class Finding(msgspec.Struct, frozen=True):
    """Something about the surroundings. subject: what it is about; said: one sentence."""

    level: Level
    subject: str
    said: str


class Examined(msgspec.Struct, frozen=True):
    """Everything that was found. incoming, outgoing, records: crossings; threads, surroundings: findings."""

    contract: str
    incoming: tuple[Crossing, ...]
    outgoing: tuple[Crossing, ...]
    records: tuple[Crossing, ...]
    threads: tuple[Finding, ...]
    surroundings: tuple[Finding, ...]

    @property
    def breaks_count(self) -> int:
        """How many things are wrong."""
        crossings: Iterable[Crossing] = (*self.incoming, *self.outgoing, *self.records)
        findings: Iterable[Finding] = (*self.threads, *self.surroundings)
        broken = sum(bool(each.fault) + sum(verdict.is_break for verdict in each.verdicts) for each in crossings)
        return broken + sum(finding.level is Level.BREAK for finding in findings)
