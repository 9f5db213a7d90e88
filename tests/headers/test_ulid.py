"""ULIDs and the comparison of request ids."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.headers.ids import is_same_request_id, new_correlation_id, parse_id
from pennon.headers.ulid import Ulid, new_ulid, parse_ulid

Case = dict[str, Any]
times_ms = st.integers(0, (1 << 48) - 1)
entropies = st.binary(min_size=10, max_size=10)


def test_ulid_is_read_as_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """26 characters of Crockford's base 32, and nothing that only looks like them."""
    for case in vectors("ulid.json", "parse"):
        expected = None if case["made_ms"] is None else Ulid(case["made_ms"], bytes.fromhex(case["entropy"]))

        assert expected == parse_ulid(case["value"].encode("latin-1")), case


def test_ulid_is_made_as_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """Time first, cut to milliseconds, then the entropy."""
    for case in vectors("ulid.json", "new"):
        assert case["ulid"] == new_ulid(case["now_ns"], bytes.fromhex(case["entropy"])), case


@given(times_ms, entropies)
def test_ulid_made_and_read_is_the_same(made_ms: int, entropy: bytes) -> None:
    """parse∘new is the identity on milliseconds, and what is made can be a request id."""
    made = new_ulid(made_ms * 1_000_000, entropy).encode()

    assert Ulid(made_ms, entropy) == parse_ulid(made) == parse_ulid(made.lower())
    assert parse_id(made) is not None


@pytest.mark.req(42)
def test_new_correlation_id_is_a_ulid_with_its_prefix() -> None:
    """Opaque: nothing of the business is in it."""
    made = new_correlation_id(1_469_918_176_385_000_000, bytes.fromhex("d6764c61efb99302bd5b"))

    assert "corr_01ARYZ6S41TSV4RRFFQ69G5FAV" == made == parse_id(made.encode())


@given(times_ms, entropies, times_ms, entropies)
def test_ulids_sort_by_time(left_ms: int, left: bytes, right_ms: int, right: bytes) -> None:
    """Text order is the order of (milliseconds, entropy)."""
    made = [new_ulid(left_ms * 1_000_000, left), new_ulid(right_ms * 1_000_000, right)]

    assert ((left_ms, left) < (right_ms, right)) is (made[0] < made[1])


@given(st.binary(max_size=40))
def test_no_bytes_raise(value: bytes) -> None:
    """What is no ULID is None."""
    assert parse_ulid(value) is None or len(value) == 26


@pytest.mark.parametrize(("now_ns", "entropy"), [(-1, bytes(10)), ((1 << 48) * 1_000_000, bytes(10)), (0, bytes(9))])
def test_ulid_out_of_range_is_not_made(now_ns: int, entropy: bytes) -> None:
    """A caller's mistake is an error, not an id that reads as another time."""
    with pytest.raises(ValueError, match="ulid: "):
        new_ulid(now_ns, entropy)


def test_request_ids_are_compared_as_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """Two spellings of a UUID are one id; Envoy's digit counts unless it is said that it does not."""
    for case in vectors("ulid.json", "same"):
        ignores = case.get("ignores_trace_reason", False)
        left, right = case["left"], case["right"]

        assert case["is_same"] is is_same_request_id(left, right, ignores_trace_reason=ignores), case
        assert case["is_same"] is is_same_request_id(right, left, ignores_trace_reason=ignores), case
