"""The page's deeds, against a real control plane."""

from collections.abc import Callable
from threading import Event
from typing import Any

import httpx
import pytest

import pennon
from pennon.carry import Divergence, DivergenceCount
from pennon.control import Exposure, Report, Role
from pennon.journeys import ControlPlane, Memory, create_app

PROBLEM = "application/problem+json"
_TICK = Event()


def listed(journeys: Any, key: str) -> dict[str, Any]:
    """A flag as the page lists it."""
    answer = journeys.http.get("/api/flags")
    assert 200 == answer.status_code, answer.text
    [flag] = [item for item in answer.json()["items"] if item["key"] == key]
    return dict(flag)


def test_flags_are_listed_with_their_settings_as_they_are(plane: Any, with_plane: Any) -> None:
    """The control plane's own words, and what a change of them needs."""
    plane.flag("checkout", "on", "off")
    flag = listed(with_plane, "checkout")
    assert ("string", "user", False, ["on", "off"]) == (
        flag["type"],
        flag["unit"],
        flag["exposes"],
        [variant["key"] for variant in flag["variants"]],
    )
    settings = plane.settings("checkout")
    assert settings.model_dump(mode="json", by_alias=True) == flag["settings"]
    assert f'"{settings.revision}"' == flag["etag"]


def test_ramp_covers_a_share_and_keeps_the_phase(plane: Any, with_plane: Any) -> None:
    """First time and again: ramping is no new phase."""
    plane.flag("checkout", "on", "off")
    splits = []
    for percent in (25, 0.5):
        answer = with_plane.change("checkout", "ramp", {"percent": percent})
        assert 200 == answer.status_code, answer.text
        splits.append(answer.json()["fallthrough"]["split"])
    assert [25_000, 500] == [split["coverage"] for split in splits]
    assert splits[0]["phase"] == splits[1]["phase"]
    assert [{"variant": "on", "weight": 100_000}] == splits[1]["weights"]


def test_ramp_of_several_variants_without_a_split_says_the_way_out(plane: Any, with_plane: Any) -> None:
    """How they divide is not for a slider to say."""
    plane.flag("ranking", "a", "b", "off")
    answer = with_plane.change("ranking", "ramp", {"percent": 25})
    assert (422, PROBLEM) == (answer.status_code, answer.headers["content-type"])
    [fault] = answer.json()["faults"]
    assert "pennon flags ramp ranking --weight" in fault["message"]


def test_switch_and_kill_and_back_are_seen_there_and_here(plane: Any, with_plane: Any) -> None:
    """Each answer holds the settings after it."""
    plane.flag("checkout", "on", "off")
    deeds = [
        ("switch", {"on": False}, "on", False),
        ("switch", {"on": True}, "on", True),
        ("kill", None, "killed", True),
        ("unkill", None, "killed", False),
    ]
    for deed, body, member, expected in deeds:
        answer = with_plane.change("checkout", deed, body)
        assert (200, expected) == (answer.status_code, answer.json()[member]), deed
        assert expected is getattr(plane.settings("checkout"), member)
        assert expected is listed(with_plane, "checkout")["settings"][member]


def test_change_is_signed_as_from_the_page(plane: Any, with_plane: Any) -> None:
    """The history tells it from a command's."""
    plane.flag("checkout", "on", "off")
    with_plane.change("checkout", "kill")
    with_plane.change("checkout", "unkill")
    with_plane.change("checkout", "switch", {"on": False})
    rows = plane.store.history("default", "production", "checkout").items
    assert ["from the journeys page"] * 3 == [row.why for row in rows[:3]]


@pytest.mark.parametrize(
    "headers",
    [
        {"x_page_token": ""},
        {"x_page_token": "another"},
        {"x_page_token": "the page's tokeñ".encode()},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"host": "evil.example"},
    ],
)
def test_change_that_is_not_from_the_page_is_refused(plane: Any, with_plane: Any, headers: dict[str, Any]) -> None:
    """403, and nothing has happened."""
    plane.flag("checkout", "on", "off")
    answer = with_plane.change("checkout", "kill", **headers)
    assert (403, PROBLEM) == (answer.status_code, answer.headers["content-type"])
    assert not plane.settings("checkout").killed


def test_change_without_the_token_header_is_refused(with_empty_plane: Any) -> None:
    """The header's absence is no token."""
    answer = with_empty_plane.http.post("/api/flags/checkout/kill", json={})
    assert 403 == answer.status_code


def test_change_as_a_form_sends_it_is_refused(with_empty_plane: Any) -> None:
    """A type that needs no preflight is no type of ours."""
    answer = with_empty_plane.change("checkout", "kill", content_type="text/plain")
    assert 415 == answer.status_code


def test_change_by_get_is_none(with_empty_plane: Any) -> None:
    """A link flips nothing."""
    answer = with_empty_plane.http.get("/api/flags/checkout/kill")
    assert (405, "POST") == (answer.status_code, answer.headers["allow"])


@pytest.mark.parametrize(
    ("deed", "body", "path"),
    [
        ("ramp", {}, ""),
        ("ramp", [], ""),
        ("ramp", {"percent": 5, "x": 1}, ""),
        ("ramp", {"percent": "25"}, "/percent"),
        ("ramp", {"percent": True}, "/percent"),
        ("ramp", {"percent": -1}, "/percent"),
        ("ramp", {"percent": 100.5}, "/percent"),
        ("ramp", {"percent": None}, "/percent"),
        ("switch", {"on": "true"}, "/on"),
        ("switch", {"on": 1}, "/on"),
    ],
)
def test_deed_that_says_nothing_usable_is_422(with_empty_plane: Any, deed: str, body: object, path: str) -> None:
    """With the place of the fault; the control plane is not asked."""
    answer = with_empty_plane.change("checkout", deed, body)
    assert (422, path) == (answer.status_code, answer.json()["faults"][0]["path"])


@pytest.mark.parametrize("deed", ["kill", "unkill", "ramp", "switch"])
@pytest.mark.parametrize("flag", ["none", "..%2Fsegments", "%2e%2e"])
def test_flag_that_does_not_exist_is_404(with_empty_plane: Any, flag: str, deed: str) -> None:
    """A key is one segment of the path, whatever it is made of."""
    body = {"ramp": {"percent": 1}, "switch": {"on": True}}.get(deed)
    answer = with_empty_plane.change(flag, deed, body)
    assert (404, PROBLEM) == (answer.status_code, answer.headers["content-type"])


def test_long_body_of_a_deed_is_refused(with_empty_plane: Any) -> None:
    """A deed is a few bytes."""
    assert 413 == with_empty_plane.change("checkout", "ramp", {"percent": 1, "x": "y" * 2_000}).status_code


def test_exposures_of_present_phases_are_counted_per_variant(plane: Any, with_plane: Any) -> None:
    """Variants without any stand there with 0; an earlier phase's counts are its own."""
    plane.flag("ranking", "a", "b", "off", exposes=True)
    weights = [{"variant": "a", "weight": 50_000}, {"variant": "b", "weight": 50_000}]
    split = {"variant": None, "split": {"weights": weights, "coverage": 100_000}}
    revision = plane.settings("ranking").revision
    plane.store.update_settings(
        "default", "production", "ranking", {"fallthrough": split}, if_match=revision, by=plane.by
    )
    phase = plane.settings("ranking").fallthrough.split.phase
    exposures = [
        Exposure(f"{number:032x}", "ranking", "a" if number % 3 else "b", "user", phase if number < 9 else phase + 1, 0)
        for number in range(12)
    ]
    plane.store.add_exposures(plane.environment_id, exposures)
    counts = [{"variant": "a", "count": 6}, {"variant": "b", "count": 3}, {"variant": "off", "count": 0}]
    assert counts == listed(with_plane, "ranking")["exposures"]


def test_divergence_is_shown_as_it_was_reported(plane: Any, with_plane: Any) -> None:
    """Reports add up by service, flag and cause."""
    plane.flag("checkout", "on", "off")
    for number, service in enumerate(("cart", "cart", "orders")):
        counts = (DivergenceCount("checkout", Divergence.AGREED, 40), DivergenceCount("", Divergence.UNKNOWN_FLAG, 1))
        plane.store.add_report(plane.environment_id, Report(f"{number:032x}", service, (), counts))
    shown = with_plane.http.get("/api/divergence").json()
    assert 24 * 3600 == shown["window_s"]
    assert {
        ("cart", "checkout", "agreed", 80),
        ("cart", "", "unknown_flag", 2),
        ("orders", "checkout", "agreed", 40),
        ("orders", "", "unknown_flag", 1),
    } == {(item["service"], item["flag"], item["cause"], item["count"]) for item in shown["items"]}


def test_token_never_reaches_the_page(plane: Any, with_plane: Any) -> None:
    """Neither in what is shown nor in what is refused."""
    plane.flag("checkout", "on", "off")
    answers = [with_plane.http.get(path) for path in ("/", "/api/flags", "/api/flags/x", "/static/page.js")]
    answers += [with_plane.change("checkout", deed) for deed in ("kill", "ramp", "unkill")]
    answers.append(with_plane.change("none", "kill"))
    for answer in answers:
        assert plane.admin_token not in answer.text
        assert plane.admin_token not in str(answer.headers)


def test_token_without_the_right_is_a_fault_of_this_app(plane: Any, serve_app: Callable[..., Any]) -> None:
    """The page cannot mend it, so it is not told to log in."""
    sdk_token = plane.token(Role.SDK, "production")
    with serve_app(ControlPlane(plane.url, token=sdk_token)) as journeys:
        answer = journeys.http.get("/api/flags")
    assert (403, "forbidden") == (answer.status_code, answer.json()["code"])
    assert "refuses this app's token" in answer.json()["detail"]
    assert sdk_token not in answer.text


def test_control_plane_that_does_not_answer_is_503(serve_app: Callable[..., Any], free_url: str) -> None:
    """Journeys are shown all the same."""
    with serve_app(ControlPlane(free_url, token="pn_adm_x")) as journeys:
        journeys.send_sample()
        assert (503, "unreachable") == (
            (answer := journeys.http.get("/api/flags")).status_code,
            answer.json()["code"],
        )
        assert 503 == journeys.change("checkout", "kill").status_code
        assert 1 == len(journeys.http.get("/api/journeys").json()["items"])


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"items": None}),
        httpx.Response(200, json={"items": [{}]}),
        httpx.Response(200, json=["items"]),
        httpx.Response(502, text="<html>"),
        httpx.Response(500, json=[]),
        httpx.Response(500, json={"code": 7}),
        httpx.Response(500, json={"faults": 7, "code": "x", "detail": "y"}),
    ],
)
def test_answer_that_is_not_pennon_s_is_503(serve_app: Callable[..., Any], answer: httpx.Response) -> None:
    """Something else listens there."""
    control = ControlPlane("http://there", token="x", transport=httpx.MockTransport(lambda _: answer))
    with serve_app(control) as journeys:
        assert [503, 503] == [journeys.http.get(f"/api/{what}").status_code for what in ("flags", "divergence")]


def test_edit_that_crosses_another_is_tried_once_more(plane: Any, serve_app: Callable[..., Any]) -> None:
    """Somebody else was faster; their change stays."""
    plane.flag("checkout", "on", "off")
    with serve_app(ControlPlane(plane.url, token=plane.admin_token, transport=Racing(plane, times=1))) as journeys:
        assert 200 == journeys.change("checkout", "ramp", {"percent": 25}).status_code
    settings = plane.settings("checkout")
    assert (False, 25_000) == (settings.on, settings.fallthrough.split.coverage)


def test_edit_that_crosses_others_again_is_412(plane: Any, serve_app: Callable[..., Any]) -> None:
    """Not tried for ever; the page shows what is there now."""
    plane.flag("checkout", "on", "off")
    with serve_app(ControlPlane(plane.url, token=plane.admin_token, transport=Racing(plane, times=9))) as journeys:
        answer = journeys.change("checkout", "switch", {"on": True})
    assert (412, "precondition_failed") == (answer.status_code, answer.json()["code"])


class Racing(httpx.AsyncHTTPTransport):
    """Lets somebody else edit the flag just before a patch arrives."""

    def __init__(self, plane: Any, *, times: int) -> None:
        super().__init__()
        self._plane = plane
        self._left = times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on."""
        if request.method == "PATCH" and self._left:
            self._left -= 1
            settings = self._plane.settings("checkout")
            patch, revision = {"on": not settings.on}, settings.revision
            self._plane.store.update_settings(
                "default", "production", "checkout", patch, if_match=revision, by=self._plane.by
            )
        return await super().handle_async_request(request)


def test_kill_from_the_page_reaches_a_client(plane: Any, with_plane: Any) -> None:
    """All the way: page, control plane, stream, evaluation."""
    plane.flag("checkout", "on", "off")
    with_plane.change("checkout", "ramp", {"percent": 100})
    with pennon.connect(plane.url, token=plane.sdk_token) as flags:
        assert flags.wait_ready(60)
        before = flags.string("checkout", unit="user-7", default="default")
        revision = plane.settings("checkout").revision
        with_plane.change("checkout", "kill")
        after = _until_newer(flags, revision)
    assert ("on", "off") == (before, after)


def _until_newer(flags: pennon.Client, revision: int) -> str:
    """What the client answers once it has what came after this revision."""
    for _ in range(5_000):
        evaluation = flags.decision("checkout", unit="user-7")
        if evaluation.revision > revision:
            return str(evaluation.value)
        _TICK.wait(0.002)
    raise AssertionError("the kill did not arrive")


def test_app_without_a_control_plane_shows_journeys_only(journeys: Any) -> None:
    """Its flags are not found, and say why."""
    answer = journeys.http.get("/api/flags")
    assert (404, "this app was started without a control plane") == (answer.status_code, answer.json()["detail"])


def test_app_is_made_without_asking_anybody(free_url: str) -> None:
    """A control plane may come up later."""
    create_app(memory=Memory(), control=ControlPlane(free_url, token="x"), page_token="t")
