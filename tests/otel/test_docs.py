"""The reference page says what the code does."""

import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "otel.md").read_text(encoding="utf-8")


@pytest.fixture
def ran() -> dict[str, Any]:
    """The names of the page's examples after they have run; with an SDK where a test asks for `spans` before."""
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    return names


def test_page_shows_code_that_runs(ran: dict[str, Any]) -> None:
    """Without an SDK a door of one's own hands on where the hop stands."""
    assert "00f067aa0ba902b7" == ran["LATER"].parent_span_id


def test_door_of_the_page_makes_a_span(spans: InMemorySpanExporter, ran: dict[str, Any]) -> None:
    """It tells of the crossing, and what is handed on is the span's own place."""
    [span] = spans.get_finished_spans()
    assert {"pennon.headers.took": ("traceparent",), "server.port": 7000}.items() <= dict(span.attributes or {}).items()
    assert ran["LATER"].span_id == trace.format_span_id(span.get_span_context().span_id)  # type: ignore[union-attr]
