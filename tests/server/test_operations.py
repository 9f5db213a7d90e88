"""Health, metrics and logs."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from pennon.server import create_app
from pennon.server.app import CONTRACT
from pennon.web import logs


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Everything logged in the test, as it is written."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure(CONTRACT, level=logging.DEBUG, stream=stream)
    # The test's own HTTP client logs what it asks for, too.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    structlog.reset_defaults()


def test_live_and_ready_need_no_token(plane: Any) -> None:
    """Orchestrators have none."""
    with plane.client(None) as client:
        assert [200, 200] == [client.get(f"/health/{name}").status_code for name in ("live", "ready")]


def test_not_ready_when_the_store_does_not_answer(
    new_store: Any, serving: Callable[[Any], Any], plane_over: Callable[[str, Any], Any]
) -> None:
    """Alive, but traffic should go elsewhere; the answer tells nothing of the inside."""

    class Broken:
        """The store, gone."""

        def __getattr__(self, name: str) -> Any:
            return getattr(new_store, name)

        def ping(self) -> None:
            """Fail."""
            raise OSError("secret-host is down")

    with serving(create_app(Broken())) as url, plane_over(url, new_store).client(None) as client:
        ready = client.get("/health/ready")
        assert (503, 200) == (ready.status_code, client.get("/health/live").status_code)
    assert "secret-host" not in ready.text


def test_metrics_count_requests_by_route_template(plane: Any) -> None:
    """Labels stay bounded: no key, no path that nobody serves, no made-up method."""
    flag = plane.flag()
    plane.admin.get(plane.settings(flag))
    plane.admin.get(f"/nothing/{flag}")
    plane.admin.request("PROPFIND", f"/nothing/{flag}")
    text = plane.admin.get("/metrics").text
    route = "/v1/projects/{project}/environments/{environment}/flags/{flag}"
    assert f'pennon_http_requests_total{{method="GET",route="{route}",status="200"}}' in text
    assert 'pennon_http_requests_total{method="other",route="(unmatched)",status="404"} 1.0' in text
    assert flag not in text


def test_metrics_show_open_streams(plane: Any) -> None:
    """As many as are open."""
    with plane.stream() as first, plane.stream() as second:
        next(first), next(second)
        assert "pennon_streams_open 2.0" in plane.admin.get("/metrics").text


def test_logs_are_events_in_json_without_secrets(
    new_store: Any,
    serving: Callable[[Any], Any],
    plane_over: Callable[[str, Any], Any],
    log_lines: Callable[[], list[dict[str, Any]]],
) -> None:
    """Each request is one event with route, status and ids; no token, no key, no value is in any."""
    with serving(create_app(new_store)) as url:
        plane = plane_over(url, new_store)
        flag = plane.flag(description="a-secret-description")
        answer = plane.admin.get(plane.settings(flag))
        plane.sdk.get("/v1/sdk/ruleset")
    lines = [line for line in log_lines() if line["event"] == "http.request"]
    assert ["POST", "GET", "GET"] == [line["method"] for line in lines]
    assert {"route", "status", "duration_ms", "level", "timestamp", "trace_id"} <= lines[0].keys()
    assert answer.headers["x-request-id"] == lines[1]["request_id"]
    text = json.dumps(log_lines())
    for secret in (plane.admin_token, *plane.sdk_tokens.values(), "a-secret-description", flag):
        assert secret not in text


def test_failure_is_answered_500_and_logged_without_locals(
    new_store: Any,
    serving: Callable[[Any], Any],
    plane_over: Callable[[str, Any], Any],
    log_lines: Callable[[], list[dict[str, Any]]],
) -> None:
    """The traceback is in the log once, the caller's token is not in it, and the answer says nothing of it."""

    class Broken:
        """The store, with a bug."""

        def __getattr__(self, name: str) -> Any:
            return getattr(new_store, name)

        def projects(self) -> Any:
            """Fail."""
            secret = plane.admin_token  # a local that must not be logged, nor what somebody made of it
            raise ZeroDivisionError(f"a bug with {secret}")

    broken = create_app(Broken())
    with serving(broken) as url:
        plane = plane_over(url, new_store)
        response = plane.admin.get("/v1/projects")
    failed = [line for line in log_lines() if line["event"] == "http.failed"]
    assert (500, "internal") == (response.status_code, response.json()["code"])
    assert "a bug" not in response.text
    assert (1, "ZeroDivisionError") == (len(failed), failed[0]["exception"][0]["exc_type"])
    assert plane.admin_token not in json.dumps(log_lines())


def test_logs_go_to_standard_error_by_default(capfd: pytest.CaptureFixture[str]) -> None:
    """Standard output stays free for what a command answers."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.configure(CONTRACT, stream=sys.stderr)
        structlog.get_logger("pennon.test").info("test.event", number=1)
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        structlog.reset_defaults()
    assert "test.event" in capfd.readouterr().err
