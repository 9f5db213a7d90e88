"""What a page that looks is told, and when."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.exceptions import HTTPException

from pennon.carry import Divergence, DivergenceCount
from pennon.control import Exposure, Report
from pennon.journeys import ControlPlane
from pennon.journeys.live import FLAGS_S, READERS_LIMIT_COUNT, Live
from pennon.journeys.memory import Memory


def first(events: Iterator[tuple[str, Any]], name: str, accept: Callable[[Any], bool] = lambda _: True) -> Any:
    """The data of the next such event; others are passed over."""
    for found, data in events:
        if found == name and accept(data):
            return data
    raise AssertionError(f"the stream ended without {name!r}")


def test_journey_is_told_of_once_it_is_quiet(journeys: Any) -> None:
    """As the list has it."""
    with journeys.live() as events:
        journeys.send_sample()
        told = first(events, "journey")
    assert journeys.http.get("/api/journeys").json()["items"] == [told]


def test_journey_that_grows_later_is_told_of_again(journeys: Any, span: Any, request_of: Any) -> None:
    """A consumer minutes later is part of it."""
    with journeys.live() as events:
        journeys.send(request_of(span(1)).SerializeToString())
        before = first(events, "journey")["hop_count"]
        journeys.send(request_of(span(2, parent=1), service="feed").SerializeToString())
        after = first(events, "journey")
    assert (1, 2, ["gateway", "feed"]) == (before, after["hop_count"], after["services"])


def test_stream_opens_with_the_traffic(journeys: Any) -> None:
    """So that a page shows numbers at once."""
    journeys.send_sample()
    with journeys.live() as events:
        name, data = next(events)
    assert ("traffic", 1, 1) == (name, data["journeys_total"], data["errors_total"])


def test_traffic_is_told_every_second(journeys: Any) -> None:
    """Also when it does not change: a page sees that it is still looking."""
    with journeys.live() as events:
        told = [first(events, "traffic") for _ in range(2)]
    assert [0, 0] == [traffic["journeys_total"] for traffic in told]


def test_flags_are_told_when_somebody_looks_and_when_they_change(plane: Any, with_plane: Any) -> None:
    """A change made elsewhere shows without asking."""
    plane.flag("checkout", "on", "off")
    with with_plane.live() as events:
        [before] = first(events, "flags")["items"]
        plane.store.kill("default", "checkout", environment="production", by=plane.by)
        [after] = first(events, "flags")["items"]
    assert (False, True) == (before["settings"]["killed"], after["settings"]["killed"])


def test_flags_are_asked_for_often_enough_for_the_promise() -> None:
    """A flip is seen within a second: after two pauses at most, and as many calls."""
    assert 0.5 >= 2 * FLAGS_S


def test_second_page_begins_with_the_flags_as_they_were_last_told(plane: Any, with_plane: Any) -> None:
    """It need not wait for a change."""
    plane.flag("checkout", "on", "off")
    with with_plane.live() as events:
        told = first(events, "flags")
        with with_plane.live() as others:
            assert ["traffic", "flags"] == [next(others)[0], (second := next(others))[0]]
    assert told == second[1]


def test_exposures_that_grow_are_told(plane: Any, with_plane: Any) -> None:
    """Counts move without a revision."""
    plane.flag("ranking", "a", "off", exposes=True)
    assert 200 == with_plane.change("ranking", "ramp", {"percent": 100}).status_code
    phase = plane.settings("ranking").fallthrough.split.phase
    with with_plane.live() as events:
        first(events, "flags")
        plane.store.add_exposures(plane.environment_id, [Exposure("1" * 32, "ranking", "a", "user", phase, 0)])
        [flag] = first(events, "flags")["items"]
    assert {"variant": "a", "count": 1} == flag["exposures"][0]


def test_divergence_is_told_when_it_grows(plane: Any, with_plane: Any) -> None:
    """And to a page that comes later at once."""
    plane.flag("checkout", "on", "off")
    counts = (DivergenceCount("checkout", Divergence.REVISION_SKEW, 2),)
    with with_plane.live() as events:
        assert [] == first(events, "divergence")["items"]
        plane.store.add_report(plane.environment_id, Report("1" * 32, "cart", (), counts))
        told = first(events, "divergence")
        assert [{"service": "cart", "flag": "checkout", "cause": "revision_skew", "count": 2}] == told["items"]
        with with_plane.live() as others:
            assert told == first(others, "divergence")


def test_control_plane_that_comes_back_is_followed_again(serve_app: Callable[..., Any]) -> None:
    """An outage leaves journeys and traffic alone."""
    calls = iter(range(1_000))

    def answer(request: httpx.Request) -> httpx.Response:
        if next(calls) < 1:
            raise httpx.ConnectError("down")
        if request.url.path.endswith("/environments"):
            return httpx.Response(200, json={"items": [{"key": "production", "epoch": 1, "revision": 1}]})
        return httpx.Response(200, json={"items": []})

    control = ControlPlane("http://there", token="x", transport=httpx.MockTransport(answer))
    with serve_app(control) as journeys, journeys.live() as events:
        assert {"items": []} == first(events, "flags")


def test_nobody_looking_the_control_plane_is_not_asked(serve_app: Callable[..., Any]) -> None:
    """What no page shows need not be known."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(503)

    control = ControlPlane("http://there", token="x", transport=httpx.MockTransport(answer))
    with serve_app(control) as journeys:
        journeys.send_sample()
        for _ in range(20):
            journeys.http.get("/api/journeys")
    assert [] == asked


def test_pages_that_look_at_once_are_bounded() -> None:
    """The 65th is told to come back."""

    async def scenario() -> None:
        live = Live(Memory(), None)
        leaves = [(await live.open(lambda *_, **__: True, lambda: None))[1] for _ in range(READERS_LIMIT_COUNT)]
        with pytest.raises(HTTPException, match="429"):
            await live.open(lambda *_, **__: True, lambda: None)
        leaves[0]()
        await live.open(lambda *_, **__: True, lambda: None)

    asyncio.run(scenario())


def test_live_is_events_or_nothing(journeys: Any) -> None:
    """Who cannot read them is told so."""
    assert 406 == journeys.http.get("/api/live", headers={"accept": "application/json"}).status_code
