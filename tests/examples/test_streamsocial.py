"""What StreamSocial declares and what its page says of it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from pennon.cli.main import cli

FOLDER = Path(__file__).parents[2] / "examples" / "streamsocial"
DECLARED = f"{FOLDER / 'contract.py'}:documented"


@pytest.mark.req(99)
def test_page_holds_the_document_of_the_contract() -> None:
    """Whoever changes the contract writes the page anew: the command for it stands there."""
    checked = CliRunner().invoke(cli, ["contract", "doc", DECLARED, "--check", str(FOLDER / "README.md")])

    assert 0 == checked.exit_code, checked.output


def test_contract_has_nothing_that_a_review_would_find() -> None:
    """No habit by which headers go wrong; what only an application or its tests can show is not asked here."""
    reviewed = CliRunner().invoke(cli, ["contract", "check", DECLARED])

    assert "2 of 14 answers are no, 0 findings" in reviewed.output


@pytest.mark.req(33)
def test_nothing_is_lost_under_the_contract() -> None:
    """Through every door, to every service and topic."""
    probed = CliRunner().invoke(cli, ["doctor", "propagation", DECLARED])

    assert 0 == probed.exit_code, probed.output
