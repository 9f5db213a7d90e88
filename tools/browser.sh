#!/usr/bin/env bash
# Makes sure that the browser tests find a Chromium: one on the PATH, Playwright's own, else one that can be installed here.
set -euo pipefail
cd "$(dirname "$0")/.."

found() {
    command -v chromium || command -v chromium-browser || command -v google-chrome ||
        .venv/bin/python -c '
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    path = playwright.chromium.executable_path
sys.exit(not pathlib.Path(path).exists() and 1)'
}

found >/dev/null 2>&1 && exit 0
echo "Installing a Chromium for the browser tests (once) ..."
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y chromium; } >/dev/null 2>&1 || true
else
    .venv/bin/python -m playwright install chromium >/dev/null 2>&1 || true
fi
found >/dev/null 2>&1 && exit 0
echo "The browser tests need a Chromium, and none could be installed. Run one of these, then again make test:" >&2
echo "  sudo apt-get install chromium" >&2
echo "  .venv/bin/python -m playwright install --with-deps chromium" >&2
exit 1
