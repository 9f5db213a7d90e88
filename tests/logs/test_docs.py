"""The reference page says what the code does."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
import structlog

from pennon.context import RequestContext
from pennon.headers.redaction import SHOWN_LIMIT_CHARS, TEXT_LIMIT_CHARS
from pennon.settings import LOG_SALT_VARIABLE

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "logging.md").read_text(encoding="utf-8")


def test_page_shows_code_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example, one after the other."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS", "")
    names: dict[str, Any] = {}
    root = logging.getLogger()
    handlers = root.handlers[:]
    try:
        for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
            exec(block, names)
        event = structlog.get_config()["processors"][2](None, "info", {"event": "x", "cookie": "a"})
    finally:
        root.handlers[:] = handlers
        structlog.reset_defaults()

    assert {"event": "x"} == event


def test_page_names_everything_that_a_line_says(serving: RequestContext, written: Any) -> None:
    """And nothing that it does not say."""
    own = logging.makeLogRecord({}).__dict__.keys() | {"message"}
    written.log.info("order.placed")
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE, re.MULTILINE)

    assert written.record.__dict__.keys() - own == set(re.findall(r"`(\w+)`", " ".join(rows)))


def test_page_states_the_limits_that_hold() -> None:
    """The numbers in the text are those in the code."""
    assert f"beyond {TEXT_LIMIT_CHARS:,} characters" in PAGE
    assert f"at most {SHOWN_LIMIT_CHARS} characters" in PAGE
    assert f"`{LOG_SALT_VARIABLE}`" in PAGE
