"""Splits: from an author's weights and coverage to ranges of buckets, and from ranges to who gets what."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from mmh3 import mmh3_32_uintdigest

from pennon.context import Answer, Origin
from pennon.flags.bucketing import TEXT_HEADS, Algo, bucket_of, utf8_of
from pennon.flags.clauses import Attributes, Units, Unusable
from pennon.flags.records import BUCKETS, SplitRecord

Range = tuple[str, int, int]

# What a flag or a part of it answers: takes the unit key of its kind, the attributes, the unit keys by kind.
Serve = Callable[[str | None, Attributes, Units], Answer]

# Longer keys are hashed the slow way. 48 holds a UUID with a prefix; each one more makes compiling a split slower.
_FAST_KEY_BYTES: Final = 48


def ranges_of(weights: Sequence[tuple[str, int]], coverage: int) -> tuple[Range, ...]:
    """The buckets of each variant: the first `floor(width * coverage / 100,000)` of its slot.

    weights: (variant key, weight) in the author's order; the slots lie in that order, each as wide as its weight.
    coverage: 0…100,000. Variants that get no bucket are left out.
    Raises: ValueError unless weights are >= 0 and sum to 100,000 and coverage is in range.
    """
    if min((weight for _, weight in weights), default=0) < 0 or sum(weight for _, weight in weights) != BUCKETS:
        msg = f"weights are {[weight for _, weight in weights]}; they must be >= 0 and sum to {BUCKETS}"
        raise ValueError(msg)
    if not 0 <= coverage <= BUCKETS:
        msg = f"coverage is {coverage}; it must be 0...{BUCKETS}"
        raise ValueError(msg)
    return tuple(_covered(weights, coverage))


def _covered(weights: Sequence[tuple[str, int]], coverage: int) -> Iterator[Range]:
    start = 0
    for variant, width in weights:
        if covered := width * coverage // BUCKETS:
            yield variant, start, start + covered
        start += width


def compiled_split(
    split: SplitRecord, answer_of: Callable[[str, Origin], Answer], *, missing: Answer, failed: Answer
) -> Serve:
    """Who gets what, as a function.

    answer_of: the answer that serves a variant, by key. missing: what is answered without a unit key; failed: for a
    key that is no text. Raises: Unusable.
    """
    _check(split)
    rest = answer_of(split.rest, Origin.REST)
    edges = [edge for _, start, end in split.ranges for edge in (start, end)]
    # Below the first edge the rest, then by turns a variant and, if its end is not the next one's start, the rest.
    answers = [rest, *(part for variant, *_ in split.ranges for part in (answer_of(variant, Origin.SPLIT), rest))]
    # The edges in hash space: hash * BUCKETS >> 32 >= edge exactly if hash >= ceil(edge * 2**32 / BUCKETS). It saves
    # every evaluation a multiplication beyond 32 bits.
    hash_edges = tuple(-(-(edge << 32) // BUCKETS) for edge in edges)
    heads = _heads(split)

    def serve(key: str | None, _attributes: Attributes, _units: Units) -> Answer:
        try:
            if not key:
                return missing
            body = key.encode()
            return answers[bisect_right(hash_edges, mmh3_32_uintdigest(heads[len(body)] + body))]
        except Exception:  # noqa: BLE001 - total: what a caller hands in as a key must not raise here
            return rare(key)

    def rare(key: object) -> Answer:
        """A long key, one with lone surrogates, or no text."""
        if not isinstance(key, str):
            return failed
        return answers[bisect_right(edges, bucket_of(split.algo, split.salt, str.__str__(key)))]

    return serve


def _check(split: SplitRecord) -> None:
    if split.algo not in tuple(Algo):
        msg = f"split: algo {split.algo!r} is not one of {', '.join(Algo)}"
        raise Unusable(msg)
    if ":" in split.salt:
        msg = f"split: salt {split.salt!r} holds ':'"
        raise Unusable(msg)
    edges = [edge for _, start, end in split.ranges for edge in (start, end)]
    if edges != sorted(edges):
        msg = f"split: ranges {split.ranges!r} overlap or are not sorted"
        raise Unusable(msg)


def _heads(split: SplitRecord) -> tuple[bytes, ...]:
    """What is hashed before a unit key, by the key's length in bytes; none for "", which is no key."""
    prefix = utf8_of(split.salt + ":")
    if split.algo == Algo.UTF8:
        return (prefix,) * _FAST_KEY_BYTES
    lengths = range(len(prefix), min(len(prefix) + _FAST_KEY_BYTES, len(TEXT_HEADS)))
    return tuple(TEXT_HEADS[length] + prefix for length in lengths)
