"""What `/metrics` shows: requests by route, open streams, and this process's counters."""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from pennon import counters

_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

# Seconds. Reads take a millisecond, a commit that syncs to disk 2 to 50; beyond a second something is wrong. A
# stream's whole life is one request: it lands in +Inf.
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """One registry per app, so that two in one process do not add up."""

    media_type: Final = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, *, reader_count: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "pennon_http_requests", "Requests that ended.", ("method", "route", "status"), registry=self._registry
        )
        self._durations = Histogram(
            "pennon_http_request_duration_seconds",
            "From the first byte in to the last byte out.",
            ("method", "route"),
            registry=self._registry,
            buckets=_BUCKETS_S,
        )
        streams = Gauge("pennon_streams_open", "Event streams that are open.", registry=self._registry)
        streams.set_function(reader_count)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(_Counters())

    def observe(self, *, method: str, route: str, status: int, duration_s: float) -> None:
        """Take note of a request that ended (see `web.access.Observe`)."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._durations.labels(method, route).observe(duration_s)

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self._registry)


class _Counters(Collector):
    """`counters.samples()` as Prometheus reads them: `pennon.headers.dropped` is `pennon_headers_dropped_total`."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        families: dict[str, CounterMetricFamily] = {}
        for sample in counters.samples():
            name = sample.name.replace(".", "_")
            family = families.setdefault(name, CounterMetricFamily(name, f"{sample.name}, by cause.", labels=["cause"]))
            family.add_metric([sample.cause], sample.total)
        yield from families.values()
