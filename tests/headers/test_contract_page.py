"""docs/reference/contract.md says what the code does."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from pennon.headers import Contract, Downstream
from pennon.headers.documents import marks_of
from pennon.headers.lint import Rule, findings_of
from pennon.headers.naming import name_fault
from pennon.headers.review import Evidence, review_of

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "contract.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def contract() -> Contract:
    """The page's own."""
    return Contract.from_toml(_blocks("toml")[0])


@pytest.mark.req(88)
def test_page_declares_one_contract_in_both_forms(contract: Contract) -> None:
    """Python's and TOML's examples are one value, and the fault is printed as shown."""
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for block in _blocks("python"):
            exec(block, names)

    assert contract == names["CONTRACT"]
    assert _blocks("text") == [printed.getvalue()]


@pytest.mark.req(126)
def test_page_s_service_keeps_its_contract_and_describes_its_headers(header_contract_suite: Any) -> None:
    """Its test passes, and FastAPI's description with the fragment is one."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for block in _blocks("python"):
            exec(block, names)
    description = names["api"].openapi()

    names["test_orders_keeps_its_header_contract"](header_contract_suite)
    validate(description)
    assert {"$ref": "#/components/parameters/x-plan"} in description["paths"]["/mine"]["parameters"]


def test_page_s_contract_is_a_good_example(contract: Contract) -> None:
    """Nothing is to be asked of it, and the shown answer is the one that is given."""
    answers = review_of(contract, Evidence(doors=["a"], tests=["b"]))

    assert () == findings_of(contract)
    assert {"passed", "not declared"} == {each.outcome.value for each in answers}
    assert f"{answers[0].question}\n        {answers[0].evidence}\n" in PAGE
    assert all(mark in PAGE for mark in marks_of(contract))


@pytest.mark.parametrize("rule", Rule)
def test_page_explains_every_rule(rule: Rule) -> None:
    """Who is asked finds here what is meant."""
    assert f"`{rule.value}`" in PAGE


def test_page_names_every_setting_of_a_downstream() -> None:
    """In its own table."""
    settings = set(Downstream.__dataclass_fields__) - {"name", "host", "topic"}

    assert set() == {name for name in settings if f"`{name}`" not in PAGE}


def test_page_s_look_alikes_are_refused_with_what_it_names() -> None:
    """Row by row: each name on the left is refused, and sent to one on the right."""
    rows = re.findall(r"^\| (`[^|]+`) \| (`std\.[^|]+) \|$", PAGE, re.MULTILINE)
    told = [
        (name, re.findall(r"`(std\.\w+)`", uses)) for names, uses in rows for name in re.findall(r"`([^`]+)`", names)
    ]

    assert len(told) > 20
    assert all((name_fault(name) or "").endswith(tuple(f"use {use}" for use in uses)) for name, uses in told)
