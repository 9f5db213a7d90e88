"""`pennon contract`: the fourteen answers and the documents of a contract, on a command line."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax import saxutils

import pytest
from click.testing import CliRunner, Result

from pennon.cli.main import cli
from pennon.headers import Contract, public
from pennon.headers.documents import markdown, marks_of
from pennon.testing.headers import cases_of

Run = Callable[..., Result]

TOML = """
name = "orders"
version = "1"
owner = "platform"
std = ["x-tenant-id", "etag", "if-match"]

[deadline]
accept = ["x-request-deadline"]
cap_s = 30

[[downstreams]]
name = "posts"
host = "posts.internal"
deadline = "x-request-timeout-ms"

[[downstreams]]
name = "feed"
topic = "feed.posts"
"""
APP = """
from pathlib import Path

import pennon.http
from pennon.headers import Contract, public

CONTRACT = Contract.from_toml(Path("contract.toml").read_text())
OTHER = Contract("other", version="1", owner="t")

def made():
    return CONTRACT

async def inner(scope, receive, send):
    raise AssertionError("nobody calls it")

app = pennon.http.asgi(inner, CONTRACT, boundary=public())
strange = pennon.http.asgi(inner, OTHER, boundary=public())

def factory():
    return app

class Flask:
    wsgi_app = app
"""
# Each has a report of its own; all of them ran once, as anybody's tests do.
TESTS = {
    "test_shop": """
from shop_under_contract import CONTRACT, app

def test_all(header_contract_suite):
    header_contract_suite(app, CONTRACT)

def test_once_more(header_contract_suite):
    header_contract_suite(app, CONTRACT)
""",
    "test_other": """
# contract.toml, orders
from shop_under_contract import OTHER, strange

def test_orders(header_contract_suite):
    header_contract_suite(strange, OTHER)
""",
    "test_earlier": """
import dataclasses
import pennon.http
from shop_under_contract import CONTRACT, app, inner
from pennon.headers import public

def test_version_of_before(header_contract_suite):
    before = dataclasses.replace(CONTRACT, fields=CONTRACT.fields[:1])
    header_contract_suite(pennon.http.asgi(inner, before, boundary=public()), before)
""",
    "test_words": """
# header_contract_suite and pennon.testing.headers, orders, contract.toml
import pennon.testing.headers
from shop_under_contract import CONTRACT

def test_header_contract_suite(header_contract_suite):
    assert CONTRACT.name == "orders"
""",
    "test_red": """
import pytest
from pennon.testing.headers import cases_of
from shop_under_contract import CONTRACT, app

def test_fails(header_contract_suite):
    header_contract_suite(app, CONTRACT)
    raise AssertionError

def test_skips(header_contract_suite):
    header_contract_suite(app, CONTRACT)
    pytest.skip()

@pytest.mark.xfail
def test_is_expected_to_fail(header_contract_suite):
    header_contract_suite(app, CONTRACT)
    raise AssertionError

@pytest.fixture
def breaking():
    yield
    raise AssertionError

def test_ends_badly(header_contract_suite, breaking):
    header_contract_suite(app, CONTRACT)

def test_comes_after_them():
    pass
""",
    "test_import": """
from pennon.testing.headers import cases_of
from shop_under_contract import CONTRACT, app

for case in cases_of(CONTRACT, app.boundary):
    case.run(app)

def test_after_what_no_test_asked():
    pass
""",
    "test_unittest": """
import unittest
from pennon.testing.headers import cases_of
from shop_under_contract import CONTRACT, app

class Tests(unittest.TestCase):
    def test_one(self):
        cases_of(CONTRACT, app.boundary)[0].run(app)
""",
}
BROKEN = "from pennon.headers import Contract\nCONTRACT = Contract('c', version='', owner='')\n"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pytest has written of these tests: by the file's name, of its tests alone."""
    folder = tmp_path_factory.mktemp("tested")
    (folder / "contract.toml").write_text(TOML)
    (folder / "shop_under_contract.py").write_text(APP)
    for name, text in TESTS.items():
        (folder / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=all.xml", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert 1 == done.returncode, done.stdout
    return {name: _of_file(folder / "all.xml", name) for name in TESTS}


def _of_file(report: Path, name: str) -> str:
    root = ElementTree.parse(report).getroot()
    suite = root[0]
    for case in list(suite):
        if not str(case.get("classname")).startswith(name):
            suite.remove(case)
    return ElementTree.tostring(root, "unicode")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reports: dict[str, str]) -> Run:
    """Run `pennon contract` in a folder with a contract, an application under it, and reports of tests of that."""
    monkeypatch.chdir(tmp_path)
    Path("contract.toml").write_text(TOML)
    Path("shop_under_contract.py").write_text(APP)
    for name, text in reports.items():
        Path(f"{name}.xml").write_text(text)
    return lambda *words: CliRunner().invoke(cli, ["contract", *words])


SHOWN = ("--app", "shop_under_contract.py:app", "--tests", "test_shop.xml")


def _answer(shown: Result, number: int) -> dict[str, Any]:
    return next(each for each in json.loads(shown.stdout)["answers"] if each["number"] == number)


@pytest.mark.req(113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126)
def test_check_prints_every_question_with_its_evidence(run: Run) -> None:
    """Fourteen lines that begin with a mark and a number; 0 where none of them is a no."""
    shown = run("check", "contract.toml", *SHOWN)
    lines = [line.split()[:2] for line in shown.output.splitlines() if line[:1] in "✓✗–" and line.strip()]  # noqa: RUF001

    assert (0, [str(number) for number in range(113, 127)]) == (shown.exit_code, [number for _, number in lines])
    assert ["✓"] * 12 + ["–"] + ["✓"] == [mark for mark, _ in lines]  # noqa: RUF001
    assert "shop_under_contract.py:app" in shown.output
    assert "test_shop.xml" in shown.output
    assert all(len(line) <= 80 for line in shown.output.splitlines())


@pytest.mark.req(116, 126)
@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ((), {116, 126}),
        (SHOWN[:2], {126}),
        (SHOWN[2:], {116}),
        (("--app", "shop_under_contract.py:strange", *SHOWN[2:]), {116}),
        (("--app", "shop_under_contract.py:inner", *SHOWN[2:]), {116}),
        (("--app", "shop_under_contract.py:made", *SHOWN[2:]), {116}),
        ((*SHOWN[:2], "--tests", "test_other.xml"), {126}),
        ((*SHOWN[:2], "--tests", "test_earlier.xml"), {126}),
        ((*SHOWN[:2], "--tests", "test_words.xml"), {126}),
        ((*SHOWN[:2], "--tests", "test_red.xml"), {126}),
        ((*SHOWN[:2], "--tests", "test_import.xml"), {126}),
    ],
)
def test_check_fails_what_nobody_shows(run: Run, words: tuple[str, ...], missing: set[int]) -> None:
    """An app without a door, or with another contract's.

    Tests of another contract, or of what this one was before; that name the kit and ask nothing; that did not pass; and
    what was asked while no test ran.
    """
    shown = run("check", "contract.toml", "--json", *words)
    answers = json.loads(shown.stdout)["answers"]

    assert 1 == shown.exit_code
    assert missing == {each["number"] for each in answers if each["outcome"] == "failed"}


@pytest.mark.req(116, 126)
def test_check_says_what_would_show_it(run: Run) -> None:
    """Which object to name, and what a test has to hold."""
    shown = " ".join(run("check", "contract.toml", "--app", "shop_under_contract.py:inner").output.split())

    assert "--app MODULE:APP, what pennon.http.asgi or wsgi returned for this contract" in shown
    assert "--tests REPORT, what pytest --junitxml=REPORT wrote" in shown


@pytest.mark.req(126)
def test_check_tells_which_tests_passed_and_when(run: Run) -> None:
    """How many cases, in which tests: three are named."""
    said = _answer(run("check", "contract.toml", "--json", *SHOWN), 126)["evidence"]
    count = len(cases_of(Contract.from_toml(TOML), public()))

    assert re.search(r"^test_shop.xml, run at \d{4}-\d\d-\d\dT[0-9:.+-]+: ", said)
    assert f": {2 * count} cases of this contract passed, in test_shop.test_all, test_shop.test_once_more" in said


@pytest.mark.req(126)
def test_check_counts_a_case_in_whatever_pytest_runs(run: Run) -> None:
    """Also one by one, and in the methods of unittest."""
    said = _answer(run("check", "contract.toml", "--json", "--tests", "test_unittest.xml"), 126)

    assert "passed" == said["outcome"]
    assert "1 case of this contract passed, in test_unittest.Tests.test_one" in said["evidence"]


@pytest.mark.req(126)
@pytest.mark.parametrize("text", ["def test(header_contract_suite): ...", "", "<a>", None])
def test_check_says_how_a_report_is_written(run: Run, text: str | None) -> None:
    """To whom gives the tests themselves, or what is no report."""
    Path("given").mkdir() if text is None else Path("given").write_text(text)
    shown = run("check", "contract.toml", "--tests", "given")

    assert 2 == shown.exit_code
    assert "--junitxml" in shown.output or "is a directory" in shown.output


@pytest.mark.req(126)
@pytest.mark.parametrize("value", ["", "orders", "[]", '{"cases": 3}', '{"fingerprint": 1, "cases": 3}'])
def test_check_is_not_disturbed_by_what_others_write(run: Run, value: str) -> None:
    """A property of that name whose value is none of ours says nothing."""
    quoted = saxutils.quoteattr(value)
    case = f"<testcase><properties><property name='pennon.header_contract' value={quoted}/></properties></testcase>"
    Path("given.xml").write_text(f"<testsuites><testsuite timestamp='t'>{case}</testsuite></testsuites>")

    assert "failed" == _answer(run("check", "contract.toml", "--json", "--tests", "given.xml"), 126)["outcome"]


@pytest.mark.req(116)
def test_check_calls_a_function_that_makes_the_app(run: Run) -> None:
    """As uvicorn does with --factory."""
    shown = run("check", "contract.toml", "--json", "--app", "shop_under_contract.py:factory")

    assert "passed" == _answer(shown, 116)["outcome"]


@pytest.mark.req(116)
def test_check_finds_the_door_of_a_flask_application(run: Run) -> None:
    """It is its `wsgi_app`: the application that everybody names is around it."""
    shown = run("check", "contract.toml", "--json", "--app", "shop_under_contract.py:Flask")

    assert "passed" == _answer(shown, 116)["outcome"]


@pytest.mark.req(2, 107)
def test_check_tells_findings_until_they_are_allowed(run: Run) -> None:
    """They are no's; allowed by name they are none, here and among the answers."""
    Path("bare.toml").write_text('name = "orders"\nversion = "1"\nowner = "platform"\n')
    asked = run("check", "bare.toml", *SHOWN)
    answers = json.loads(run("check", "bare.toml", "--json", *SHOWN, "--allow", "no-deadline").stdout)

    assert (1, True) == (asked.exit_code, "no-deadline at /deadline" in asked.output)
    assert [] == answers["findings"]
    assert {116, 126} == {each["number"] for each in answers["answers"] if each["outcome"] == "failed"}


@pytest.mark.parametrize("file", ["contract.toml", "shop_under_contract.py:CONTRACT", "shop_under_contract.py:made"])
def test_doc_takes_a_contract_in_every_spelling(run: Run, file: str) -> None:
    """TOML, a value, a function that makes one: the same document."""
    shown = run("doc", file)

    assert (0, markdown(Contract.from_toml(TOML))) == (shown.exit_code, shown.output)


@pytest.mark.parametrize("command", ["check", "doc"])
def test_contract_that_does_not_load_tells_every_fault(run: Run, command: str) -> None:
    """On standard error, each with its path; its own exit code."""
    Path("broken.toml").write_text('name = 1\nversion = "1"\nhosts = []\n')
    Path("broken_contract.py").write_text(BROKEN)
    toml, python = run(command, "broken.toml"), run(command, "broken_contract.py:CONTRACT")

    assert (2, 2) == (toml.exit_code, python.exit_code)
    assert {f"pennon: broken.toml: {path}" for path in ("/owner", "/hosts", "/name")} == {
        ": ".join(line.split(": ")[:3]) for line in toml.stderr.splitlines()
    }
    assert 2 == len(python.stderr.splitlines())


@pytest.mark.parametrize("file", ["nowhere.toml", "shop_under_contract.py:inner_", "shop_under_contract.py:app"])
def test_file_that_is_no_contract_is_wrong_usage(run: Run, file: str) -> None:
    """With a sentence, and no traceback."""
    shown = run("check", file)

    assert 2 == shown.exit_code
    assert shown.stderr.splitlines()[-1].startswith("Error: Invalid value")


@pytest.mark.req(99)
@pytest.mark.parametrize(("form", "part"), [("openapi", "parameters"), ("asyncapi", "messageTraits")])
def test_doc_writes_fragments(run: Run, form: str, part: str) -> None:
    """JSON, to a file where one is named, and by then it has not drifted."""
    printed = run("doc", "contract.toml", "--format", form)
    written = run("doc", "contract.toml", "--format", form, "--output", "fragment.json")
    checked = run("doc", "contract.toml", "--format", form, "--check", "fragment.json")

    assert part in json.loads(printed.output)["components"]
    assert printed.output == Path("fragment.json").read_text()
    assert (0, 0, "") == (written.exit_code, checked.exit_code, checked.output)


@pytest.mark.req(99)
def test_doc_finds_a_page_that_has_drifted_and_puts_it_right(run: Run) -> None:
    """1 and a diff before, 0 and silence behind; what stands around the marks stays."""
    begin, end = marks_of(Contract.from_toml(TOML))
    page = Path("README.md")
    page.write_text(f"# Shop\n\n{begin}\n\nold\n{end}\n\nThe end\n")
    drifted = run("doc", "contract.toml", "--check", "README.md")
    written = run("doc", "contract.toml", "--write", "README.md")
    right = run("doc", "contract.toml", "--check", "README.md")

    assert 1 == drifted.exit_code
    assert {"-old", "+| --- | --- | --- | --- | --- | --- | --- | --- | --- |"} <= set(drifted.output.splitlines())
    assert (0, 0, "") == (written.exit_code, right.exit_code, right.output)
    assert (page.read_text().startswith("# Shop\n"), page.read_text().endswith("\nThe end\n")) == (True, True)


@pytest.mark.req(99)
def test_doc_checks_a_file_of_its_own_as_a_whole(run: Run) -> None:
    """Without marks the file is the document, and nothing else."""
    run("doc", "contract.toml", "--output", "headers.md")
    same = run("doc", "contract.toml", "--check", "headers.md")
    Path("headers.md").write_text(Path("headers.md").read_text() + "more\n")
    more = run("doc", "contract.toml", "--check", "headers.md")

    assert (0, 1) == (same.exit_code, more.exit_code)
    assert "-more" in more.output


@pytest.mark.parametrize(
    "words",
    [
        ("--write", "page.md"),
        ("--write", "page.md", "--format", "openapi"),
        ("--write", "page.md", "--check", "page.md"),
        ("--check", "half.md"),
    ],
    ids=" ".join,
)
def test_doc_refuses_a_page_without_a_place(run: Run, words: tuple[str, ...]) -> None:
    """Nothing is overwritten by guessing where the document belongs."""
    Path("page.md").write_text("# Shop\n")
    Path("half.md").write_text(marks_of(Contract.from_toml(TOML))[0])
    shown = run("doc", "contract.toml", *words)

    assert (2, "# Shop\n") == (shown.exit_code, Path("page.md").read_text())
