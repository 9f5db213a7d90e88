"""The reference page says what the code does."""

import re
from pathlib import Path

import pytest

from pennon.headers import BaggagePolicy, Contract, DropReason, Field

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "headers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", DropReason)
def test_page_names_every_reason_for_a_drop(reason: DropReason) -> None:
    """Who finds a cause in a metric finds it here."""
    assert f"`{reason.value}`" in PAGE


def test_page_shows_code_that_runs() -> None:
    """The contract of the first example builds, and takes the field of the second."""
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    declared = names["TENANT"]

    assert isinstance(names["CONTRACT"], Contract)
    assert isinstance(declared, Field)
    assert (declared,) == Contract("c", version="1", owner="t", fields=[declared]).fields


def test_page_states_the_limits_that_hold() -> None:
    """The defaults in the table are the defaults in the code."""
    contract, policy = Contract("c", version="1", owner="t"), BaggagePolicy()
    stated = {name: int(value) for name, value in re.findall(r"`(\w+)=(\d+)`", PAGE)}

    assert stated["max_header_count"] == contract.max_header_count
    assert stated["max_header_bytes"] == contract.max_header_bytes
    assert stated["wire_max_bytes"] == policy.wire_max_bytes
    assert stated["max_bytes"] == policy.max_bytes
    assert stated["max_members"] == policy.max_members
