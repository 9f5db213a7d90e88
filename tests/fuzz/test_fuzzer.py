"""The fuzzer finds what is planted: a codec that is wrong in one place is found out, and the input is small."""

import re
from collections.abc import Callable

import pytest
from tests.fuzz.fuzzer import Codec, fuzz

from pennon.headers import parse_baggage, parse_id, parse_traceparent


def _newline_passes(data: bytes) -> None:
    assert parse_id(data) is None or re.match(rb"[\x21-\x7e]{1,128}$", data), "not an id"


def _raises(data: bytes) -> None:
    parsed = parse_traceparent(data)
    if parsed is not None and parsed.flags == 2:
        raise KeyError("flags")


def _runs_away(data: bytes) -> None:
    re.fullmatch(rb"(a+)+c", data)


def _does_more_than_it_should(data: bytes) -> None:
    for _ in range(len(data)):
        parse_baggage([data])


@pytest.mark.parametrize(
    ("check", "seed", "found", "how"),
    [
        (_newline_passes, b"req_1", rb".* .*|.*\t.*", "AssertionError"),
        (_raises, b"00-12345678901234567890123456789012-1234567890123456-01", rb".{52}-.[26ae].*", "KeyError"),
        pytest.param(_runs_away, b"aa", rb"a{15,}.*", "TooDear", marks=pytest.mark.slow),
        (_does_more_than_it_should, b"a=1,b=2", rb".*", "more than 1000 steps"),
    ],
)
def test_fuzz_finds_what_is_planted(check: Callable[[bytes], None], seed: bytes, found: bytes, how: str) -> None:
    """A broken promise, an error, an expression that runs away, work without a bound."""
    finding = fuzz(Codec("planted", (seed,), check, 1_000), seconds=30, seed=1).finding
    assert finding is not None
    assert finding.how.startswith(how)
    assert re.fullmatch(found, finding.data, re.DOTALL)
    assert len(finding.data) < 200


def test_fuzz_goes_on_from_what_reached_new_lines() -> None:
    """From nothing it finds its way to a header that the grammar takes."""
    seen: list[bytes] = []
    outcome = fuzz(
        Codec("id", (b"",), lambda data: seen.append(data) if parse_id(data) else None, 100), seconds=1, seed=1
    )
    assert outcome.finding is None
    assert seen
    assert 0 < len(outcome.corpus) < outcome.runs


def test_fuzz_is_repeated_by_its_seed() -> None:
    """Whoever knows the seed gets the same inputs, until the time is over."""
    first: list[bytes] = []
    second: list[bytes] = []
    fuzz(Codec("id", (b"req_1",), first.append, 100), seconds=0.05, seed=7)
    fuzz(Codec("id", (b"req_1",), second.append, 100), seconds=0.05, seed=7)
    shorter = min(len(first), len(second))
    assert shorter > 3
    assert first[:shorter] == second[:shorter]
