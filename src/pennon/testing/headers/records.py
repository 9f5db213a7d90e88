"""Records without a broker: what a consumer would hand to `pennon.kafka.process`."""

from types import SimpleNamespace
from typing import Any

import pennon.kafka
from pennon.context import RequestContext
from pennon.headers import Contract, mesh


def record_with(headers: list[tuple[str, bytes | None]], *, topic: str = "kit") -> Any:
    """A record as aiokafka has it, with these headers and nothing in it."""
    return SimpleNamespace(headers=headers, topic=topic, partition=0, offset=0, timestamp=0, key=None, value=None)


def read_record(headers: list[tuple[str, bytes | None]], contract: Contract) -> RequestContext:
    """The context in which such a record is handled; its topic is a mesh's."""
    with pennon.kafka.process(record_with(headers), contract, boundary=mesh()) as context:
        return context
