"""What a contender is to the race. Nothing in this folder may import what its own environment does not have."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from benchmarks.floor import Job

Attributes = Mapping[str, Any]
Document = Mapping[str, Any]

# The job that answers a text; the others answer yes or no.
TEXT_JOB = "c"


class Contender(Protocol):
    """An SDK, opened on the jobs."""

    def context(self, unit: str, attributes: Attributes) -> Any:
        """What a call is given beside the flag, built ahead."""

    def answer(self, job: str, context: Any) -> Any:
        """One public call."""

    def calls(self, job: str, contexts: Sequence[Any]) -> Job:
        """The same call for each context, written out: a loop that asks through `answer` would time that as well."""

    def close(self) -> None:
        """End it."""
