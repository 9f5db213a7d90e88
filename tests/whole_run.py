"""Checks that a whole run of the suite showed what it must.

A run is whole if all test folders were asked for and nothing was left out: whoever runs a part of the suite, by folder,
file, `-k`, `-m`, `--ignore`, `--lf` or `-x`, is not told about the rest.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import pytest


class WholeRun(ABC):
    """Watches a run; fails it at its end if it was whole and something did not pass that had to."""

    def __init__(self, config: pytest.Config) -> None:
        self.root = config.rootpath
        self._folders: Sequence[str] = config.getini("testpaths")
        self._passed: set[str] = set()
        self._was_narrowed = False
        self._missing: list[str] = []

    @abstractmethod
    def missing(self, passed: set[str]) -> list[str]:
        """What was not shown, each in one line. passed: node ids."""

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Somebody asked for less."""
        self._was_narrowed |= bool(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Passed is passed: not skipped, not expected to fail."""
        if report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
            self._passed.add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A run that was cut short, or that only collected, says nothing about what it did not run."""
        is_cut = self._was_narrowed or session.shouldstop or session.shouldfail or not self._is_asked_for_all(session)
        if is_cut or exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            return
        self._missing = self.missing(self._passed)
        if self._missing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _is_asked_for_all(self, session: pytest.Session) -> bool:
        config, option = session.config, session.config.option
        # --lf and --ignore leave tests out without deselecting them.
        if option.collectonly or option.ignore or option.ignore_glob or getattr(option, "lf", False):
            return False
        asked = [(Path(config.invocation_params.dir) / arg).resolve() for arg in config.args if "::" not in arg]
        folders = [(self.root / folder).resolve() for folder in self._folders]
        return all(any(folder.is_relative_to(each) for each in asked) for folder in folders)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name what is missing."""
        for line in self._missing:
            terminalreporter.write_line(line, red=True)
