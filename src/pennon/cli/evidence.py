"""What is shown to a review beside the contract: the doors that speak it, and the tests of it that passed."""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FunctionType
from typing import Final
from xml.etree import ElementTree

import click
import msgspec

from pennon.cli.loading import object_of
from pennon.headers import Contract
from pennon.headers.fingerprint import fingerprint_of

# As `pennon.testing.headers.asking` writes it; not imported, since who reads a report need not have pytest.
_PROPERTY: Final = "pennon.header_contract"
_NOT_PASSED: Final = ("failure", "error", "skipped")
_NAMED_COUNT: Final = 3


class _Asked(msgspec.Struct):
    """What a test says of a contract."""

    fingerprint: str
    cases: int


def doors_in(apps: Sequence[str], declared: Contract) -> Iterator[str]:
    """Those of the apps that are doors which speak this contract."""
    for app in apps:
        named = object_of(app)
        if isinstance(named, FunctionType) and not inspect.signature(named).parameters:
            named = named()
        # Flask hands each request to its `wsgi_app`, which is where its users put the door.
        if declared in (getattr(each, "contract", None) for each in (named, getattr(named, "wsgi_app", None))):
            yield app


def tests_in(reports: Sequence[Path], declared: Contract) -> Iterator[str]:
    """For each of these JUnit reports in which cases of this contract passed: when it ran, how many, in which tests.

    Raises: click.BadParameter where a file is no such report.
    """
    for path in reports:
        suites = list(_root_of(path).iter("testsuite"))
        passed = [found for suite in suites for case in suite.iter("testcase") if (found := _passed(case, declared))]
        if passed:
            began = min(suite.get("timestamp", "") for suite in suites)
            names = ", ".join(name for name, _ in passed[:_NAMED_COUNT])
            more = f" and {len(passed) - _NAMED_COUNT} more" if len(passed) > _NAMED_COUNT else ""
            count = sum(count for _, count in passed)
            yield f"{path}, run at {began}: {count} case{'s' * (count != 1)} of this contract passed, in {names}{more}"


def _root_of(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(path).getroot()  # noqa: S314  # the user's own file, written by pytest
    except (ElementTree.ParseError, OSError) as error:
        told = f"{str(path)!r} is no JUnit report ({error}); pytest --junitxml=REPORT writes one"
        raise click.BadParameter(told, param_hint="--tests") from None


def _passed(case: ElementTree.Element, declared: Contract) -> tuple[str, int] | None:
    """A test that asked cases of this contract and passed: its name, and how many."""
    if any(case.find(outcome) is not None for outcome in _NOT_PASSED):
        return None
    asked = [_asked(each.get("value", "")) for each in case.iter("property") if each.get("name") == _PROPERTY]
    mine = fingerprint_of(declared)
    count = sum(each.cases for each in asked if each is not None and each.fingerprint == mine)
    return (f"{case.get('classname')}.{case.get('name')}", count) if count else None


def _asked(value: str) -> _Asked | None:
    try:
        return msgspec.json.decode(value.encode(), type=_Asked)
    except msgspec.DecodeError:
        return None
