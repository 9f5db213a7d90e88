"""The pages on identity and on tokens say what the code does."""

import inspect
import re
from pathlib import Path

import pytest

from pennon.headers.signed import ContextFault
from pennon.signing import (
    CONTEXT_TYPE,
    KILL_TYPE,
    OVERRIDE_TYPE,
    TOKEN_LIMIT_BYTES,
    ContextSigner,
    SignedContext,
    SignerFault,
    SigningFault,
)
from pennon.signing.tokens import ALGORITHM
from pennon.signing.verifier import REMEMBERED_LIMIT_COUNT

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (REFERENCE / "identity.md").read_text(encoding="utf-8")
TOKENS = (REFERENCE / "signing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("cause", [*ContextFault, *SigningFault])
def test_page_names_every_cause_of_disbelief(cause: ContextFault | SigningFault) -> None:
    """Who finds it in a metric finds it here."""
    assert f"\n| `{cause.value}` |" in PAGE


@pytest.mark.parametrize("page", [PAGE, TOKENS], ids=["identity", "signing"])
def test_page_shows_code_that_runs(page: str) -> None:
    """Each example, as it stands."""
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})


def test_page_states_the_defaults() -> None:
    """The numbers in the table are those in the code."""
    stated = dict(re.findall(r"\| `(\w+)` \| (\d+) \|", PAGE))
    named = {**inspect.signature(ContextSigner).parameters, **inspect.signature(SignedContext).parameters}
    assert {name: float(value) for name, value in stated.items()} == {name: named[name].default for name in stated}
    assert {"lifetime_s", "max_age_s", "record_max_age_s", "leeway_s"} == stated.keys()


def test_page_of_tokens_states_what_is_believed() -> None:
    """The one algorithm, the kinds, the limits, and why a door sends no token."""
    assert f"`alg` is `{ALGORITHM}` (RFC 9864)" in TOKENS
    assert all(f"`{typ}`" in TOKENS for typ in (OVERRIDE_TYPE, KILL_TYPE, CONTEXT_TYPE))
    assert f"{TOKEN_LIMIT_BYTES:,} bytes at most" in re.sub(r"\s+", " ", TOKENS)
    assert f"{REMEMBERED_LIMIT_COUNT:,} texts are remembered" in TOKENS
    assert all(f"\n| `{cause.value}` |" in TOKENS for cause in SignerFault)
