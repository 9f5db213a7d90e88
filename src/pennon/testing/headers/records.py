"""Records without a broker: what a consumer would hand to `pennon.kafka.process`."""

import pennon.kafka
from pennon.context import RequestContext
from pennon.headers import Boundary, Contract, mesh


class SpiedRecord:
    """A record as confluent-kafka has it, with these headers."""

    def __init__(self, headers: list[tuple[str, bytes]], topic: str = "kit") -> None:
        self._headers: list[tuple[str, str | bytes | None]] = list(headers)
        self._topic = topic

    def headers(self) -> list[tuple[str, str | bytes | None]]:
        """All of them."""
        return self._headers

    def set_headers(self, headers: list[tuple[str, str | bytes | None]], /) -> None:
        """Replace them."""
        self._headers = headers

    def topic(self) -> str:
        """Where it was read."""
        return self._topic

    def partition(self) -> int:
        """Likewise."""
        return 0

    def offset(self) -> int:
        """Likewise."""
        return 0

    def timestamp(self) -> tuple[int, int]:
        """Its kind, "not known", and the time."""
        return 0, 0


def read_record(record: SpiedRecord, contract: Contract, *, boundary: Boundary | None = None) -> RequestContext:
    """The context in which it is handled; of a mesh's topic unless said."""
    with pennon.kafka.process(record, contract, boundary=boundary or mesh()) as context:
        return context
