"""What SDKs ask for but the stream: the ruleset and the exposure intake."""

import gzip
from typing import Any

import pytest

from pennon.flags import decode_ruleset


def exposure(number: int, flag: str, variant: str = "on") -> dict[str, Any]:
    """One exposure as a client sends it."""
    return {"id": f"{number:032x}", "flag": flag, "variant": variant, "unit_kind": "user", "phase": 1, "at": 1_700_000}


def test_ruleset_holds_what_was_published(plane: Any) -> None:
    """What an edit has answered, the next read has."""
    flag = plane.flag()
    revision = plane.patch(flag, fallthrough={"variant": "on"})
    record = decode_ruleset(plane.sdk.get("/v1/sdk/ruleset").content)
    assert revision == record.revision
    assert "on" == record.flags[flag].fallthrough.variant


def test_ruleset_unchanged_is_304_until_it_changes(plane: Any) -> None:
    """A poller pays for a body once per revision."""
    flag = plane.flag()
    first = plane.sdk.get("/v1/sdk/ruleset")
    seen = {"if-none-match": first.headers["etag"]}
    again = plane.sdk.get("/v1/sdk/ruleset", headers=seen)
    plane.patch(flag, on=False)
    changed = plane.sdk.get("/v1/sdk/ruleset", headers=seen)
    assert (200, 304, 200) == (first.status_code, again.status_code, changed.status_code)
    assert b"" == again.content
    assert first.headers["etag"] != changed.headers["etag"]


def test_ruleset_is_compressed_if_asked_with_an_etag_of_its_own(plane: Any) -> None:
    """Strong ETags differ between codings; either is a good If-None-Match."""
    plane.flag()
    plain = plane.sdk.get("/v1/sdk/ruleset", headers={"accept-encoding": "identity"})
    with plane.sdk.stream("GET", "/v1/sdk/ruleset", headers={"accept-encoding": "gzip"}) as zipped:
        raw = b"".join(zipped.iter_raw())
    assert (None, "gzip") == (plain.headers.get("content-encoding"), zipped.headers["content-encoding"])
    assert plain.content == gzip.decompress(raw)
    assert plain.headers["etag"] != zipped.headers["etag"]
    for etag in (plain.headers["etag"], zipped.headers["etag"]):
        assert 304 == plane.sdk.get("/v1/sdk/ruleset", headers={"if-none-match": etag}).status_code


def test_exposure_reported_twice_counts_once(plane: Any) -> None:
    """Redelivery is known by the id."""
    flag = plane.flag()
    batch = {"exposures": [exposure(1, flag), exposure(2, flag), exposure(2, flag), exposure(3, flag, "off")]}
    answers = [plane.sdk.post("/v1/sdk/exposures", json=batch).json() for _ in range(2)]
    assert [{"new": 3, "known": 1, "unknown": 0}, {"new": 0, "known": 4, "unknown": 0}] == answers
    environment = plane.store.environment("default", "production").environment.id
    counts = {row.variant: row.count for row in plane.store.exposure_counts(environment, flag)}
    assert {"on": 2, "off": 1} == counts


def test_exposures_counted_can_be_asked_for(plane: Any) -> None:
    """Of one flag or of all, by an author of the project; another environment has its own."""
    flag, other = plane.flag(), plane.flag()
    batch = [exposure(31, flag), exposure(32, flag), exposure(33, flag, "off"), exposure(34, other)]
    plane.sdk.post("/v1/sdk/exposures", json={"exposures": batch})
    path = "/v1/projects/default/environments/{}/exposures"
    one = plane.admin.get(path.format("production"), params={"flag": flag}).json()["items"]
    every = plane.admin.get(path.format("production")).json()["items"]
    assert [(flag, 1, "off", 1), (flag, 1, "on", 2)] == [tuple(row.values()) for row in one]
    assert {flag, other} <= {row["flag"] for row in every}
    assert [] == plane.admin.get(path.format("staging")).json()["items"]
    assert [404, 403] == [
        plane.admin.get(path.format("none")).status_code,
        plane.sdk.get(path.format("production")).status_code,
    ]


def test_exposure_of_what_is_not_there_is_told_and_not_counted(plane: Any) -> None:
    """An unknown flag or variant spoils no other report."""
    flag = plane.flag()
    batch = {"exposures": [exposure(11, "none"), exposure(12, flag, "none"), exposure(13, flag)]}
    assert {"new": 1, "known": 0, "unknown": 2} == plane.sdk.post("/v1/sdk/exposures", json=batch).json()


@pytest.mark.parametrize(
    ("member", "value"),
    [("id", "x"), ("id", "A" * 32), ("flag", 1), ("variant", ""), ("unit_kind", "A b"), ("phase", -1), ("at", "now")],
)
def test_exposures_with_faults_are_refused_whole(plane: Any, member: str, value: Any) -> None:
    """Every fault is listed with its place, and nothing of the batch counts."""
    flag = plane.flag()
    batch = {"exposures": [exposure(21, flag), {**exposure(22, flag), member: value}, {"colour": 1}]}
    response = plane.sdk.post("/v1/sdk/exposures", json=batch)
    paths = {fault["path"] for fault in response.json()["faults"]}
    assert 422 == response.status_code
    assert {f"/exposures/1/{member}", "/exposures/2/colour", "/exposures/2/id"} <= paths
    environment = plane.store.environment("default", "production").environment.id
    assert () == plane.store.exposure_counts(environment, flag)


def test_exposures_over_their_bounds_are_refused(plane: Any) -> None:
    """1,001 reports in one request are a fault; another media type and a body over 1 MiB too."""
    flag = plane.flag()
    many = {"exposures": [exposure(number, flag) for number in range(1_001)]}
    statuses = [
        plane.sdk.post("/v1/sdk/exposures", json=many).status_code,
        plane.sdk.post("/v1/sdk/exposures", content=b"{}", headers={"content-type": "text/plain"}).status_code,
        plane.sdk.post("/v1/sdk/exposures", json={"exposures": ["x" * 1_100_000]}).status_code,
    ]
    assert [422, 415, 413] == statuses
