"""Take the pictures of docs/images from a running demo: `python tools/screenshots.py http://127.0.0.1:PORT`."""

import shutil
import sys
from itertools import chain
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
DESKTOP: Final = {"viewport": {"width": 1280, "height": 860}}
PHONE: Final = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5, "has_touch": True}


# What a picture should show: a post through every service, told to some followers, in a screen's height.
AUTHORS: Final = ("user-0", "user-1", "user-2", "user-3", "user-4", "user-5", "user-6", "user-7")
SERVICES: Final = {"gateway", "posts", "feed", "notify", "profiles"}
FOLLOWERS: Final = range(4, 14)
HOPS_LIMIT_COUNT: Final = 14


def take(browser: Browser, address: str, name: str, **look: Any) -> None:
    """One picture: the page with a whole journey open, and its first hop."""
    with browser.new_context(**look) as context:
        page = context.new_page()
        # The page keeps a stream open: it is never idle.
        page.goto(address, wait_until="load")
        page.goto(f"{address}/#trace={fanned_out(page, address)}")
        page.reload(wait_until="load")
        page.get_by_text("Hops", exact=True).wait_for()
        # What the first hop took and dropped, for whom, and until when.
        page.locator(".hop summary").first.click()
        page.mouse.move(0, 0)
        # The traffic line needs some seconds to have a shape.
        page.wait_for_timeout(4_000)
        page.screenshot(path=IMAGES / name)


def fanned_out(page: Page, address: str) -> str:
    """The trace of a post to show: one that something was dropped from, if there is one."""
    found: dict[bool, str] = {}
    asked = (page.request.get(f"{address}/api/journeys?limit=100&q={author}").json()["items"] for author in AUTHORS)
    for each in chain.from_iterable(asked):
        if set(each["services"]) >= SERVICES and each["hop_count"] <= HOPS_LIMIT_COUNT:
            hops = page.request.get(f"{address}/api/journeys/{each['trace_id']}").json()["hops"]
            decided = [one for hop in hops if hop["service"] == "feed" for one in hop["decisions"] if one["other"]]
            if len(decided) in FOLLOWERS and len({one["variant"] for one in decided}) > 1:
                found.setdefault(bool(hops[0]["headers"]["dropped"]), str(each["trace_id"]))
    if found:
        return found[max(found)]
    raise SystemExit(f"no post of {', '.join(AUTHORS)} is one to show yet; wait for more traffic")


def take_divergence(browser: Browser, address: str, name: str, **look: Any) -> None:
    """One picture: the list, beside experiments and divergence."""
    with browser.new_context(**look) as context:
        page = context.new_page()
        page.goto(address, wait_until="load")
        page.wait_for_timeout(4_000)
        page.locator(".divergence").scroll_into_view_if_needed()
        page.screenshot(path=IMAGES / name)


def main() -> None:
    """Four pictures."""
    address = sys.argv[1].rstrip("/")
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or playwright.chromium.executable_path
        with playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"]) as browser:
            take(browser, address, "journeys-desktop.png", **DESKTOP)
            take(browser, address, "journeys-dark.png", color_scheme="dark", **DESKTOP)
            take(browser, address, "journeys-phone.png", **PHONE)
            take_divergence(browser, address, "journeys-divergence.png", **DESKTOP)


if __name__ == "__main__":
    main()
