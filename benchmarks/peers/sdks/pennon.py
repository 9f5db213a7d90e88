"""pennon: the client's typed calls outside a request, as a service asks that gives unit and attributes."""

import json
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.floor import Job
from benchmarks.peers.sdks.common import TEXT_JOB, Attributes, Document

import pennon
from pennon.client import answering
from pennon.flags import Ruleset, decode_ruleset

Context = tuple[str, Attributes]


class Pennon:
    """A client over a fixed ruleset."""

    def __init__(self, document: Document) -> None:
        self._stack = ExitStack()
        self._stack.enter_context(answering(Ruleset.of(decode_ruleset(json.dumps(document).encode()))))
        self._client = self._stack.enter_context(pennon.connect())

    def context(self, unit: str, attributes: Attributes) -> Context:
        """Unit and attributes go in as they are."""
        return unit, attributes

    def answer(self, job: str, context: Context) -> object:
        """A text or a boolean."""
        unit, attributes = context
        if job == TEXT_JOB:
            return self._client.string(job, unit=unit, attributes=attributes, default="")
        return self._client.is_on(job, unit=unit, attributes=attributes, default=False)

    def calls(self, job: str, contexts: Sequence[Context]) -> Job:
        """The typed call of the job."""
        client = self._client

        def texts(count: int) -> None:
            for _ in range(count):
                for unit, attributes in contexts:
                    client.string(job, unit=unit, attributes=attributes, default="")

        def booleans(count: int) -> None:
            for _ in range(count):
                for unit, attributes in contexts:
                    client.is_on(job, unit=unit, attributes=attributes, default=False)

        return texts if job == TEXT_JOB else booleans

    def close(self) -> None:
        """End the client."""
        self._stack.close()


open_sdk = Pennon
