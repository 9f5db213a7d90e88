"""The reference page says what the kit has."""

from pathlib import Path

import pytest

import pennon.testing.headers
from pennon.headers import Contract, mesh
from pennon.testing.headers import Needs, cases_of

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "testing.md").read_text(encoding="utf-8")


def test_page_names_everything_that_is_public() -> None:
    """Each name of the package, and where one must look."""
    assert [] == [name for name in pennon.testing.headers.__all__ if name not in PAGE and name != "UNDECLARED"]
    assert '`spy["undeclared"]`' in PAGE
    assert all(f"| `{needs.name}` |" in PAGE for needs in Needs)


def test_page_names_every_habit_and_every_part(contract: Contract, boundaries: dict[str, object]) -> None:
    """Whoever finds a case's id in a failure finds it here."""
    cases = cases_of(contract, mesh())
    habits = {case.id for case in cases if case.field == "rule"}
    own = {each.name for each in contract.fields}

    assert habits
    assert [] == sorted(each for each in habits if f"| `{each}` |" not in PAGE)
    assert [] == sorted({case.field for case in cases if case.field not in own and f"`{case.field}" not in PAGE})
    assert [] == sorted({case.rule for case in cases if case.field in own and f"/{case.rule}" not in PAGE})


@pytest.mark.req(126)
def test_first_example_of_the_page_runs(header_contract_suite: object) -> None:
    """As it stands: a reader copies it."""
    source = PAGE.split("```python\n", 2)[1].split("```", 1)[0]
    space: dict[str, object] = {}
    exec(compile(source, "testing.md", "exec"), space)

    space["test_contract"](header_contract_suite)  # type: ignore[operator]
    spy_source = PAGE.split("```python\n", 2)[2].split("```", 1)[0]
    exec(compile(spy_source, "testing.md", "exec"), space)
    space["test_payments_gets_a_trace"](pennon.testing.headers.DownstreamSpy())  # type: ignore[operator]
