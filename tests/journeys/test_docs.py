"""The page about the app is held to its routes and limits."""

from importlib.resources import files
from pathlib import Path

import pytest
from fastapi import APIRouter

from pennon.headers import DropReason
from pennon.journeys import api, intake, journey, live, memory, pages, search, spans
from pennon.journeys.guard import _HEADERS

PAGE = (Path(__file__).parents[2] / "docs/reference/journeys.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("router", [api.router, intake.router, pages.router])
def test_every_route_is_on_the_page(router: APIRouter) -> None:
    """A new route needs its line."""
    routes = [f"`{method} {route.path}`" for route in router.routes for method in route.methods]  # type: ignore[attr-defined]
    assert [] == [route for route in routes if route not in PAGE]


@pytest.mark.parametrize(
    "words",
    [
        f"| {memory.LIMIT_JOURNEYS_COUNT:,} (`serve",
        f"and {memory.LIMIT_BYTES // 2**20} MiB of all together",
        f"| hops of a journey | {journey.HOPS_LIMIT_COUNT} |",
        f"up to {spans.SPAN_LIMIT_BYTES // 2**10} KiB; a larger one with {spans.ATTRIBUTES_LIMIT_COUNT} attributes",
        f"cut to {spans.TEXT_LIMIT_CHARACTERS} characters. {spans.EVENTS_LIMIT_COUNT} decisions",
        f"| {intake.BODY_LIMIT_BYTES // 2**20} MiB, packed and unpacked; {intake.SPANS_LIMIT_COUNT:,} spans",
        f"| exports at once | {intake.REQUESTS_LIMIT_COUNT}, then 429",
        f"| pages at once | {live.READERS_LIMIT_COUNT}, then 429",
        f"`?limit=` 1 to {api.LIST_LIMIT_COUNT}, else 50",
        f"quiet for {memory.QUIET_NS // 10**6} ms",
        _HEADERS["content-security-policy"],
    ],
)
def test_limits_on_the_page_are_those_of_the_code(words: str) -> None:
    """A limit that moves takes its line along."""
    assert words in PAGE


@pytest.mark.req(39)
@pytest.mark.parametrize("reason", DropReason)
def test_page_in_the_browser_explains_every_reason(reason: DropReason) -> None:
    """A reason without its words would be shown as a code."""
    words = files("pennon.journeys.page").joinpath("static/words.js").read_text(encoding="utf-8")
    assert f"\n  {reason.value}: " in words


def test_search_of_the_page_is_bounded() -> None:
    """A query is a name, not a document."""
    assert len(search.Query.of("x" * 10_000).text) == search.QUERY_LIMIT_CHARACTERS
