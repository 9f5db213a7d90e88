"""What SDKs report beside exposures, and how authors read it."""

import itertools
from typing import Any

import pytest

from pennon.carry import Divergence

NUMBERS = itertools.count(1)
USE = {"id": "8c1f", "flag": "new-checkout", "variant": "on", "count": 3, "first_ms": 10, "last_ms": 20}
AGREED = {"flag": "new-checkout", "cause": "agreed", "count": 2}
PLACE = "/v1/projects/default/environments/{}/{}"


def _report(**members: Any) -> dict[str, Any]:
    return {"report": f"{next(NUMBERS):032x}", "service": "orders", **members}


def _uses(plane: Any, token: str, environment: str = "production") -> list[Any]:
    found: list[Any] = plane.admin.get(PLACE.format(environment, "override-uses"), params={"id": token}).json()["items"]
    return found


def test_uses_reported_can_be_asked_for(plane: Any) -> None:
    """Also of a token and a flag that nobody has heard of: that is what an audit is for."""
    report = _report(overrides=[USE | {"id": "Unheard/of"}])
    answers = [plane.sdk.post("/v1/sdk/reports", json=report).json() for _ in range(2)]
    assert [{"new": True, "unknown": 0}, {"new": False, "unknown": 0}] == answers
    assert [USE | {"id": "Unheard/of", "service": "orders"}] == _uses(plane, "Unheard/of")
    assert [] == _uses(plane, "Unheard/of", "staging")


def test_uses_are_listed_page_by_page(plane: Any) -> None:
    """The cursor is long and taken all the same."""
    longest = {"id": "é" * 200, "flag": "f" * 64, "variant": "v" * 64}
    for service in ("é" * 100, "è" * 100):
        plane.sdk.post("/v1/sdk/reports", json=_report(service=service, overrides=[USE | longest]))
    path, query = PLACE.format("production", "override-uses"), {"id": longest["id"], "limit": 1}
    first = plane.admin.get(path, params=query).json()
    second = plane.admin.get(path, params=query | {"cursor": first["next_cursor"]}).json()
    assert ["è" * 100, "é" * 100] == [item["service"] for page in (first, second) for item in page["items"]]
    assert second["next_cursor"] is None


def test_divergence_reported_can_be_asked_for(plane: Any) -> None:
    """By service, flag and cause; flags that the environment does not have are dropped and told."""
    flag = plane.flag()
    items = [
        *({"flag": flag, "cause": cause.value, "count": 1 + at} for at, cause in enumerate(Divergence)),
        {"flag": "", "cause": "unknown_flag", "count": 9},
        {"flag": "archived-long-ago", "cause": "agreed", "count": 1},
    ]
    answer = plane.sdk.post("/v1/sdk/reports", json=_report(service="cart", divergence=items))
    assert {"new": True, "unknown": 1} == answer.json()

    path = PLACE.format("production", "divergence")
    found = [item for item in plane.admin.get(path).json()["items"] if item["service"] == "cart"]

    wanted = [{"service": "cart", **item} for item in items[:-1]]
    assert sorted(wanted, key=lambda item: (item["flag"], item["cause"])) == found
    assert [] == plane.admin.get(path, params={"since_ms": 2**52}).json()["items"]
    assert 400 == plane.admin.get(path, params={"since_ms": "now"}).status_code


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"report": "x"}, "/report"),
        ({"report": "A" * 32}, "/report"),
        ({"service": ""}, "/service"),
        ({"service": "a\x1b[31m"}, "/service"),
        ({"service": "a" * 101}, "/service"),
        ({"service": "orders\n"}, "/service"),
        ({"colour": 1}, "/colour"),
        ({"overrides": [USE | {"id": ""}]}, "/overrides/0/id"),
        ({"overrides": [USE | {"id": "a" * 201}]}, "/overrides/0/id"),
        ({"overrides": [USE, USE | {"flag": "A b"}]}, "/overrides/1/flag"),
        ({"overrides": [USE | {"variant": None}]}, "/overrides/0/variant"),
        ({"overrides": [USE | {"count": 0}]}, "/overrides/0/count"),
        ({"overrides": [USE | {"count": True}]}, "/overrides/0/count"),
        ({"overrides": [USE | {"count": 2**31}]}, "/overrides/0/count"),
        ({"overrides": [USE | {"first_ms": -1}]}, "/overrides/0/first_ms"),
        ({"overrides": [USE | {"last_ms": 9}]}, "/overrides/0"),
        ({"overrides": [USE | {"token": "eyJ"}]}, "/overrides/0/token"),
        ({"overrides": [USE] * 1_001}, "/overrides"),
        ({"divergence": [AGREED | {"cause": "bad luck"}]}, "/divergence/0/cause"),
        ({"divergence": [AGREED | {"flag": ""}]}, "/divergence/0"),
        ({"divergence": [AGREED | {"flag": "A"}]}, "/divergence/0/flag"),
        ({"divergence": [AGREED | {"count": -1}]}, "/divergence/0/count"),
        ({"divergence": [AGREED] * 1_001}, "/divergence"),
    ],
)
def test_report_with_a_fault_is_refused_whole(plane: Any, members: dict[str, Any], path: str) -> None:
    """With its place, and nothing of it counts."""
    token = f"refused-{next(NUMBERS)}"
    report = _report(**{"overrides": [USE | {"id": token}], **members})
    response = plane.sdk.post("/v1/sdk/reports", json=report)
    assert (422, [path]) == (response.status_code, [fault["path"] for fault in response.json()["faults"]])
    assert [] == _uses(plane, token)


def test_report_is_for_sdk_tokens_and_bounded(plane: Any) -> None:
    """403 for an author, 415 and 413 as with exposures."""
    statuses = [
        plane.admin.post("/v1/sdk/reports", json=_report()).status_code,
        plane.sdk.post("/v1/sdk/reports", content=b"{}", headers={"content-type": "text/plain"}).status_code,
        plane.sdk.post("/v1/sdk/reports", json=_report(service="x" * 1_100_000)).status_code,
    ]
    assert [403, 415, 413] == statuses
