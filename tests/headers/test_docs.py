"""The reference page says what the code does."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from pennon.headers import BaggagePolicy, Budgets, Contract, DropReason, Field, std, std_http
from pennon.headers.deadline import DeadlineForm, DeadlinePolicy
from pennon.headers.proxies import ForwardedSource, TrustedProxies
from pennon.headers.report import Limit

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (REFERENCE / "headers.md").read_text(encoding="utf-8")
FIELDS = (REFERENCE / "fields.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", DropReason)
def test_page_names_every_reason_for_a_drop(reason: DropReason) -> None:
    """Who finds a cause in a metric finds it here."""
    assert f"`{reason.value}`" in PAGE


@pytest.mark.parametrize("limit", Limit)
def test_page_names_every_limit_that_may_be_observed(limit: Limit) -> None:
    """By what it is counted."""
    assert f"| `{limit.value}` |" in PAGE


def test_page_shows_code_that_runs() -> None:
    """The contract of the first example builds, and takes the field of the second."""
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    declared = names["TENANT"]

    assert isinstance(names["CONTRACT"], Contract)
    assert isinstance(declared, Field)
    assert (declared,) == Contract("c", version="1", owner="t", fields=[declared]).fields


def test_page_shows_every_built_in_field_as_it_is() -> None:
    """One row each, in order: first those that contracts work with, then everyday ones, with their source."""
    own = [each for each in std.ALL if each not in std_http.ALL]
    said = [(each.category, each.trust, each.scope, each.propagate, each.log, each.classification) for each in own]
    everyday = [(each.category, each.direction, each.log, each.classification, each.source) for each in std_http.ALL]

    assert _rows(own, said) in FIELDS
    assert _rows(std_http.ALL, everyday) in FIELDS


def test_page_states_the_defaults_of_deadlines_and_proxies() -> None:
    """The numbers in the text are those in the code."""
    policy = DeadlinePolicy(accept=(), cap_s=1)

    assert f"`floor_s={policy.floor_s}`" in PAGE
    assert f"`margin_s={policy.margin_s}`" in PAGE
    assert f"`max_skew_s={policy.max_skew_s}`" in PAGE
    assert f"At most {TrustedProxies(['::1'], reads=tuple(ForwardedSource)).max_elements} elements" in PAGE
    assert all(f"| `{form}` |" in PAGE for form in DeadlineForm)


def test_page_states_the_limits_that_hold() -> None:
    """The defaults in the table are the defaults in the code."""
    budgets, policy = Budgets(), BaggagePolicy()
    stated = {name: int(value) for name, value in re.findall(r"`(\w+)=(\d+)`", PAGE)}

    assert stated["total_count"] == budgets.total_count
    assert stated["total_bytes"] == budgets.total_bytes
    assert stated["wire_max_bytes"] == policy.wire_max_bytes
    assert stated["max_bytes"] == policy.max_bytes
    assert stated["max_members"] == policy.max_members


def _rows(fields: Iterable[Field], said: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| `{each.name}` | {' | '.join(words)} |" for each, words in zip(fields, said, strict=True))
