"""Versions: SemVer 2.0.0's own lists, and precedence."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pennon.flags import version_key_of

NUMBERS = st.tuples(*[st.integers(0, 10**30)] * 3)


def key_of(text: str) -> tuple[Any, ...]:
    """The key of what must be a version."""
    key = version_key_of(text)
    assert key is not None, text
    return key


def test_version_key_of_takes_exactly_the_vectors_versions(vectors: Callable[[str], dict[str, Any]]) -> None:
    """Every valid version has a key, no invalid one has."""
    semver = vectors("semver")
    assert [] == [text for text in semver["valid"] if version_key_of(text) is None]
    assert [] == [text for text in semver["invalid"] if version_key_of(text) is not None]


def test_version_key_of_orders_as_section_11_says(vectors: Callable[[str], dict[str, Any]]) -> None:
    """Each version precedes the next."""
    for lower, higher in pairwise(vectors("semver")["ascending"]):
        assert key_of(lower) < key_of(higher), (lower, higher)


def test_version_key_of_leaves_build_metadata_out(vectors: Callable[[str], dict[str, Any]]) -> None:
    """Versions that differ in build metadata alone are of equal precedence."""
    for one, other in vectors("semver")["equal"]:
        assert key_of(one) == key_of(other)


@given(one=NUMBERS, other=NUMBERS)
def test_version_key_of_compares_numbers_as_numbers(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    """Releases order as their triples do, of any size."""
    texts = [".".join(map(str, numbers)) for numbers in (one, other)]
    assert (one < other) == (key_of(texts[0]) < key_of(texts[1]))


@given(text=st.text(st.characters(exclude_categories=()), max_size=300))
def test_version_key_of_is_total(text: str) -> None:
    """Any text is a version or is not, without an exception."""
    version_key_of(text)


def test_version_key_of_long_numbers_are_no_version() -> None:
    """An attribute of thousands of digits costs nothing and is wrong-typed."""
    assert version_key_of("1." * 2 + "9" * 5_000) is None
