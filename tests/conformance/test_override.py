"""Override tokens against vectors: what a payload claims, and whether that is believed."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pennon.carry import override_claims_of, override_refusal
from pennon.flags import Ruleset, RulesetRecord

DOCUMENT = json.loads((Path(__file__).parent / "vectors" / "carry" / "override.json").read_text(encoding="ascii"))
RULESET = Ruleset.of(msgspec.convert(DOCUMENT["ruleset"], RulesetRecord))


def _by_id(part: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in DOCUMENT[part]]


@pytest.mark.parametrize("case", _by_id("claims"))
def test_claims_are_what_the_vector_says(case: dict[str, Any]) -> None:
    """All of them, or none."""
    claims = override_claims_of(case["payload"], key_id="k1")
    expected = None if case["claims"] is None else case["claims"] | {"key_id": "k1"}
    assert expected == (None if claims is None else msgspec.to_builtins(claims))


@pytest.mark.parametrize("case", _by_id("refusals"))
def test_token_is_believed_where_the_vector_says_so(case: dict[str, Any]) -> None:
    """The first rule that is broken, or none."""
    claims = override_claims_of(case["payload"], key_id=case["key_id"])
    assert claims is not None
    assert case["refusal"] == override_refusal(claims, RULESET, case["now_s"])
