"""Somebody uses the page, in a real browser: at two widths, with the mouse and with keys alone."""

import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.system]

# What the page promises of a kill. A machine may stand still for once, not each time.
SECOND_MS: Final = 1_000
TURNS_COUNT: Final = 5
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
    """Find a journey by user, read its hops, flip a flag, kill another: both are seen without a reload."""
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
    whose = re.compile("#9f00d1e2c3b4a596.*human.*of tenant.*#51ab0c9d2e3f4a56")
    expect(first.locator(".whose")).to_contain_text(whose)
    expect(first.locator(".deadline")).to_contain_text(re.compile(r"waits.*5.00\ss more"))
    # Who acts is told of what came in; of a call, by the headers that it added.
    outgoing = hops(page).nth(1)
    outgoing.locator("summary").first.click()
    expect(outgoing.locator(".headers")).to_contain_text("added")
    expect(outgoing.locator(".whose")).to_have_count(0)

    show(page, "Flags")
    switch = page.get_by_role("switch", name="reactions on")
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(flag(page, "reactions")).to_contain_text("Switched off: everyone gets off.")
    flag(page, "moderation-on").get_by_role("button", name="Kill", exact=True).click()
    expect(flag(page, "moderation-on")).to_have_attribute("data-state", "killed")
    expect(flag(page, "moderation-on")).to_contain_text("Killed: everyone gets off, whatever was carried.")
    flag(page, "moderation-on").get_by_role("button", name="Unkill").click()
    expect(flag(page, "moderation-on")).to_have_attribute("data-state", "on")


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
    expect(row).to_contain_text("60\u00a0% of users get on, the rest off.")
    assert 60_000 == plane.settings("rich-profiles")["fallthrough"]["split"]["coverage"]


@WIDTHS
def test_page_shows_what_others_change(address: str, plane: Any, look: Look, size: dict[str, Any]) -> None:
    """A kill from elsewhere arrives by itself, is announced, and leaves a ramp in the making alone."""
    page = look(address, **size).page
    show(page, "Flags")
    row = flag(page, "moderation-on")
    row.get_by_role("spinbutton").fill("33")
    plane.http.put(plane.path("moderation-on") + "/kill", json={"reason": "a test"}).raise_for_status()
    expect(row).to_have_attribute("data-state", "killed")
    expect(page.locator("#said")).to_contain_text("moderation-on is killed.")
    expect(row.get_by_role("spinbutton")).to_have_value("33")


def test_page_shows_a_kill_within_a_second(address: str, plane: Any, look: Look) -> None:
    """One that comes from elsewhere, and one by the page's own button; of several each, at least one in time."""
    page = look(address).page
    row = flag(page, "moderation-on")
    kill_path = plane.path("moderation-on") + "/kill"

    def is_seen_in_time(state: str) -> bool:
        try:
            expect(row).to_have_attribute("data-state", state, timeout=SECOND_MS)
        except AssertionError:
            expect(row).to_have_attribute("data-state", state)
            return False
        return True

    seen: dict[str, list[bool]] = {
        "killed elsewhere": [],
        "unkilled here": [],
        "killed here": [],
        "unkilled elsewhere": [],
    }
    for _ in range(TURNS_COUNT):
        plane.http.put(kill_path, json={"reason": "a test"}).raise_for_status()
        seen["killed elsewhere"].append(is_seen_in_time("killed"))
        row.get_by_role("button", name="Unkill").click()
        seen["unkilled here"].append(is_seen_in_time("on"))
        row.get_by_role("button", name="Kill", exact=True).click()
        seen["killed here"].append(is_seen_in_time("killed"))
        plane.http.delete(kill_path).raise_for_status()
        seen["unkilled elsewhere"].append(is_seen_in_time("on"))
    assert dict.fromkeys(seen, True) == {way: any(times) for way, times in seen.items()}


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


@WIDTHS
def test_page_counts_what_was_decided_for_others(address: str, fan_out: Any, look: Look, size: dict[str, Any]) -> None:
    """One line for a fan-out, with each variant's count, apart from what was decided for the journey's own user."""
    trace = "f" * 31 + str(size["width"])[0]
    fan_out(trace, {"split": ["on"] * 4 + ["off"] * 6, "carried": ["on"]})
    page = look(f"{address}/#trace={trace}", **size).page
    lines = hops(page).first.locator(".decision")
    expect(lines).to_have_count(4)
    expect(lines.nth(0)).to_contain_text(re.compile("carried.*feed-ranking.*fresh"))
    expect(lines.nth(1)).to_have_text(re.compile("switched off.*reactions.*off.*it needs moderation-on"))
    expect(lines.nth(2)).to_have_text(re.compile("decided here.*instant-alerts.*off 6.*on 4.*each of 10 other users"))
    expect(lines.nth(3)).to_have_text(re.compile("carried.*instant-alerts.*on 1.*for another user"))
    story = page.locator(".stories li")
    expect(story).to_have_count(3)
    expect(story.last).to_have_text(re.compile("instant-alerts.*off 6.*on 4.*for 10 others.*decided in.*carried to"))
    fits = (
        "[...document.querySelectorAll('.stories > li > *')].every((part) => part.scrollWidth <= part.clientWidth + 1)"
    )
    assert page.evaluate(fits)


@WIDTHS
def test_page_shows_where_services_diverge(address: str, plane: Any, look: Look, size: dict[str, Any]) -> None:
    """Those that do, the worst first, each with its causes; what is reported meanwhile arrives by itself."""
    page = look(address, **size).page
    show(page, "Divergence")
    panel = page.locator(".divergence")
    service = f"cart-{size['width']}"
    plane.report(service, "rich-profiles", agreed=60, missing_attribute=39, revision_skew=1)
    plane.report(service, "reactions", agreed=999, revision_skew=1)
    plane.report(service, "moderation-on", agreed=5)
    rows = panel.locator(".diverging li", has_text=service)
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("60\u00a0% of 100 agree")
    expect(rows.first.locator(".why")).to_have_text("missing attribute 39, revision skew 1")
    # Rounded down: 100 % would be a lie.
    expect(rows.last).to_contain_text("99.9\u00a0% of 1,000 agree")
    expect(panel.locator(".agreed-all")).to_contain_text(re.compile("[12] other places? agree wholly"))
    expect(panel.locator(".causes")).to_contain_text("an attribute that it asks about is unknown there")


@WIDTHS
def test_page_says_what_holds_a_flag_off(address: str, plane: Any, look: Look, size: dict[str, Any]) -> None:
    """A kill of what it needs takes it along, and says so; so does the way back."""
    key = f"needs-moderation-{size['width']}"
    plane.create(key, "on", "off")
    plane.patch(key, fallthrough={"variant": "on"}, prerequisites=[{"flag": "moderation-on", "variants": ["on"]}])
    page = look(address, **size).page
    show(page, "Flags")
    row = flag(page, key)
    expect(row).to_contain_text("Needs moderation-on to be on.")
    plane.http.put(plane.path("moderation-on") + "/kill", json={"reason": "a test"}).raise_for_status()
    expect(row).to_have_attribute("data-state", "held")
    expect(row).to_contain_text("Held off by moderation-on, which it needs: everyone gets off.")
    plane.http.delete(plane.path("moderation-on") + "/kill").raise_for_status()
    expect(row).to_have_attribute("data-state", "on")


def test_page_tells_how_to_let_a_tester_in(address: str, plane: Any, look: Look) -> None:
    """The commands, with the flag's own names; only where its author allows it."""
    plane.create("for-testers", "red", "green", "blue", overridable=True)
    page = look(address, **DESK).page
    row = flag(page, "for-testers")
    row.get_by_text("Let a tester pick a variant").click()
    expect(row.locator("pre")).to_contain_text("pennon override create")
    expect(row.locator("pre")).to_contain_text(
        re.compile(r"--flag for-testers \\\s+--variant red \\\s+--unit user:KEY")
    )
    expect(flag(page, "reactions").get_by_text("Let a tester")).to_have_count(0)


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
