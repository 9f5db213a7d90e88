"""The API's page is held to the routes."""

from pathlib import Path
from typing import Any

import pytest

from pennon.web import problem

PAGE = Path(__file__).parents[2] / "docs/reference/api.md"
SHORT = {"{project}": "{p}", "{environment}": "{e}", "{flag}": "{f}", "{segment}": "{s}"}


def test_every_route_is_on_the_page(plane: Any) -> None:
    """A new route needs its line."""
    page = PAGE.read_text(encoding="utf-8")
    missing = []
    for path in plane.admin.get("/openapi.json").json()["paths"]:
        short = path
        for name, letter in SHORT.items():
            short = short.replace(name, letter)
        if short not in page:
            missing.append(short)
    assert [] == missing


@pytest.mark.parametrize("status", sorted(problem._STATUSES))
def test_every_status_of_a_problem_is_on_the_page(status: int) -> None:
    """With its code."""
    code = problem._STATUSES[status][0]
    assert f"| {status} | `{code}` |" in PAGE.read_text(encoding="utf-8")
