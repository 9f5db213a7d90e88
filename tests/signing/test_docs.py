"""The page on identity says what the code does."""

import inspect
import re
from pathlib import Path

import pytest

from pennon.headers.signed import ContextFault
from pennon.signing import ContextSigner, SignedContext, SigningFault

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "identity.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("cause", [*ContextFault, *SigningFault])
def test_page_names_every_cause_of_disbelief(cause: ContextFault | SigningFault) -> None:
    """Who finds it in a metric finds it here."""
    assert f"\n| `{cause.value}` |" in PAGE


def test_page_shows_code_that_runs() -> None:
    """Both examples, as they stand."""
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, {})


def test_page_states_the_defaults() -> None:
    """The numbers in the table are those in the code."""
    stated = dict(re.findall(r"\| `(\w+)` \| (\d+) \|", PAGE))
    named = {**inspect.signature(ContextSigner).parameters, **inspect.signature(SignedContext).parameters}
    assert {name: float(value) for name, value in stated.items()} == {name: named[name].default for name in stated}
    assert {"lifetime_s", "max_age_s", "record_max_age_s", "leeway_s"} == stated.keys()
