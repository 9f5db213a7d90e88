"""What a break-glass token claims, to its payload and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.sync import BreakGlassClaims, break_glass_claims_of, jwt_claims_of

TIMES = st.integers(0, 2**40)
CLAIMS = st.builds(
    BreakGlassClaims,
    id=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    key_id=st.text(min_size=1, max_size=16),
    environment=st.integers(0, 2**40 - 1),
    flag=st.text(min_size=1, max_size=20),
    issued_s=TIMES,
    until_s=TIMES,
    reason=st.text(max_size=20),
    from_s=TIMES,
).filter(lambda claims: claims.from_s < max(claims.until_s, 1))
GOOD: dict[str, Any] = {"jti": "8c1f", "aud": "1122334455", "iat": 1, "exp": 2, "flag": "checkout"}


@given(claims=CLAIMS)
def test_claims_come_back_as_they_went(claims: BreakGlassClaims) -> None:
    """Names are RFC 7519's, the environment ten hex digits, the key's id in the header; what is unknown is no harm."""
    payload = jwt_claims_of(claims)
    assert claims == break_glass_claims_of(payload | {"later": 1}, key_id=claims.key_id)


def test_claims_are_spelled_so() -> None:
    """Other implementations sign them, too."""
    claims = BreakGlassClaims("8c1f", "key", 0x1122334455, "checkout", 1, 2)
    assert GOOD == jwt_claims_of(claims)
    assert claims == break_glass_claims_of(GOOD, key_id="key")


@pytest.mark.parametrize(
    "wrong",
    [
        {"jti": ""},
        {"jti": "a/b"},
        {"jti": "a\n"},
        {"jti": "a" * 65},
        {"aud": "112233445"},
        {"aud": "11223344AA"},
        {"aud": ["1122334455"]},
        {"iat": -1},
        {"exp": 2.5},
        {"exp": True},
        {"nbf": -1},
        {"nbf": 0.5},
        {"nbf": "1"},
        {"nbf": True},
        {"nbf": None},
        {"nbf": 2},
        {"nbf": 0, "exp": 0},
        {"flag": ""},
        {"flag": 7},
        {"reason": None},
    ],
)
def test_claims_of_another_shape_are_none(wrong: dict[str, Any]) -> None:
    """An id names a file; an audience names one environment in one spelling."""
    assert break_glass_claims_of(GOOD | wrong, key_id="key") is None
    missing = {name: value for name, value in GOOD.items() if name not in wrong}
    assert {"reason", "nbf"} & wrong.keys() or break_glass_claims_of(missing, key_id="key") is None


@pytest.mark.parametrize("from_s", [0, 1])
def test_claims_may_say_from_when_on_they_count(from_s: int) -> None:
    """RFC 7519 §4.1.5, before they end; who says nothing of it says nothing wrong, whenever they end."""
    counting = break_glass_claims_of(GOOD | {"nbf": from_s}, key_id="key")
    silent = break_glass_claims_of(GOOD | {"exp": 0}, key_id="key")
    assert (from_s, 0) == (getattr(counting, "from_s", None), getattr(silent, "from_s", None))
