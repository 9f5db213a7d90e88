"""What a hop's row tells of a request that somebody meant harm with."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.system]

TRACE = "d0" * 16
MEMBERS = [f"baggage:k{number}" for number in range(60)]
NAMES = [*MEMBERS[:30], "x-request-id", *MEMBERS[30:], "traceparent"]
REASONS = ["unknown"] * 30 + ["malformed"] + ["unknown"] * 30 + ["restarted"]


def _texts(values: list[str]) -> dict[str, Any]:
    return {"arrayValue": {"values": [{"stringValue": value} for value in values]}}


@pytest.fixture
def refused(address: str) -> str:
    """Where a journey of one hop is shown, of which much was dropped before it was refused."""
    said = {
        "pennon.headers.dropped": _texts(NAMES),
        "pennon.headers.drop_reasons": _texts(REASONS),
        "http.response.status_code": {"intValue": "431"},
    }
    began_ns = 1_795_267_082_000_000_000
    span = {"traceId": TRACE, "spanId": "ab" * 8, "name": "POST /posts", "kind": 2}
    span |= {"startTimeUnixNano": str(began_ns), "endTimeUnixNano": str(began_ns + 10**6)}
    span["attributes"] = [{"key": key, "value": value} for key, value in said.items()]
    service = {"key": "service.name", "value": {"stringValue": "gateway"}}
    sent = {"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [{"spans": [span]}]}]}
    assert 200 == httpx.post(f"{address}/v1/traces", json=sent, timeout=10).status_code
    return f"{address}/#trace={TRACE}"


@pytest.mark.parametrize("width", [375, 1280])
def test_hop_tells_a_reason_once_for_all_that_was_dropped_by_it(
    refused: str, look: Callable[..., Any], width: int
) -> None:
    """Every name stands there, beside its reason; with which status it was refused is seen before the row is opened."""
    page = look(refused, width=width).page
    row = page.locator(".hop")
    expect(row.locator("summary").first).to_contain_text("431")
    row.locator("summary").first.click()
    groups = row.locator(".dropped")

    expect(groups).to_have_count(3)
    expect(groups.nth(0).locator("code")).to_have_text([f"− {name}" for name in MEMBERS])  # noqa: RUF001  # as shown
    expect(groups.nth(0).locator("small")).to_have_text("unknown: nobody has declared it")
    expect(groups.nth(1)).to_contain_text("x-request-id")
    expect(groups.nth(1)).to_contain_text("malformed: it breaks its syntax")
    expect(groups.nth(2)).to_contain_text("restarted: a stranger's trace is not continued")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
