"""flagd: the in-process evaluator itself. The stock OpenFeature client in front of it would add 8 µs to each call."""

from collections.abc import Sequence
from typing import Any

from benchmarks.floor import Job
from benchmarks.peers.sdks.common import TEXT_JOB, Attributes, Document
from openfeature.contrib.tools.flagd.core import FlagdCore  # type: ignore[import-not-found]
from openfeature.evaluation_context import EvaluationContext


class Flagd:
    """A core with one flag set."""

    def __init__(self, document: Document) -> None:
        self._core = FlagdCore()
        self._core.set_flags(dict(document))

    def context(self, unit: str, attributes: Attributes) -> Any:
        """A context with the unit as targeting key."""
        return EvaluationContext(unit, dict(attributes))

    def answer(self, job: str, context: Any) -> Any:
        """The value of the details that it answers."""
        if job == TEXT_JOB:
            return self._core.resolve_string_value(job, "", context).value
        return self._core.resolve_boolean_value(job, False, context).value  # noqa: FBT003 - theirs is positional

    def calls(self, job: str, contexts: Sequence[Any]) -> Job:
        """The typed call of the job."""
        core = self._core

        def texts(count: int) -> None:
            for _ in range(count):
                for context in contexts:
                    core.resolve_string_value(job, "", context).value  # noqa: B018 - a caller reads it

        def booleans(count: int) -> None:
            for _ in range(count):
                for context in contexts:
                    core.resolve_boolean_value(job, False, context).value  # noqa: B018, FBT003 - as above

        return texts if job == TEXT_JOB else booleans

    def close(self) -> None:
        """It holds nothing open."""


open_sdk = Flagd
