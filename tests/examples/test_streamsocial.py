"""What StreamSocial declares and what its page says of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pennon.cli.main import cli

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "streamsocial"
DECLARED = f"{FOLDER / 'contract.py'}:documented"
TESTS = "tests/examples/test_headers.py"
APPS = [word for name in ("gateway", "posts", "profiles") for word in ("--app", f"streamsocial.apps:{name}")]


@pytest.mark.req(99)
def test_page_holds_the_document_of_the_contract() -> None:
    """Whoever changes the contract writes the page anew: the command for it stands there."""
    checked = CliRunner().invoke(cli, ["contract", "doc", DECLARED, "--check", str(FOLDER / "README.md")])

    assert 0 == checked.exit_code, checked.output


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pytest wrote of the tests of its headers."""
    written = tmp_path_factory.mktemp("tested") / "headers.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS, f"--junitxml={written}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert 0 == done.returncode, done.stdout
    return written


@pytest.mark.slow
@pytest.mark.req(113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126)
def test_review_finds_no_answer_that_is_no(report: Path) -> None:
    """With the doors of its services and its tests shown, as the page has it."""
    reviewed = CliRunner().invoke(cli, ["contract", "check", DECLARED, *APPS, "--tests", str(report), "--json"])
    answers = {each["number"]: each for each in json.loads(reviewed.stdout)["answers"]}

    assert (0, []) == (reviewed.exit_code, [each for each in answers.values() if each["outcome"] == "failed"])
    assert all(app in answers[116]["evidence"] for app in APPS[1::2])
    assert "test_headers.test_service_keeps_the_contract[gateway]" in answers[126]["evidence"]


def test_page_shows_how_the_review_is_asked_for() -> None:
    """The commands that the test above runs, and their outcome."""
    page = (FOLDER / "README.md").read_text()

    assert f"pytest {TESTS} --junitxml=headers.xml" in page
    assert all(each in page for each in APPS[1::2])
    assert "0 of 14 answers are no, 0 findings" in page


@pytest.mark.req(33)
def test_nothing_is_lost_under_the_contract() -> None:
    """Through every door, to every service and topic."""
    probed = CliRunner().invoke(cli, ["doctor", "propagation", DECLARED])

    assert 0 == probed.exit_code, probed.output
