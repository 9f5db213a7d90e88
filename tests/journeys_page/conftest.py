"""The page on its real app, over a real control plane, looked at by a real browser; all ended by their fixtures."""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, Response, expect, sync_playwright

from pennon.control import Role
from pennon.journeys import ControlPlane, Memory, create_app
from pennon.server import create_app as create_control_plane
from pennon.store import open_store

DEADLINE_S: Final = 60.0
PROJECT: Final = "default"
# The trace that the app's own tests read, too.
SAMPLE: Final = Path(__file__).parents[1] / "journeys" / "sample_trace.json"
SAMPLE_TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
ENVIRONMENT: Final = "production"
Serving = Callable[[Any], AbstractContextManager[str]]
PAGE_TOKEN: Final = 'a token with "quotes" & <signs>'

_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_BROWSER_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_browser() -> str:
    """The path of a Chromium: `PENNON_TEST_BROWSER`, one on the PATH, or Playwright's own.

    Raises: pytest.UsageError with the command to run, if there is none.
    """
    named = os.environ.get("PENNON_TEST_BROWSER")
    found = named or next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        with sync_playwright() as playwright:
            own = playwright.chromium.executable_path
        found = own if Path(own).exists() else None
    if found is None:
        way_out = "apt-get install -y chromium (or: python -m playwright install chromium)"
        raise pytest.UsageError(f"no Chromium on the PATH: {way_out}")
    return found


class Plane:
    """A control plane with the flags that the page is shown with."""

    def __init__(self, url: str, token: str, sdk_token: str) -> None:
        self.url = url
        self.token = token
        self.http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=DEADLINE_S)
        self._sdk = httpx.Client(base_url=url, headers={"authorization": f"Bearer {sdk_token}"}, timeout=DEADLINE_S)

    def close(self) -> None:
        """Hang up."""
        self.http.close()
        self._sdk.close()

    def path(self, flag: str) -> str:
        """Of a flag's settings."""
        return f"/v1/projects/{PROJECT}/environments/{ENVIRONMENT}/flags/{flag}"

    def create(self, key: str, *variants: str, **members: Any) -> None:
        """A flag; with two variants a boolean one."""
        values: list[Any] = [True, False] if len(variants) == 2 else list(variants)
        pairs = [{"key": name, "value": value} for name, value in zip(variants, values, strict=True)]
        document = {"key": key, "type": "boolean" if len(pairs) == 2 else "string", "variants": pairs, **members}
        answer = self.http.post(f"/v1/projects/{PROJECT}/flags", json=document)
        assert 201 == answer.status_code, answer.text

    def patch(self, flag: str, **members: Any) -> None:
        """Change a flag's settings."""
        etag = self.http.get(self.path(flag)).headers["etag"]
        answer = self.http.patch(self.path(flag), json=members, headers={"if-match": etag})
        assert 200 == answer.status_code, answer.text

    def settings(self, flag: str) -> dict[str, Any]:
        """As they are now."""
        document: dict[str, Any] = self.http.get(self.path(flag)).json()
        return document

    def expose(self, flag: str, **counts: int) -> None:
        """Report so many units per variant as exposed."""
        phase = self.settings(flag)["fallthrough"]["split"]["phase"]
        units = [variant for variant, count in counts.items() for _ in range(count)]
        told = [
            {"id": f"{number:032x}", "flag": flag, "variant": variant, "unit_kind": "user", "phase": phase, "at": 1}
            for number, variant in enumerate(units, 1)
        ]
        for start in range(0, len(told), 1000):
            answer = self._sdk.post("/v1/sdk/exposures", json={"exposures": told[start : start + 1000]})
            assert 200 == answer.status_code, answer.text

    def report(self, service: str, flag: str, **counts: int) -> None:
        """Report so many comparisons per cause."""
        divergence = [{"flag": flag, "cause": cause, "count": count} for cause, count in counts.items()]
        body = {"report": secrets.token_hex(16), "service": service, "divergence": divergence}
        answer = self._sdk.post("/v1/sdk/reports", json=body)
        assert 200 == answer.status_code, answer.text


def split(*weights: tuple[str, int], coverage: int = 100_000) -> dict[str, Any]:
    """A patch that splits what falls through."""
    pairs = [{"variant": variant, "weight": weight} for variant, weight in weights]
    return {"fallthrough": {"variant": None, "split": {"weights": pairs, "coverage": coverage}}}


def add_flags(plane: Plane) -> None:
    """One flag of each kind."""
    plane.create("feed-ranking", "chronological", "engagement", "fresh", exposes=True)
    thirds = (("chronological", 34_000), ("engagement", 33_000), ("fresh", 33_000))
    plane.patch("feed-ranking", **split(*thirds))
    plane.expose("feed-ranking", chronological=612, engagement=587, fresh=601)
    plane.create("moderation-on", "on", "off")
    plane.patch("moderation-on", fallthrough={"variant": "on"})
    plane.create("reactions", "on", "off")
    plane.create("rich-profiles", "on", "off")
    plane.patch("rich-profiles", **split(("on", 100_000), coverage=25_000))
    plane.create("tester-tools", "on", "off")
    staff = {"op": "equals", "attribute": "staff", "value": True, "negate": False}
    plane.patch("tester-tools", rules=[{"id": "staff", "clauses": [staff], "serve": {"variant": "on"}}])


def reset(plane: Plane) -> None:
    """What the tests change, as it was."""
    plane.http.delete(plane.path("moderation-on") + "/kill").raise_for_status()
    plane.patch("reactions", on=True)
    plane.patch("rich-profiles", **split(("on", 100_000), coverage=25_000))


@pytest.fixture(scope="session")
def served_plane(tmp_path_factory: pytest.TempPathFactory, serving: Serving) -> Iterator[Plane]:
    """A real `pennon serve` app over a store of its own."""
    with closing(open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/pennon.db")) as store:
        store.create_project(PROJECT, environments=[ENVIRONMENT])
        admin = store.create_token(name="page", role=Role.ADMIN, project=PROJECT, environment=None).secret
        sdk = store.create_token(name="sdk", role=Role.SDK, project=PROJECT, environment=ENVIRONMENT).secret
        with serving(create_control_plane(store)) as url, closing(Plane(url, admin, sdk)) as made:
            add_flags(made)
            yield made


@pytest.fixture
def plane(served_plane: Plane) -> Plane:
    """It, with its flags as they were at first."""
    reset(served_plane)
    return served_plane


@pytest.fixture(scope="session")
def served_address(served_plane: Plane, serving: Serving) -> Iterator[str]:
    """The app, which remembers the sample trace."""
    with pytest.MonkeyPatch.context() as patched:
        # A machine that stands still is no control plane that does.
        patched.setattr("pennon.journeys.control.CALL_TIMEOUT_S", DEADLINE_S)
        control = ControlPlane(served_plane.url, token=served_plane.token, project=PROJECT, environment=ENVIRONMENT)
    with serving(create_app(memory=Memory(), control=control, page_token=PAGE_TOKEN)) as url:
        send(url, json.loads(SAMPLE.read_text()))
        yield url


@pytest.fixture
def address(served_address: str, plane: Plane) -> str:
    """Where the page is, over flags as they were at first."""
    return served_address


def send(address: str, trace: dict[str, Any]) -> None:
    """Export a trace to the app."""
    answer = httpx.post(f"{address}/v1/traces", json=trace, timeout=DEADLINE_S)
    assert 200 == answer.status_code, answer.text


@pytest.fixture
def fan_out(address: str) -> Callable[[str, dict[str, list[str]]], None]:
    """Exports a journey of one hop of `feed` that decided `instant-alerts` so for others, and its own ranking."""

    def export(trace_id: str, decided: dict[str, list[str]]) -> None:
        events = [_evaluation("feed-ranking", "fresh", "carried")]
        for reason, variants in decided.items():
            events += [
                _evaluation("instant-alerts", each, reason, **{"pennon.unit.other": "user"}) for each in variants
            ]
        events.append(_evaluation("reactions", "off", "disabled", **{"pennon.prerequisite.unmet": "moderation-on"}))
        began_ns = 1_795_267_082_000_000_000
        span = {"traceId": trace_id, "spanId": "ab" * 8, "name": "process posts", "kind": 5, "events": events}
        span |= {"startTimeUnixNano": str(began_ns), "endTimeUnixNano": str(began_ns + 10**6)}
        service = {"key": "service.name", "value": {"stringValue": "feed"}}
        resource = {"attributes": [service]}
        send(address, {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]})

    return export


def _evaluation(flag: str, variant: str, reason: str, **more: str) -> dict[str, Any]:
    said = {
        "feature_flag.key": flag,
        "feature_flag.result.variant": variant,
        "feature_flag.result.reason": reason,
        **more,
    }
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]
    return {"name": "feature_flag.evaluation", "attributes": attributes}


@pytest.fixture
def traces(address: str) -> Callable[[str, str], None]:
    """Exports the sample anew: as the journey of this trace id and this user."""

    def export(trace_id: str, user: str) -> None:
        told = SAMPLE.read_text().replace(SAMPLE_TRACE, trace_id).replace('"user-7"', f'"{user}"')
        send(address, json.loads(told))

    return export


# Of a module: Playwright keeps an event loop in this thread, in which no other test could run one of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all tests of a file."""
    path = find_browser()
    expect.set_options(timeout=DEADLINE_S * 1000)
    with sync_playwright() as playwright, closing(_launched(playwright, path)) as opened:
        yield opened


def _launched(playwright: Playwright, path: str) -> Browser:
    return playwright.chromium.launch(executable_path=path, args=list(_BROWSER_FLAGS))


class Watched:
    """A page, and everything that went wrong while it was open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")

    def _failed(self, request: Request) -> None:
        self.faults.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.request.method} {response.url}")


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """Opens pages in a browser context of their own. What went wrong in any of them fails the test."""
    opened: list[Watched] = []

    def open_page(url: str, *, width: int = 1280, height: int = 800, **options: Any) -> Watched:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(DEADLINE_S * 1000)
        opened.append(Watched(context.new_page()))
        opened[-1].page.goto(url)
        return opened[-1]

    yield open_page
    faults = [fault for each in opened for fault in each.faults]
    for each in opened:
        each.page.context.close()
    assert [] == faults
