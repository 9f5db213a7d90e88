"""Patterns of business ids: what they may say, what they find, and that finding it is cheap."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.headers.business import business_id_faults, business_id_guard
from pennon.headers.ids import is_id, new_correlation_id, new_request_id

ORDER = "ORD-[0-9]+"
# Each can be declared.
GOOD = (
    *(ORDER, "case[._-]?[0-9]{4,8}", r"\d{4}-\d{4}", "^[0-9]{10}$", "^cust:", "-VIP$", "ORD-[0-9]+|INV-[0-9]+"),
    *(r"[A-Z]{2,3}-\d+", r"iban\.\w+", "ORD.[0-9]{2}"),
)
ids = st.text(st.sampled_from("ORDINVcase0123456789-._:abxyz"), min_size=1, max_size=128)


def holds(patterns: list[str], text: str) -> bool:
    """What the guard says."""
    return re.compile(business_id_guard(patterns)).match(text) is not None


@pytest.mark.req(42)
@pytest.mark.parametrize("pattern", GOOD)
def test_pattern_can_be_declared(pattern: str) -> None:
    """Characters, classes, quantifiers, alternatives, and an id's ends."""
    assert [] == list(business_id_faults([pattern], "/business_ids"))


@pytest.mark.req(42)
@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "",
            7,
            "|",
            "ORD|",
            "^$",
            "(ORD)",
            "(?=a)",
            "[0-9",
            "a**",
            "a++",
            "a+?",
            "a{3,2}",
            "a{,3}",
            r"a\b",
            r"(a+)+b",
        ),
        *("^^a", "a$b", r"\1", "a b", "ü", "[ -~]", "[a[b]", r"[\s]", "ORD-[z-a]"),
        # Found in what we make ourselves.
        *("[0-9]+", "[0-9]{8}", "^req_", "[a-f0-9]{8}", ".", r"\w+", "corr", "[A-Z]{6}", "[^x]", "a.b"),
        # Too many ways to go.
        *("[A-Z]+[0-9]+-[a-z]+!", "[A-Z]*[A-Z]*-[a-z]*", "a{1,99}b{1,99}c{1,99}-"),
    ],
)
def test_pattern_that_cannot_be_searched_is_refused(pattern: Any) -> None:
    """By its place, and what is wrong."""
    [fault] = business_id_faults([ORDER, pattern], "/business_ids")

    assert "/business_ids/1" == fault.path


@pytest.mark.req(42)
def test_list_is_a_list_of_a_few() -> None:
    """One text is a mistake, and more than 16 are a search of their own."""
    assert ["/b"] == [each.path for each in business_id_faults(ORDER, "/b")]
    assert ["/b"] == [each.path for each in business_id_faults([ORDER] * 17, "/b")]
    assert ["/b"] == [each.path for each in business_id_faults(["|".join([ORDER] * 9)] * 2, "/b")]


@pytest.mark.req(42)
@given(st.lists(st.sampled_from(GOOD), min_size=1, max_size=4), ids)
def test_guard_finds_what_searching_would_find(patterns: list[str], text: str) -> None:
    """Each pattern, anywhere in the id, or at its ends where it says so."""
    assert any(re.search(pattern, text) for pattern in patterns) is holds(patterns, text)


@pytest.mark.req(42)
@given(st.sampled_from(GOOD), ids, st.sampled_from(["\n", "\nORD-1", " ", "\x00", "x" * 128]))
def test_guard_finds_nothing_in_what_is_no_id(pattern: str, text: str, more: str) -> None:
    """It may stand among other lines: what follows is another's."""
    whole = text + more
    if not is_id(whole) and not more.startswith("\n"):
        assert not holds([pattern], whole)
    assert holds([pattern], text) is holds([pattern], f"{text}\nORD-1")


@pytest.mark.req(42)
@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**48 - 1))
def test_guard_finds_nothing_in_what_we_make(entropy: bytes, ms: int) -> None:
    """Or a service would refuse its own."""
    made = new_request_id(entropy), new_correlation_id(ms * 1_000_000, entropy[:10])

    assert not any(holds(list(GOOD), each) for each in made)
