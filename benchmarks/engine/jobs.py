"""The four jobs that feature-flag engines are compared by, with the answer that each of 1,000 units must get.

A: a static flag. B: a 50 % rollout. C: five rules of two clauses, all ten of which run, then a split 50/30/20.
D: a segment of 10,000 unit keys, the unit not in it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pennon.context import Environment
from pennon.flags import (
    BUCKETS,
    ClauseRecord,
    Comparison,
    EqualsClause,
    FlagRecord,
    FlagType,
    InClause,
    NumberClause,
    RuleRecord,
    RulesetRecord,
    SegmentClause,
    SegmentRecord,
    SemverClause,
    ServeRecord,
    SplitRecord,
    SuffixClause,
    VariantRecord,
    bucket_of,
    member_hash,
    ranges_of,
)

UNIT_KEYS: Final = tuple(f"user-{number}" for number in range(1_000))

BOOLEAN: Final = (VariantRecord("on", 1, value=True), VariantRecord("off", 2, value=False))
ARMS: Final = (VariantRecord("a", 1, "red"), VariantRecord("b", 2, "green"), VariantRecord("c", 3, "blue"))
COUNTRIES: Final = tuple(f"C{number:02}" for number in range(20))
LANGUAGES: Final = tuple(f"l{number:02}" for number in range(20))

OFF: Final = ServeRecord("off")


class Ask(msgspec.Struct, frozen=True):
    """One evaluation, built ahead."""

    unit_key: str
    attributes: Mapping[str, object]
    units: Mapping[str, str]


def split_of(salt: str, weights: Sequence[tuple[str, int]], rest: str) -> SplitRecord:
    """A split with full coverage."""
    return SplitRecord("m3-cbor", salt, 1, ranges_of(weights, BUCKETS), rest)


def targeted(key: str, flag_id: int) -> FlagRecord:
    """A flag of job C's shape."""
    equality = (EqualsClause("plan", "pro"), EqualsClause("channel", "web"))
    membership = (InClause("country", COUNTRIES), InClause("language", LANGUAGES))
    semver = (SemverClause("app", Comparison.AT_LEAST, "9.0.0"), SemverClause("app", Comparison.AT_LEAST, "2.4.0-rc.1"))
    suffix = (SuffixClause("email", "@example.com"), SuffixClause("email", "@example.org"))
    number = (NumberClause("age", Comparison.AT_LEAST, 90), NumberClause("age", Comparison.AT_LEAST, 18))
    # In the first four the first clause holds and the second fails; both of the last hold.
    pairs: tuple[tuple[ClauseRecord, ClauseRecord], ...] = (
        (equality[0], membership[0]),
        (membership[1], semver[0]),
        (semver[1], suffix[0]),
        (suffix[1], number[0]),
        (number[1], equality[1]),
    )
    split = split_of(f"salt-{flag_id}", (("a", 50_000), ("b", 30_000), ("c", 20_000)), "c")
    serves = [ServeRecord("a")] * 4 + [ServeRecord(split=split)]
    rules = tuple(
        RuleRecord(f"r{at}", pair, serve) for at, (pair, serve) in enumerate(zip(pairs, serves, strict=True), 1)
    )
    return FlagRecord(key, flag_id, FlagType.STRING, ARMS, "c", ServeRecord("c"), revision=41, rules=rules, carry=True)


def ruleset(*flags: FlagRecord) -> RulesetRecord:
    """A ruleset of these flags, with the segment of job D."""
    members = tuple(sorted(member_hash("beta", f"member-{number}") for number in range(10_000)))
    beta = SegmentRecord("beta", "user", "beta", members)
    by_key = {flag.key: flag for flag in flags}
    return RulesetRecord(
        Environment(0x0102030405, "production", "env"), 3_600_000, 41, "server", by_key, {"beta": beta}
    )


def job_flags() -> tuple[FlagRecord, ...]:
    """The flags of jobs A to D; their keys are the jobs' letters."""
    half = ServeRecord(split=split_of("half", (("on", 50_000), ("off", 50_000)), "off"))
    in_segment = RuleRecord("r1", (SegmentClause("beta"),), ServeRecord("on"))
    return (
        FlagRecord("a", 1, FlagType.BOOLEAN, BOOLEAN, "off", ServeRecord("on"), revision=41),
        FlagRecord("b", 2, FlagType.BOOLEAN, BOOLEAN, "off", half, revision=41, carry=True),
        targeted("c", 3),
        FlagRecord("d", 4, FlagType.BOOLEAN, BOOLEAN, "off", OFF, revision=41, rules=(in_segment,)),
    )


def asks() -> tuple[Ask, ...]:
    """The evaluations that rotate, the same for all jobs."""
    return tuple(
        Ask(
            key,
            {
                "plan": "pro",
                "channel": "web",
                "country": "elsewhere",
                "language": LANGUAGES[number % len(LANGUAGES)],
                "app": f"2.{4 + number % 30}.{number % 10}",
                "email": f"{key}@example.org",
                "age": 18 + number % 60,
            },
            {"user": key},
        )
        for number, key in enumerate(UNIT_KEYS)
    )


def expected(job: str, unit_key: str) -> object:
    """The value that a job must answer, worked out without the engine's clauses and splits."""
    match job:
        case "a":
            return True
        case "b":
            return bucket_of("m3-cbor", "half", unit_key) < BUCKETS // 2
        case "c":
            bucket = bucket_of("m3-cbor", "salt-3", unit_key)
            return "red" if bucket < 50_000 else "green" if bucket < 80_000 else "blue"
        case _:
            return False
