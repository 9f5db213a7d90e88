"""Reports: what a process has counted reaches the server, under one id each, and nothing is sent for nothing."""

from collections.abc import Callable
from typing import Any

import pytest

import pennon
from pennon.carry import Divergence
from pennon.client import Client, Timing
from pennon.client.reports import Reports
from pennon.client.service import service_of
from pennon.counters import Count
from pennon.errors import SettingInvalid

Connect = Callable[..., Client]
Until = Callable[[Callable[[], object]], None]
Counted = Callable[[Count], dict[str, int]]

MS = 1_000_000


@pytest.fixture
def reporting(server: Any, connect: Connect, make: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Client, Reports]:
    """A client that reports soon, and what it reports."""
    for variable in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(variable, raising=False)
    client = connect()
    server.accept().send(make.ruleset(make.flag()))
    assert client.wait_ready(60)
    assert client._link is not None
    return client, client._link.reports


def total(server: Any, kind: str) -> int:
    """How many the server has been told of."""
    return sum(item["count"] for report in server.reports for item in report[kind])


def test_report_is_what_the_server_takes(server: Any, reporting: Any, until: Until) -> None:
    """Every member, as `POST /v1/sdk/reports` names it; the id is drawn."""
    client, reports = reporting
    reports.overridden("token-1", "checkout", "on", 5_000 * MS)
    client.close()
    (report,) = server.reports
    assert 32 == len(report.pop("report"))
    use = {"id": "token-1", "flag": "checkout", "variant": "on", "count": 1, "first_ms": 5_000, "last_ms": 5_000}
    assert {"service": "unknown_service", "overrides": [use], "divergence": []} == report


def test_divergence_is_reported_while_the_client_runs(server: Any, reporting: Any, until: Until) -> None:
    """Every flush, each comparison once, each report under an id of its own."""
    _, reports = reporting
    reports.compared("checkout", Divergence.AGREED, by=41)
    until(lambda: server.reports)
    reports.compared("", Divergence.UNKNOWN_FLAG)
    until(lambda: len(server.reports) == 2)
    first, second = server.reports
    assert [{"flag": "checkout", "cause": "agreed", "count": 41}] == first["divergence"]
    assert [{"flag": "", "cause": "unknown_flag", "count": 1}] == second["divergence"]
    assert first["report"] != second["report"]


def test_nothing_is_sent_where_there_is_nothing_to_say(server: Any, reporting: Any) -> None:
    """Neither while it runs nor at its end."""
    client, _ = reporting
    client.close()
    assert [] == server.seen_at("/v1/sdk/reports")


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_report_that_was_not_taken_is_sent_again_as_it_was(
    server: Any, reporting: Any, make: Any, until: Until, status: int
) -> None:
    """Under the same id, so that the server counts it once; what was added meanwhile leaves with the next."""
    _, reports = reporting
    server.script("/v1/sdk/reports", make.Reply(status), make.Reply(status))
    reports.compared("checkout", Divergence.AGREED)
    until(lambda: server.seen_at("/v1/sdk/reports"))
    reports.compared("checkout", Divergence.OTHER)
    until(lambda: len(server.reports) == 2)
    first, again, third = (seen.body for seen in server.seen_at("/v1/sdk/reports")[:3])
    assert (first, first) == (again, third)
    assert [["agreed"], ["other"]] == [[item["cause"] for item in sent["divergence"]] for sent in server.reports]


def test_report_that_is_refused_is_dropped_and_counted(
    server: Any, reporting: Any, make: Any, until: Until, counted: Counted
) -> None:
    """It is not sent again, and the next one is."""
    _, reports = reporting
    server.script("/v1/sdk/reports", make.Reply(422))
    reports.compared("checkout", Divergence.AGREED, by=3)
    until(lambda: counted(Count.REPORTS_DROPPED) == {"divergence": 3})
    reports.compared("checkout", Divergence.OTHER)
    until(lambda: counted(Count.REPORTS_SENT) == {"": 1})
    assert 2 == len(server.seen_at("/v1/sdk/reports"))


def test_token_whose_id_no_json_can_hold_is_dropped_and_counted(
    server: Any, reporting: Any, until: Until, counted: Counted
) -> None:
    """It must not stand in the way of every report that follows."""
    _, reports = reporting
    reports.overridden("half a \ud800", "checkout", "on", 5 * MS)
    until(lambda: counted(Count.REPORTS_DROPPED) == {"override": 1})
    reports.compared("checkout", Divergence.OTHER)
    until(lambda: server.reports)


def test_what_waits_at_close_is_sent_with_what_was_added_since(
    server: Any, reporting: Any, make: Any, until: Until
) -> None:
    """A report that is waiting for a better moment keeps its id; nothing is told twice or left out."""
    client, reports = reporting
    server.script("/v1/sdk/reports", make.Reply(503, {"retry-after": "3600"}))
    reports.compared("checkout", Divergence.AGREED)
    until(lambda: server.seen_at("/v1/sdk/reports"))
    reports.compared("checkout", Divergence.OTHER)
    client.close()
    assert ["agreed", "other"] == [item["cause"] for sent in server.reports for item in sent["divergence"]]
    first, again, _ = server.seen_at("/v1/sdk/reports")
    assert first.body == again.body


def test_what_cannot_be_reported_at_close_is_counted(server: Any, reporting: Any, make: Any, counted: Counted) -> None:
    """Nothing vanishes without a number, and closing does not go on trying."""
    client, reports = reporting
    server.script_for_ever("/v1/sdk/reports", make.Reply(503))
    reports.overridden("token-1", "checkout", "on", 5 * MS)
    reports.compared("checkout", Divergence.AGREED, by=2)
    client.close()
    assert {"divergence": 2, "override": 1} == counted(Count.REPORTS_DROPPED)
    assert [] == server.reports


def test_clock_that_is_set_back_does_not_turn_a_use_around() -> None:
    """The server refuses a report whose last use was before its first."""
    reports = Reports()
    for at_ms in (5_000, 3_000, 4_000):
        reports.overridden("token-1", "checkout", "on", at_ms * MS)
    (use,) = reports.drain_overrides()
    assert (3, 3_000, 5_000) == (use.count, use.first_ms, use.last_ms)


@pytest.mark.parametrize(
    ("service", "environ", "name"),
    [
        ("orders", {"OTEL_SERVICE_NAME": "x", "OTEL_RESOURCE_ATTRIBUTES": "service.name=y"}, "orders"),
        (None, {"OTEL_SERVICE_NAME": " orders ", "OTEL_RESOURCE_ATTRIBUTES": "service.name=y"}, "orders"),
        (None, {"OTEL_SERVICE_NAME": "", "OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name = orders ,c=d"}, "orders"),
        (None, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=%C3%B6rders%2Cde"}, "örders,de"),
        (None, {"OTEL_RESOURCE_ATTRIBUTES": "service.namespace=shop,nonsense,=x"}, "unknown_service"),
        (None, {"OTEL_RESOURCE_ATTRIBUTES": "service.name="}, "unknown_service"),
        (None, {}, "unknown_service"),
    ],
)
def test_service_is_the_argument_else_what_opentelemetry_calls_it(
    service: str | None, environ: dict[str, str], name: str
) -> None:
    """Every spelling of it."""
    assert name == service_of(service, environ)


@pytest.mark.parametrize("service", ["", "x" * 101, "a\nb", "a\x85b", "\ud800", 7, b"orders"])
def test_service_that_the_server_would_not_take_is_named(service: object) -> None:
    """What was found, and what is allowed."""
    with pytest.raises(SettingInvalid, match=r"^service: .* names no service; must be text of 1 to 100 characters"):
        service_of(service, {})


def test_service_of_the_environment_is_named_by_its_variable() -> None:
    """Whoever reads it knows where to look."""
    with pytest.raises(SettingInvalid, match=r"^OTEL_SERVICE_NAME: '.*' names no service"):
        service_of(None, {"OTEL_SERVICE_NAME": "x" * 101})
    with pytest.raises(SettingInvalid, match=r"^OTEL_RESOURCE_ATTRIBUTES: service\.name: '.*' names no service"):
        service_of(None, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a%0Ab"})


def test_connect_names_every_fault_at_once() -> None:
    """Of every argument."""
    with pytest.raises(SettingInvalid) as invalid:
        pennon.connect("localhost", token="t", divergence=2, service="")
    assert ["url", "divergence", "service"] == [fault.path for fault in invalid.value.faults]


def test_service_reaches_the_server(server: Any, timing: Callable[..., Timing]) -> None:
    """As it was given."""
    with pennon.connect(server.url, token="t", service="orders", timing=timing(flush_s=3600.0)) as client:
        server.accept()
        assert client._link is not None
        client._link.reports.compared("checkout", Divergence.AGREED)
    assert ["orders"] == [report["service"] for report in server.reports]
