"""The reference pages are held to vectors and tests, and the check of that to its own rules."""

import ast
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parents[2]
ID = re.compile(r"V:(?P<file>[\w/-]+)/(?P<vector>[\w.+-]+)|T:(?P<module>tests/[\w/]+\.py)::(?P<test>(?:test_|Test)\w+)")
LINK = re.compile(r"\]\(([^)]+)\)")


def _exists(cited: str, vectors_of: Callable[[str], set[str]]) -> bool:
    match = ID.fullmatch(cited)
    if match is None:
        return False
    if match["file"]:
        return match["vector"] in vectors_of(match["file"])
    return match["test"] in _tests_in(match["module"])


@cache
def _tests_in(module: str) -> set[str]:
    path = ROOT / module
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    return {name for node in tree.body for name in _bound_by(node)}


def _bound_by(node: ast.stmt) -> list[str]:
    """The names of tests that a statement may make: functions, classes, and the classes of state machines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    return [each.id for each in node.targets if isinstance(each, ast.Name)] if isinstance(node, ast.Assign) else []


def test_page_cites_something_for_every_normative_sentence(page: Any) -> None:
    """Whatever must, never or only is, a vector or a test shows."""
    assert [] == [(each.line, each.text) for each in page.sentences if each.is_normative and not each.marks]


def test_page_cites_what_exists(page: Any, vectors_of: Callable[[str], set[str]]) -> None:
    """Each id is a vector in its file or a test in its module."""
    cited = [(name, each) for name, ids in page.footnotes.items() for each in ids]
    assert [] == [(name, each) for name, each in cited if not _exists(each, vectors_of)]


def test_page_has_each_footnote_that_it_marks_and_no_other(page: Any) -> None:
    """No mark leads nowhere, nothing is cited by nobody, no footnote is empty."""
    marked = {mark for each in page.sentences for mark in each.marks}
    assert marked == {name for name, ids in page.footnotes.items() if ids}


def test_page_links_lead_somewhere(page: Any) -> None:
    """To files that are there, and to headings in them."""
    targets = [LINK.findall(each.text) for each in page.sentences]
    assert [] == [target for found in targets for target in found if not _leads(page.path, target)]


def _leads(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    path = page.parent / name if name else page
    if not path.is_file():
        return False
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return not anchor or anchor in {"-".join(re.findall(r"[\w-]+", heading.lower())) for heading in headings}


# ---- the reading of a page

PAGE = """\
# A title must not count

Decisions never leave.[^a] A ruleset is one, e.g. `x`. It MUST end.[^b][^c]

- only this[^a]
- a second item that goes
  on and never ends

| a | row |
|---|---|
| must | hold[^a] |

```text
this must not count
```

[^a]: `V:wire/one` `T:tests/carry/test_wire.py::test_x`
[^b]: `V:wire/two`
"""


@pytest.fixture
def read(page_at: Callable[[Path], Any], tmp_path: Path) -> Any:
    """The page above."""
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    return page_at(path)


def test_page_is_read_by_sentence(read: Any) -> None:
    """Paragraphs, items and rows; no headings, code or footnotes."""
    sentences = read.sentences
    assert [
        (3, ("a",), True),
        (3, (), False),
        (3, ("b", "c"), True),
        (5, ("a",), True),
        (6, (), True),
        (9, (), False),
        (10, (), False),
        (11, ("a",), True),
    ] == [(each.line, each.marks, each.is_normative) for each in sentences]
    assert "It MUST end.[^b][^c]" == sentences[2].text


def test_page_is_read_with_its_footnotes(read: Any) -> None:
    """Ids without the marks of code around them."""
    assert {"a": ("V:wire/one", "T:tests/carry/test_wire.py::test_x"), "b": ("V:wire/two",)} == read.footnotes


# ---- the check that what is cited ran

CHECK = ("tests/whole_run.py", "tests/conformance/conftest.py")
# What a run needs none of, and takes long to load.
PLUGINS = [part for name in ("hypothesispytest", "anyio", "pennon", "timeout") for part in ("-p", f"no:{name}")]


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite of three files under this folder's conftest, whose page cites a test and a vector."""
    pytester.makeini("[pytest]\ntestpaths = tests\naddopts = --import-mode=importlib")
    files = {
        **{name: (ROOT / name).read_text(encoding="utf-8") for name in CHECK},
        "docs/reference/carrying.md": "[^a]: `T:tests/carry/test_a.py::test_a`\n",
        "docs/reference/wire.md": "[^a]: `V:wire/one`\n",
        "tests/conformance/test_wire.py": """
            import pytest
            @pytest.mark.parametrize("case", ["one", "two"])
            def test_wire(case): pass
            """,
        "tests/carry/test_a.py": "def test_a(): pass\ndef test_b(): pass\n",
        "tests/zoo/test_z.py": "def test_z(): pass\n",
    }
    for name, text in files.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return pytester


def _run(suite: pytest.Pytester, *args: str) -> tuple[int, list[str]]:
    # A process of its own: modules of these names are loaded here.
    result = suite.runpytest_subprocess("-p", "no:cacheprovider", *PLUGINS, *args)
    return result.ret, [line for line in result.outlines if line.startswith("a reference page cites")]


def _rewrite(suite: pytest.Pytester, name: str, text: str) -> None:
    (suite.path / name).write_text(dedent(text), encoding="utf-8")


def test_whole_run_in_which_all_that_is_cited_passed_is_well(suite: pytest.Pytester) -> None:
    """Test by name, vector by the parameter of its runner."""
    assert (0, []) == _run(suite)


@pytest.mark.parametrize("args", [("tests",), (".",), ("tests", "tests/conformance/test_wire.py::test_wire"), ("-v",)])
def test_whole_run_is_one_however_it_is_asked_for(suite: pytest.Pytester, args: tuple[str, ...]) -> None:
    """All folders, whatever else; a file without tests does not make it a part."""
    _rewrite(suite, "tests/zoo/test_z.py", "")
    _rewrite(suite, "tests/carry/test_a.py", "def test_b(): pass")
    assert 1 == len(_run(suite, *args)[1])


@pytest.mark.parametrize(
    "body",
    [
        "def test_b(): pass",
        "import pytest\ndef test_a(): pytest.skip('no')",
        "import pytest\n@pytest.mark.xfail\ndef test_a(): assert 0",
        "import pytest\n@pytest.mark.skip\ndef test_a(): pass",
    ],
)
def test_whole_run_without_a_cited_test_fails(suite: pytest.Pytester, body: str) -> None:
    """Gone, skipped or expected to fail: it did not pass."""
    _rewrite(suite, "tests/carry/test_a.py", body)
    missing = "a reference page cites T:tests/carry/test_a.py::test_a, and no test of that passed"
    assert (1, [missing]) == _run(suite)


def test_whole_run_without_a_cited_vector_fails(suite: pytest.Pytester) -> None:
    """A vector of the same id in another file's runner is not it."""
    runner = suite.path / "tests/conformance/test_wire.py"
    _rewrite(suite, "tests/zoo/test_z.py", runner.read_text(encoding="utf-8"))
    _rewrite(suite, "tests/conformance/test_wire.py", "def test_wire(): pass")
    assert (1, ["a reference page cites V:wire/one, and no test of that passed"]) == _run(suite)


def test_vector_is_known_by_its_name_with_hyphens(suite: pytest.Pytester) -> None:
    """Files whose vectors have names in words are cited too."""
    _rewrite(suite, "docs/reference/wire.md", "[^a]: `V:wire/one-by-one`\n")
    runner = (suite.path / "tests/conformance/test_wire.py").read_text(encoding="utf-8")
    _rewrite(suite, "tests/conformance/test_wire.py", runner.replace('"one"', '"one by one"'))
    assert (0, []) == _run(suite)


@pytest.mark.parametrize(
    "args",
    [
        ("tests/conformance",),
        ("tests/conformance/test_wire.py::test_wire[two]",),
        ("-k", "two"),
        ("-m", "not slow"),
        ("--ignore", "tests/carry"),
        ("--ignore-glob", "*/test_a.py"),
        ("--deselect", "tests/carry/test_a.py::test_a"),
        ("--collect-only",),
        ("tests/carry/test_a.py::test_b", "tests/conformance", "tests/zoo"),
    ],
)
def test_run_of_a_part_is_not_told_about_the_rest(suite: pytest.Pytester, args: tuple[str, ...]) -> None:
    """However it was narrowed."""
    _rewrite(
        suite,
        "tests/carry/test_a.py",
        "import pytest\n@pytest.mark.slow\ndef test_a(): pytest.skip('no')\ndef test_b(): pass",
    )
    assert (0, []) == _run(suite, "-W", "ignore", *args)


def test_run_that_ends_at_the_first_failure_is_not_told_about_the_rest(suite: pytest.Pytester) -> None:
    """It has said enough."""
    _rewrite(suite, "tests/carry/test_a.py", "def test_0(): assert 0\ndef test_a(): pass")
    assert (1, []) == _run(suite, "-x")


def test_run_of_the_last_failures_is_not_told_about_the_rest(suite: pytest.Pytester) -> None:
    """Also where every file had one: `--lf` deselects nothing."""
    for name in ("carry/test_a", "conformance/test_wire", "zoo/test_z"):
        _rewrite(suite, f"tests/{name}.py", "def test_0(): assert 0\ndef test_1(): pass")
    suite.runpytest_subprocess(*PLUGINS)
    result = suite.runpytest_subprocess(*PLUGINS, "--lf")
    assert "a reference page" not in result.stdout.str()
