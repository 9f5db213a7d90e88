"""Structured fields: what goes in comes out, and what is malformed is told, not raised."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.headers.report import DropReason
from pennon.headers.structured import (
    QuotaLeft,
    QuotaPolicy,
    format_deprecation,
    format_idempotency_key,
    format_ratelimit,
    format_ratelimit_policy,
    parse_deprecation,
    parse_idempotency_key,
    parse_ratelimit,
    parse_ratelimit_policy,
)

Case = dict[str, Any]
Parse = Callable[[Sequence[bytes]], Any]

printable = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
names = st.text(printable, max_size=12)
naturals = st.integers(0, 10**15 - 1)
partitions = st.none() | st.binary(max_size=8)
policies = st.builds(QuotaPolicy, names, naturals, st.none() | naturals, st.sampled_from(["requests", "b"]), partitions)
lefts = st.builds(QuotaLeft, names, naturals, st.none() | naturals, partitions)
pieces = st.sampled_from(
    ['"a"', '"', ";q=1", ";r", ",", "@1", "(", ")", ":AA==:", "?1", "%", "\\", "a", " ", "1.5", "-"]
)
values = st.one_of(st.binary(max_size=40), st.lists(pieces, max_size=20).map("".join).map(str.encode))


def hexed(partition: bytes | None) -> str | None:
    """As the vectors write it."""
    return None if partition is None else partition.hex()


def told(parsed: Any) -> Any:
    """What was parsed, as the vectors write it."""
    if isinstance(parsed, tuple):
        return [
            [each.name, each.quota, each.window_s, each.unit, hexed(each.partition)]
            if isinstance(each, QuotaPolicy)
            else [each.name, each.remaining, each.reset_s, hexed(each.partition)]
            for each in parsed
        ]
    return parsed


@pytest.mark.parametrize(
    ("part", "parse", "key"),
    [
        ("idempotency_key", parse_idempotency_key, "key"),
        ("deprecation", parse_deprecation, "at_s"),
        ("ratelimit_policy", parse_ratelimit_policy, "members"),
        ("ratelimit", parse_ratelimit, "members"),
    ],
)
def test_field_is_read_as_the_vector_says(
    part: str, parse: Parse, key: str, vectors: Callable[[str, str], list[Case]]
) -> None:
    """Its value, or why it has none."""
    for case in vectors("structured.json", part):
        parsed = parse([value.encode("latin-1") for value in case["values"]])

        assert (key not in case) is isinstance(parsed, DropReason), (case, parsed)
        assert case.get(key, case.get("fault")) == told(parsed), case


def test_idempotency_key_is_written_as_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """Always in quotes."""
    for case in vectors("structured.json", "idempotency_key_format"):
        assert case["value"].encode() == format_idempotency_key(case["key"]), case


@given(st.text(printable, min_size=1, max_size=60))
def test_idempotency_key_written_and_read_is_the_same(key: str) -> None:
    """parse∘format is the identity on printable ASCII."""
    assert key == parse_idempotency_key([format_idempotency_key(key)])


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_deprecation_written_and_read_is_the_same(at_s: int) -> None:
    """parse∘format is the identity on the years 1 to 9999."""
    assert at_s == parse_deprecation([format_deprecation(at_s)])


@given(st.lists(policies, max_size=2))
def test_policies_written_and_read_are_the_same(given_policies: list[QuotaPolicy]) -> None:
    """parse∘format is the identity."""
    assert tuple(given_policies) == parse_ratelimit_policy([format_ratelimit_policy(given_policies)])


@given(st.lists(lefts, max_size=3))
def test_what_is_left_written_and_read_is_the_same(given_lefts: list[QuotaLeft]) -> None:
    """parse∘format is the identity."""
    assert tuple(given_lefts) == parse_ratelimit([format_ratelimit(given_lefts)])


@given(st.lists(values, min_size=1, max_size=3))
def test_no_bytes_raise(lines: list[bytes]) -> None:
    """Whatever stands there: a value or a reason."""
    for parse in (parse_idempotency_key, parse_deprecation, parse_ratelimit_policy, parse_ratelimit):
        parsed: object = parse(lines)
        assert isinstance(parsed, str | int | tuple)


@pytest.mark.parametrize("key", ["", "é", "a\nb", "\x7f"])
def test_key_that_cannot_be_written_is_refused(key: str) -> None:
    """A caller's mistake does not become a header."""
    with pytest.raises(ValueError, match="idempotency key: "):
        format_idempotency_key(key)


def test_date_and_quota_that_cannot_be_written_are_refused() -> None:
    """Neither a year that no reader has, nor a name that no String holds, nor sixteen digits."""
    with pytest.raises(ValueError, match="deprecation: "):
        format_deprecation(253_402_300_800)
    for policy in (QuotaPolicy("é", 1), QuotaPolicy("a", 10**15)):
        with pytest.raises(ValueError, match=r"out of Integer range|disallowed characters"):
            format_ratelimit_policy([policy])


def test_importing_the_room_does_not_import_http_sf() -> None:
    """Who needs no structured field does not wait for its parser."""
    code = "import sys, pennon.headers, pennon.headers.structured; print('http_sf' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout

    assert b"False" == out.strip()
