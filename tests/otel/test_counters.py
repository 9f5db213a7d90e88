"""Counters as OpenTelemetry metrics."""

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from pennon import counters, otel
from pennon.headers import DropReason


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> InMemoryMetricReader:
    """What a metrics SDK reads."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    # The public setter works once per process.
    monkeypatch.setattr(metrics._internal, "_METER_PROVIDER", provider)
    return reader


def readings(reader: InMemoryMetricReader) -> dict[tuple[str, object], float]:
    """(metric, cause) -> value."""
    data = reader.get_metrics_data()
    return {
        (metric.name, (point.attributes or {}).get("cause")): point.value  # type: ignore[union-attr]
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def test_export_counters_reads_the_totals_by_cause(reader: InMemoryMetricReader) -> None:
    """A metric is the counter as it stands when it is read; exporting twice does not double it."""
    otel.export_counters()
    otel.export_counters()
    place = ("pennon.headers.dropped", DropReason.UNKNOWN.value)
    before = readings(reader).get(place, 0)

    counters.count(counters.Count.HEADERS_DROPPED, DropReason.UNKNOWN, by=3)

    assert before + 3 == readings(reader)[place]
