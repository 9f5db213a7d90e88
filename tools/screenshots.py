"""Take the pictures of docs/images from a running demo: `python tools/screenshots.py http://127.0.0.1:PORT`."""

import shutil
import sys
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, sync_playwright

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
DESKTOP: Final = {"viewport": {"width": 1440, "height": 900}}
PHONE: Final = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5, "has_touch": True}


def take(browser: Browser, address: str, name: str, **look: Any) -> None:
    """One picture: the page with a whole journey open."""
    with browser.new_context(**look) as context:
        page = context.new_page()
        # The page keeps a stream open: it is never idle.
        page.goto(address, wait_until="load")
        journeys = page.request.get(f"{address}/api/journeys?limit=200").json()["items"]
        # An ordinary post that went through every service, not the longest outlier.
        whole = [each for each in journeys if {"gateway", "posts", "feed"} <= set(each["services"])]
        trace = sorted(whole, key=lambda each: each["duration_ms"])[len(whole) // 2]["trace_id"]
        page.goto(f"{address}/#trace={trace}")
        page.reload(wait_until="load")
        page.get_by_text("Hops", exact=True).wait_for()
        # The traffic line needs some seconds to have a shape.
        page.wait_for_timeout(4_000)
        page.screenshot(path=IMAGES / name)


def main() -> None:
    """Three pictures."""
    address = sys.argv[1].rstrip("/")
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or playwright.chromium.executable_path
        with playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"]) as browser:
            take(browser, address, "journeys-desktop.png", **DESKTOP)
            take(browser, address, "journeys-dark.png", color_scheme="dark", **DESKTOP)
            take(browser, address, "journeys-phone.png", **PHONE)


if __name__ == "__main__":
    main()
