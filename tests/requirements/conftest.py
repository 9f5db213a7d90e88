"""The check that every line of the header contract's list is shown by a test.

`lines.toml` holds the lines. A test that shows some bears `@pytest.mark.req(41, 108)`. A whole run fails in which a
line had no test that passed, or in which a mark names a line that is not in the list.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.whole_run import WholeRun

LINES = Path(__file__).parent / "lines.toml"


class ShownLines(WholeRun):
    """Each line has a test that passed."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(config)
        self._lines = _lines()
        self._marks: dict[str, set[int]] = {}

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Note which tests show which lines."""
        self._marks = {item.nodeid: marked for item in items if (marked := _marked(item))}
        strange = sorted(nodeid for nodeid, marked in self._marks.items() if marked - self._lines.keys())
        if strange:
            raise pytest.UsageError(f"no line of {LINES.name} has the number that these are marked with: {strange}")

    def missing(self, passed: set[str]) -> list[str]:
        """The lines of which no test passed, each with its text."""
        shown = {line for nodeid in self._marks.keys() & passed for line in self._marks[nodeid]}
        return [
            f"no test that passed shows line {line}: {text}" for line, text in self._lines.items() if line not in shown
        ]


def _lines() -> Mapping[int, str]:
    chapters = tomllib.loads(LINES.read_text(encoding="utf-8"))
    return {int(number): text for chapter in chapters.values() for number, text in chapter.items()}


def _marked(item: pytest.Item) -> set[int]:
    return {line for mark in item.iter_markers("req") for line in mark.args}


def pytest_configure(config: pytest.Config) -> None:
    """Reports of other folders' tests reach plugins, not the conftest of this folder."""
    config.pluginmanager.register(ShownLines(config), "shown-lines")


@pytest.fixture(scope="session")
def lines() -> Mapping[int, str]:
    """The list: number -> text."""
    return _lines()
