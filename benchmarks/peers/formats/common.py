"""What every peer's format needs to know of a flag, and what none of the jobs has."""

from typing import Any, Never

from pennon.flags import BUCKETS, ClauseRecord, FlagRecord, SplitRecord

# A peer's document, ready for JSON.
Document = dict[str, Any]


def values_of(flag: FlagRecord) -> dict[str, Any]:
    """The value of each variant, by its key, in the author's order."""
    return {variant.key: variant.value for variant in flag.variants}


def shares_of(split: SplitRecord) -> dict[str, float]:
    """The share of units, 0 to 1, that each variant gets, in the order of the buckets."""
    shares: dict[str, float] = {}
    for variant, first, end in split.ranges:
        shares[variant] = shares.get(variant, 0.0) + (end - first) / BUCKETS
    return shares


def on_share(split: SplitRecord) -> float:
    """The share of units that a boolean flag's split turns on."""
    return shares_of(split).get("on", 0.0)


def unknown(clause: ClauseRecord) -> Never:
    """For a clause that no job has and no format here writes."""
    raise ValueError(f"clause {clause!r} has no translation")
