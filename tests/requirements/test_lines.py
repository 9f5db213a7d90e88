"""The check that every line of the list is shown, held to its own rules."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parents[2]
CHECK = ("tests/whole_run.py", "tests/requirements/conftest.py")
# What a run needs none of, and takes long to load.
PLUGINS = [part for name in ("hypothesispytest", "anyio", "pennon", "timeout") for part in ("-p", f"no:{name}")]


def test_list_is_whole(lines: Mapping[int, str]) -> None:
    """Every line but those of the control plane, in order, each with a text."""
    assert [*range(1, 44), *range(58, 77), *range(86, 127)] == list(lines)
    assert all(lines.values())


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite under this folder's check, with two lines, each of which a test shows."""
    pytester.makeini("[pytest]\ntestpaths = tests\naddopts = --import-mode=importlib\nmarkers = req: shows lines")
    files = {name: (ROOT / name).read_text(encoding="utf-8") for name in CHECK} | {
        "tests/requirements/lines.toml": '[a]\n7 = "seven holds"\n[b]\n41 = "so does the rest"\n',
        "tests/http/test_a.py": """
            import pytest
            @pytest.mark.req(7)
            def test_a(): pass
            """,
        "tests/zoo/test_z.py": """
            import pytest
            @pytest.mark.parametrize("case", [1, pytest.param(2, marks=pytest.mark.req(41))])
            def test_z(case): pass
            """,
        # Without a test of its own a folder's conftest is not read.
        "tests/requirements/test_one.py": "def test_one(): pass",
    }
    for name, text in files.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return pytester


def _run(suite: pytest.Pytester, *args: str) -> tuple[int, list[str]]:
    # A process of its own: modules of these names are loaded here.
    result = suite.runpytest_subprocess("-p", "no:cacheprovider", *PLUGINS, *args)
    return result.ret, [line for line in result.outlines if "shows line" in line]


def _rewrite(suite: pytest.Pytester, found: str, written: str) -> None:
    path = suite.path / "tests/http/test_a.py"
    text = path.read_text(encoding="utf-8")
    assert found in text
    path.write_text(text.replace(found, written), encoding="utf-8")


def test_whole_run_that_shows_every_line_is_well(suite: pytest.Pytester) -> None:
    """By a mark on a test, or on one of its cases."""
    assert (0, []) == _run(suite)


@pytest.mark.parametrize(
    ("found", "written"),
    [
        ("@pytest.mark.req(7)\n", ""),
        ("req(7)", "req(41)"),
        ("pass", "pytest.skip('no')"),
        ("def test_a(): pass", "@pytest.mark.xfail\ndef test_a(): assert 0"),
        ("pass", "assert 0"),
    ],
)
def test_whole_run_that_shows_a_line_less_fails(suite: pytest.Pytester, found: str, written: str) -> None:
    """No mark, another's, skipped, expected to fail, failed: the line is named."""
    _rewrite(suite, found, written)
    assert (1, ["no test that passed shows line 7: seven holds"]) == _run(suite, "-W", "ignore")


def test_mark_of_a_line_that_is_not_listed_is_an_error(suite: pytest.Pytester) -> None:
    """A slip of the pen would count for nothing, in silence."""
    _rewrite(suite, "req(7)", "req(7, 77)")
    assert (pytest.ExitCode.USAGE_ERROR, []) == _run(suite)


def test_run_of_a_part_is_not_told_about_the_rest(suite: pytest.Pytester) -> None:
    """However many lines it leaves open."""
    assert (0, []) == _run(suite, "tests/requirements")
    assert (0, []) == _run(suite, "-k", "test_one")
