"""The recipes' code, as a reader would copy it."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

PAGES = Path(__file__).parents[2] / "docs" / "migrating"


@pytest.fixture
def recipe() -> Callable[[str, str], dict[str, Any]]:
    """What a page's block defines: the page's name, and which of its blocks: before, after or beside."""

    def recipe(page: str, which: str) -> dict[str, Any]:
        text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
        [block] = re.findall(rf"```python\n# {which}\n(.*?)```", text, re.DOTALL)
        names: dict[str, Any] = {}
        exec(compile(block, f"{page}.md, {which}", "exec"), names)
        return names

    return recipe


@pytest.fixture
def ask() -> Callable[..., httpx.Response]:
    """One request to an application in process, from loopback."""

    def ask(app: Any, headers: Any = (), *, path: str = "/orders") -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(call())

    return ask


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans that ended, in that order."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # The public setter works once per process.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter
