"""Splits: the vectors, and what an author may rely on when ramping."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.context import Answer, Origin
from pennon.flags import (
    BUCKETS,
    Delete,
    FlagRecord,
    FlagType,
    Put,
    Ruleset,
    ServeRecord,
    SplitRecord,
    VariantRecord,
    bucket_of,
    ranges_of,
)
from pennon.flags.split import Range

ARMS = ("a", "b", "c", "d")
COVERAGE = st.integers(0, BUCKETS)
UNITS = tuple(f"user-{number}" for number in range(200))


@st.composite
def weights_of(draw: st.DrawFn) -> tuple[tuple[str, int], ...]:
    """Weights that sum to 100,000."""
    cuts = sorted(draw(st.lists(COVERAGE, min_size=0, max_size=3)))
    edges = [0, *cuts, BUCKETS]
    return tuple((ARMS[at], edges[at + 1] - edges[at]) for at in range(len(edges) - 1))


def served(ranges: Sequence[Range], bucket: int) -> str | None:
    """Who gets a bucket, by looking at every range."""
    return next((variant for variant, start, end in ranges if start <= bucket < end), None)


def test_ranges_of_fulfils_the_vectors(vectors: Callable[[str], dict[str, Any]]) -> None:
    """Weights and coverage give exactly these ranges, and the buckets at their edges these variants."""
    for case in vectors("splits")["cases"]:
        ranges = ranges_of([tuple(weight) for weight in case["weights"]], case["coverage"])
        assert case["ranges"] == [list(part) for part in ranges], case["name"]
        for bucket, variant in case["buckets"]:
            assert variant == served(ranges, bucket), (case["name"], bucket)


def test_ranges_of_refuses_the_vectors(vectors: Callable[[str], dict[str, Any]]) -> None:
    """Weights that do not sum up and coverage out of range are refused."""
    for case in vectors("splits")["refused"]:
        with pytest.raises(ValueError, match="must"):
            ranges_of([tuple(weight) for weight in case["weights"]], case["coverage"])


@given(weights=weights_of(), low=COVERAGE, high=COVERAGE)
def test_ranges_of_ramping_up_takes_nobody_out(weights: Any, low: int, high: int) -> None:
    """Every bucket that is in at a coverage is in at every greater one, with the same variant."""
    low, high = min(low, high), max(low, high)
    before, after = ranges_of(weights, low), ranges_of(weights, high)
    for variant, start, end in before:
        assert {variant} == {served(after, bucket) for bucket in (start, (start + end) // 2, end - 1)}


@given(weights=weights_of(), coverage=COVERAGE)
def test_ranges_of_stays_within_slots(weights: Any, coverage: int) -> None:
    """Ranges lie in order without overlap, each at the start of its slot and no wider than its share."""
    start = 0
    left = {variant: (begin, end) for variant, begin, end in ranges_of(weights, coverage)}
    for variant, width in weights:
        begin, end = left.get(variant, (start, start))
        assert start == begin
        assert width * coverage // BUCKETS == end - begin
        start += width


@given(
    weights=weights_of(),
    path=st.lists(COVERAGE, max_size=4),
    last=COVERAGE,
    algo=st.sampled_from(["m3-cbor", "m3-utf8"]),
)
def test_split_forgets_its_history(make: Any, weights: Any, path: list[int], last: int, algo: str) -> None:
    """Whatever coverages came before, also down and up again, units get what a fresh split of the last one gives."""

    def flag_at(coverage: int, revision: int) -> FlagRecord:
        variants = tuple(VariantRecord(arm, at, arm) for at, arm in enumerate((*ARMS, "off")))
        serve = make.split(weights, coverage, algo=algo)
        flag: FlagRecord = make.flag(type=FlagType.STRING, variants=variants, fallthrough=serve, revision=revision)
        return flag

    def answers(rules: Ruleset) -> list[Answer]:
        flag = rules.flag("f")
        assert flag is not None
        return [flag.answer(unit, {}, {}) for unit in UNITS[:20]]

    rules = Ruleset.of(make.record(flag_at(last, 9)))
    expected = answers(rules)
    for revision, coverage in enumerate([*path], 10):
        rules = rules.patched(revision, Put({"f": flag_at(coverage, revision)}), Delete())
        answers(rules)
    assert expected == answers(rules.patched(99, Put({"f": flag_at(last, 9)}), Delete()))


@given(weights=weights_of(), coverage=COVERAGE, algo=st.sampled_from(["m3-cbor", "m3-utf8"]))
def test_split_serves_what_its_ranges_say(make: Any, weights: Any, coverage: int, algo: str) -> None:
    """The compiled split agrees with bucket and ranges, and says whether the unit was within coverage."""
    variants = tuple(VariantRecord(arm, at, arm) for at, arm in enumerate((*ARMS, "off")))
    serve = make.split(weights, coverage, algo=algo)
    flag = make.compiled(make.flag(type=FlagType.STRING, variants=variants, fallthrough=serve))
    for unit in UNITS[:20]:
        variant = served(ranges_of(weights, coverage), bucket_of(algo, "s", unit))
        answer = flag.answer(unit, {}, {})
        assert (variant or "off", Origin.REST if variant is None else Origin.SPLIT) == (answer.value, answer.origin)


@pytest.mark.parametrize("algo", ["m3-cbor", "m3-utf8"])
@pytest.mark.parametrize("length", [1, 22, 23, 24, 45, 46, 47, 48, 49, 252, 253, 254, 255, 300])
@pytest.mark.parametrize("letter", ["x", "ü", "\ud800"])
def test_split_knows_keys_of_every_length(make: Any, algo: str, length: int, letter: str) -> None:
    """The fast way and the slow way of hashing a key put it into the same bucket."""
    key = letter * length
    bucket = bucket_of(algo, "s", key)
    exact = make.split(algo=algo)
    only = msgspec.structs.replace(exact.split, ranges=(("on", bucket, bucket + 1),))
    flag = make.compiled(make.flag(fallthrough=msgspec.structs.replace(exact, split=only)))
    assert flag.answer(key, {}, {}).origin is Origin.SPLIT


def test_split_puts_the_vectors_units_into_their_buckets(make: Any, vectors: Callable[[str], dict[str, Any]]) -> None:
    """Each unit, also one whose hash is the last of its bucket, is within an edge just above its bucket, not below."""
    for case in vectors("bucketing")["cases"]:
        bucket = case["bucket"]
        for start, end, expected in ((0, bucket, "off"), (0, bucket + 1, "on"), (bucket, bucket + 1, "on")):
            split = SplitRecord(case["algo"], case["salt"], 1, (("on", start, end),), "off")
            flag = make.compiled(make.flag(fallthrough=ServeRecord(split=split)))
            assert expected == flag.answer(case["unit_key"], {}, {}).variant, (case, start, end)
