"""Values made of a syntax: those that match do, those that do not do not, and the lengths are exact."""

import re

import pytest

from pennon.headers import std
from pennon.testing.headers.samples import longest, near_misses, stretched, too_long, values_of

SYNTAXES = {each.name: (each.syntax, each.max_length) for each in std.ALL} | {
    "range": ("[a-z0-9-]+", 16),
    "branches": ("free|paid|regulated", 16),
    "counted": ("case_[A-Z]{2}[0-9]{1,3}", 16),
    "lazy": ("(?:ab)+?c?", 16),
    "negated": ("[^ab,]{2,}", 8),
    "categories": (r"\d\w\S", 8),
    "ahead": ("(?=a)[a-c]+", 8),
}


@pytest.mark.parametrize("name", SYNTAXES)
def test_sample_is_what_it_is_said_to_be(name: str) -> None:
    """Of every built-in field's syntax, and of whatever else an expression may hold."""
    syntax, max_length = SYNTAXES[name]
    pattern = re.compile(syntax)
    values, most, over = values_of(syntax, max_length), longest(syntax, max_length), too_long(syntax, max_length)

    assert values
    assert all(pattern.fullmatch(each) and 0 < len(each) <= max_length and each == each.strip() for each in values)
    assert most is not None
    assert pattern.fullmatch(most)
    assert max(map(len, values)) <= len(most) <= max_length
    assert over is None or (pattern.fullmatch(over) and max_length + 1 == len(over))
    misses = near_misses(syntax, max_length)
    assert not any(pattern.fullmatch(each) or len(each) > max_length for each in misses)


@pytest.mark.parametrize(
    ("syntax", "needed"),
    [("[a-z]+", "az"), ("[a-zA-Z0-9]+", "azAZ09"), ("a|b|c", "abc"), ("x[.]?y", "."), ("[0-9]{2}[a-f]", "9f")],
)
def test_samples_hold_both_ends_of_each_range_and_every_branch(syntax: str, needed: str) -> None:
    """A syntax that was narrowed at one end is found by its samples."""
    assert set(needed) <= set("".join(values_of(syntax, 32)))


@pytest.mark.parametrize(("syntax", "wider"), [("[a-z]+", "[a-z0]+"), ("[a-z]+", "[a-z]+!?"), ("[a-y]{1,4}", "[a-z]+")])
def test_near_misses_find_a_syntax_that_was_widened(syntax: str, wider: str) -> None:
    """By one character that it did not allow."""
    assert any(re.fullmatch(wider, each) for each in near_misses(syntax, 16))


def test_syntax_that_cannot_be_followed_gives_no_value() -> None:
    """A reference to a group: nothing is guessed, and no case is made."""
    assert () == values_of(r"(a|b)\1", 8)
    assert longest(r"(a|b)\1", 8) is None
    assert () == near_misses(r"(a|b)\1", 8)


def test_value_is_stretched_where_its_syntax_allows() -> None:
    """In the middle as well as at its end; not at all where it does not."""
    assert "desk-0000" == stretched("desk-[0-9]+", "desk-0", 9)
    assert "aaab" == stretched("a+b", "ab", 4)
    assert stretched("ab", "ab", 4) is None
    assert stretched("[a-z]+", "abc", 2) is None
