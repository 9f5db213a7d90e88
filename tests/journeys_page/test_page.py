"""Somebody uses the page, in a real browser: at two widths, with the mouse and with keys alone."""

import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.system]

# What issue and design promise: the effect of a flip or a kill is seen within a second.
SECOND_MS: Final = 1_000
DESK: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}
WIDTHS: Final = pytest.mark.parametrize("size", [DESK, PHONE], ids=["1280", "390"])
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SERVICES: Final = ["gateway", "gateway", "posts", "posts", "feed", "feed"]

Look = Callable[..., Any]


def show(page: Page, view: str) -> None:
    """Where the page is narrow, its parts are behind tabs."""
    tab = page.get_by_role("button", name=view, exact=True)
    if tab.is_visible():
        tab.click()


def flag(page: Page, key: str) -> Locator:
    """A flag's row."""
    return page.locator(f"li[data-flag={key}]")


def hops(page: Page) -> Locator:
    """The rows of the open waterfall."""
    return page.locator(".hops > li")


@WIDTHS
def test_page_walk(address: str, look: Look, size: dict[str, Any]) -> None:
    """Find a journey by user, read its hops, flip a flag, kill another: both are seen within a second."""
    page = look(address, **size).page
    page.get_by_role("searchbox").fill("user-7")
    line = page.locator("#journeys a", has_text="user-7").first
    expect(line).to_contain_text("gateway")
    line.click()
    expect(page.get_by_role("heading", name="Journey of user-7")).to_be_visible()
    expect(hops(page).locator(".service")).to_have_text(SERVICES)

    first = hops(page).first
    expect(first).to_contain_text("POST /posts")
    expect(first).to_contain_text("31.0 ms")
    expect(first.locator(".decision")).to_have_count(3)
    expect(first.locator(".decision-here").first).to_contain_text("decided here")
    expect(first.locator(".decision-killed")).to_contain_text(re.compile("killed.*moderation-on.*off"))
    expect(hops(page).nth(2).locator(".decision-carried")).to_contain_text(re.compile("carried.*feed-ranking.*ranked"))
    first.locator("summary").first.click()
    expect(first.locator(".headers")).to_contain_text("x-correlation-id")
    expect(first.locator(".dropped").nth(1)).to_contain_text("baggage:pennon")
    expect(first.locator(".dropped").nth(1)).to_contain_text("not trusted")

    show(page, "Flags")
    switch = page.get_by_role("switch", name="reactions on")
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false", timeout=SECOND_MS)
    expect(flag(page, "reactions")).to_contain_text("Switched off: everyone gets off.")
    flag(page, "moderation-on").get_by_role("button", name="Kill", exact=True).click()
    expect(flag(page, "moderation-on")).to_have_attribute("data-state", "killed", timeout=SECOND_MS)
    expect(flag(page, "moderation-on")).to_contain_text("Killed: everyone gets off, whatever was carried.")
    flag(page, "moderation-on").get_by_role("button", name="Unkill").click()
    expect(flag(page, "moderation-on")).to_have_attribute("data-state", "on", timeout=SECOND_MS)


@WIDTHS
def test_page_ramps_a_flag(address: str, plane: Any, look: Look, size: dict[str, Any]) -> None:
    """A ramp that is typed and applied is published, and stands in words."""
    page = look(address, **size).page
    show(page, "Flags")
    row = flag(page, "rich-profiles")
    expect(row).to_contain_text("25\u00a0% of users get on, the rest off.")
    expect(row.get_by_role("button", name="Apply")).to_be_disabled()
    row.get_by_role("spinbutton").fill("60")
    expect(row.get_by_role("slider")).to_have_value("60")
    row.get_by_role("button", name="Apply").click()
    expect(row).to_contain_text("60\u00a0% of users get on, the rest off.", timeout=SECOND_MS)
    assert 60_000 == plane.settings("rich-profiles")["fallthrough"]["split"]["coverage"]


@WIDTHS
def test_page_shows_what_others_change(address: str, plane: Any, look: Look, size: dict[str, Any]) -> None:
    """A kill from elsewhere arrives by itself, is announced, and leaves a ramp in the making alone."""
    page = look(address, **size).page
    show(page, "Flags")
    row = flag(page, "moderation-on")
    row.get_by_role("spinbutton").fill("33")
    plane.http.put(plane.path("moderation-on") + "/kill", json={"reason": "a test"}).raise_for_status()
    expect(row).to_have_attribute("data-state", "killed", timeout=SECOND_MS)
    expect(page.locator("#said")).to_contain_text("moderation-on is killed.")
    expect(row.get_by_role("spinbutton")).to_have_value("33")


def test_page_says_why_a_change_was_refused(address: str, plane: Any, look: Look) -> None:
    """The control plane's own words stand at the flag, and the ramp goes back to what is served."""
    plane.create("three-ways", "red", "green", "blue")
    watched = look(address, **DESK)
    row = flag(watched.page, "three-ways")
    row.get_by_role("spinbutton").fill("40")
    row.get_by_role("button", name="Apply").click()
    expect(row.get_by_role("alert")).to_contain_text("2 variants beside")
    expect(row.get_by_role("spinbutton")).to_have_value("0")
    # The browser itself reports the 422 that this test provokes.
    assert all("422" in fault for fault in watched.faults)
    watched.faults.clear()


@WIDTHS
def test_page_counts_exposures(address: str, look: Look, size: dict[str, Any]) -> None:
    """The running experiment: each variant with its count and its share beside its weight."""
    page = look(address, **size).page
    show(page, "Experiments")
    arms = page.locator("article[data-flag=feed-ranking] .arms li")
    expect(arms).to_have_count(3)
    expect(arms.first).to_contain_text("chronological")
    expect(arms.first).to_contain_text("612")
    expect(arms.first).to_contain_text("34\u00a0%, weight 34\u00a0%")


def test_page_lists_a_journey_as_it_arrives(address: str, traces: Any, look: Look) -> None:
    """Nobody looks closely: it stands on top. Somebody does: it waits behind a button."""
    page = look(address, **DESK).page
    expect(page.locator("#journeys li")).not_to_have_count(0)
    page.mouse.move(5, 5)
    traces("a" * 32, "user-live")
    expect(page.locator("#journeys a", has_text="user-live")).to_be_visible()
    page.locator("#journeys a").first.hover()
    traces("b" * 32, "user-held")
    newer = page.get_by_role("button", name="1 newer")
    expect(newer).to_be_visible()
    expect(page.locator("#journeys a", has_text="user-held")).to_have_count(0)
    newer.click()
    expect(page.locator("#journeys a", has_text="user-held")).to_be_visible()


def test_page_is_walked_with_keys_alone(address: str, traces: Any, look: Look) -> None:
    """`/`, arrows, Enter and Esc: search, walk, open, close; the focus comes back to where it was."""
    traces("c" * 32, "user-keys")
    traces("d" * 32, "user-keys")
    page = look(address, **DESK).page
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("user-keys")
    expect(page.locator("#journeys li")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    second = page.locator("#journeys a").nth(1)
    expect(second).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Journey of user-keys")).to_be_visible()
    expect(page.locator("#detail")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    expect(second).to_be_focused()


def test_page_opens_what_its_address_says(address: str, look: Look) -> None:
    """A link with a search and a trace shows both; back closes the journey; what is gone is said to be."""
    page = look(f"{address}/?q=user-7#trace={TRACE}", **DESK).page
    expect(page.get_by_role("searchbox")).to_have_value("user-7")
    expect(hops(page)).to_have_count(len(SERVICES))
    expect(page.locator("#journeys a[aria-current]")).to_contain_text("user-7")
    page.get_by_role("button", name="Close the journey").click()
    expect(page.locator("#detail")).to_be_hidden()
    page.go_back()
    expect(hops(page)).to_have_count(len(SERVICES))
    page.get_by_role("searchbox").fill("nobody")
    expect(page.locator("#journeys-blank")).to_contain_text("No journey is kept for “nobody”.")
    assert "q=nobody" in page.url


def test_page_says_that_a_journey_is_gone(address: str, look: Look) -> None:
    """An old link is no error of the page."""
    watched = look(f"{address}/#trace={'e' * 32}", **DESK)
    expect(watched.page.locator("#detail")).to_contain_text("is kept here")
    assert all("404" in fault for fault in watched.faults)
    watched.faults.clear()


@pytest.mark.parametrize("width", [360, 390, 768, 1024, 1280, 1920])
def test_page_fits_its_width(address: str, look: Look, width: int) -> None:
    """Nothing is wider than the screen, with a journey open and without."""
    page = look(address, width=width, height=800).page
    expect(page.locator("#journeys li")).not_to_have_count(0)
    assert width == page.evaluate("document.documentElement.scrollWidth")
    page.goto(f"{address}/#trace={TRACE}")
    expect(hops(page)).to_have_count(len(SERVICES))
    assert width == page.evaluate("document.documentElement.scrollWidth")
    assert page.evaluate(
        "document.querySelector('#detail').scrollWidth <= document.querySelector('#detail').clientWidth"
    )
