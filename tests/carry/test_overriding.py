"""Claims of overrides; why one is refused is vectors (tests/conformance/test_override.py)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.carry import OVERRIDE_LIMIT_S, OverrideClaims, jwt_claims_of, override_claims_of

TIMES = st.integers(0, 2**40)
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
claims_of_any = st.builds(
    OverrideClaims,
    st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True),
    words,
    st.integers(0, 2**40 - 1),
    words,
    words,
    words,
    words,
    TIMES,
    TIMES,
    TIMES,
).filter(lambda claims: claims.from_s < max(claims.until_s, 1))
GOOD = jwt_claims_of(OverrideClaims("id", "key", 1, "checkout", "on", "user", "7", 1, 2))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "key"]), inner),
    max_leaves=6,
)


@given(claims_of_any)
def test_claims_come_back_as_they_went(claims: OverrideClaims) -> None:
    """Through a token's JSON; the key's id is what the verifier says, not the token."""
    payload = json.loads(json.dumps(jwt_claims_of(claims)))
    assert claims == override_claims_of(payload, key_id=claims.key_id)
    assert "other" == getattr(override_claims_of(payload | {"kid": claims.key_id}, key_id="other"), "key_id", None)


@given(st.sampled_from([*GOOD, "nbf", "unknown"]), json_values)
def test_claims_of_another_shape_are_none_or_whole(name: str, value: Any) -> None:
    """What somebody signed for another purpose raises nothing and is no override."""
    claims = override_claims_of(GOOD | {name: value}, key_id="key")
    whole = {key: said for key, said in (GOOD | {name: value}).items() if key in GOOD or (key == "nbf" and said)}
    assert claims is None or jwt_claims_of(claims) == whole


@pytest.mark.parametrize("missing", GOOD)
def test_claims_lack_nothing(missing: str) -> None:
    """Each is needed."""
    assert override_claims_of({key: value for key, value in GOOD.items() if key != missing}, key_id="key") is None


AUDIENCES = ["0102030405 ", "102030405", "010203040G", "0x02030405", "01_2030405", "٠١٢٣٤٥٦٧٨٩", ["0102030405"]]


@pytest.mark.parametrize("audience", AUDIENCES)
def test_claims_are_for_one_environment(audience: object) -> None:
    """Ten lower-case hex digits: whatever else Python reads as a number is none."""
    assert override_claims_of(GOOD | {"aud": audience}, key_id="key") is None


def test_override_holds_for_a_week_at_most() -> None:
    """The page's number."""
    assert 604_800 == OVERRIDE_LIMIT_S
