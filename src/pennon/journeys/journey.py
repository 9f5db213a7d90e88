"""One journey: the hops of one trace that have arrived so far, and its summary."""

from typing import Any, Final

import msgspec

from pennon.journeys.hops import Hop, decisions_of

# A journey over 24 services has about 100 spans. Higher: one endless trace fills a page that nobody reads.
HOPS_LIMIT_COUNT: Final = 512
# What a line of a list can show.
DECISIONS_SHOWN_COUNT: Final = 16
SERVICES_SHOWN_COUNT: Final = 64

# What Python's objects for one hop weigh beside its span's bytes.
_HOP_OVERHEAD_BYTES: Final = 700


class Decision(msgspec.Struct, frozen=True):
    """A decision in a summary, each once; those about other units than the journey's own stand in its hops alone."""

    flag: str
    variant: str | None
    reason: str


class Summary(msgspec.Struct, frozen=True):
    """A line of the list. began_ms: since 1970. services: in the order they were reached.

    is_cut: spans came beyond the number that is kept of one journey.
    """

    trace_id: str
    correlation_id: str | None
    request_id: str | None
    user: str | None
    began_ms: float
    duration_ms: float
    services: tuple[str, ...]
    hop_count: int
    error_count: int
    decisions: tuple[Decision, ...]
    is_cut: bool


class Journey:
    """Grows by `add`. updated_ns: by the clock that intervals are measured with."""

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        self.hops: dict[str, Hop] = {}
        self.size_bytes = 0
        self.updated_ns = 0
        self.error_count = 0
        self.cut_count = 0
        # Everything that a search finds it by.
        self.names: set[str] = {trace_id}
        self._summary: Summary | None = None

    def add(self, hop: Hop, now_ns: int) -> bool:
        """Take one more hop; False if it was known already, or there are too many."""
        if hop.span_id in self.hops:
            return False
        if len(self.hops) >= HOPS_LIMIT_COUNT:
            self.cut_count += 1
            self._summary = None
            return False
        self.hops[hop.span_id] = hop
        names = [name for name in (hop.user, hop.request_id, hop.correlation_id) if name]
        self.names.update(names)
        self.size_bytes += len(hop.span) + _HOP_OVERHEAD_BYTES + sum(map(len, names))
        self.updated_ns = now_ns
        self.error_count += hop.is_error
        self._summary = None
        return True

    @property
    def summary(self) -> Summary:
        """As of now."""
        if self._summary is None:
            self._summary = _summary_of(self)
        return self._summary


def in_order(journey: Journey) -> list[Hop]:
    """The hops by their beginning."""
    return sorted(journey.hops.values(), key=lambda hop: (hop.began_ns, hop.span_id))


def _summary_of(journey: Journey) -> Summary:
    hops = in_order(journey)
    began_ns = hops[0].began_ns
    made = sorted((decided for hop in hops for decided in decisions_of(hop)), key=lambda decided: decided.at_ns)
    own = (decided for decided in made if decided.other is None)
    decisions = dict.fromkeys(Decision(decided.flag, decided.variant, decided.reason) for decided in own)
    return Summary(
        trace_id=journey.trace_id,
        correlation_id=next((hop.correlation_id for hop in hops if hop.correlation_id), None),
        request_id=next((hop.request_id for hop in hops if hop.request_id), None),
        user=next((hop.user for hop in hops if hop.user), None),
        began_ms=in_ms(began_ns),
        duration_ms=in_ms(max(hop.ended_ns for hop in hops) - began_ns),
        services=tuple(dict.fromkeys(hop.service for hop in hops))[:SERVICES_SHOWN_COUNT],
        hop_count=len(hops),
        error_count=journey.error_count,
        decisions=tuple(decisions)[:DECISIONS_SHOWN_COUNT],
        is_cut=journey.cut_count > 0,
    )


def in_ms(interval_ns: int) -> float:
    """Milliseconds, to the microsecond."""
    return round(interval_ns / 1e6, 3)


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary's members."""
    document: dict[str, Any] = msgspec.to_builtins(summary)
    return document
