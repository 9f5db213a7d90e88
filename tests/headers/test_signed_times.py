"""The times in a signed context: whatever an issuer writes there, judging it raises nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.headers.signed import context_claims_of, context_fault

NOW_S = 1_795_256_100
TIMES = st.integers() | st.integers(1_000, 1_100).map(lambda bits: 1 << bits) | st.sampled_from([NOW_S, 2**53])


@pytest.mark.req(123)
@given(iat=TIMES, exp=TIMES, nbf=TIMES)
def test_no_times_raise(iat: int, exp: int, nbf: int) -> None:
    """JSON has numbers that are no float, and a door must not answer 500 for one."""
    claims = context_claims_of({"iss": "gateway", "aud": "posts", "iat": iat, "exp": exp, "nbf": nbf, "sub": "ada"})
    if claims is not None:
        context_fault(claims, {"posts"}, NOW_S, max_age_s=3_600.0, leeway_s=5.0)


@pytest.mark.req(123)
def test_a_time_beyond_what_every_language_holds_exactly_is_none() -> None:
    """2**53 seconds are 285 million years."""
    said = {"iss": "gateway", "aud": "posts", "iat": NOW_S, "sub": "ada"}
    assert context_claims_of({**said, "exp": 2**53}) is None
    assert context_claims_of({**said, "exp": 2**53 - 1}) is not None
