"""What a contender must answer before it is timed.

Where all mean the same, all must answer the same: job A, job D, and in job C every way through its rules that does not
end in the split. A split is each contender's own: it must answer the same twice, and give each variant its share.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks.engine.jobs import asks, expected
from benchmarks.peers.field import MEMBERS, Question

# Units by which splits are judged. A share of a half is then within 0.5 points (one standard deviation).
SPLIT_COUNT: Final = 10_000
TOLERANCE: Final = 0.02
SHARES: Final[Mapping[str, Mapping[Any, float]]] = {
    "b": {True: 0.5, False: 0.5},
    "c": {"red": 0.5, "green": 0.3, "blue": 0.2},
}

# The attributes of job C with these changed, and the answer: each of the ten clauses decides at least one of them.
PROBES: Final[tuple[tuple[Mapping[str, object], str], ...]] = (
    ({"country": "C07"}, "red"),  # rule 1
    ({"country": "C07", "plan": "free", "age": 17}, "blue"),  # its first clause fails, then all do
    ({"app": "9.0.0"}, "red"),  # rule 2
    ({"app": "10.0.0"}, "red"),  # versions are not texts
    ({"app": "9.0.0", "language": "none", "age": 17}, "blue"),
    ({"email": "eve@example.com"}, "red"),  # rule 3
    ({"email": "eve@example.com", "app": "2.4.0"}, "red"),
    ({"email": "eve@example.com", "app": "2.3.9", "age": 17}, "blue"),
    ({"age": 90}, "red"),  # rule 4
    ({"age": 90, "email": "eve@example.net", "channel": "app"}, "blue"),
    ({"age": 17}, "blue"),  # rule 5 fails by either clause: the fallthrough
    ({"channel": "app"}, "blue"),
)

Answers = Callable[[str, Sequence[Question]], Sequence[Any]]


def questions(count: int) -> list[Question]:
    """As many of the questions that rotate, and beyond them the same with other units."""
    ready = asks()
    return [
        (f"user-{at}", {**ready[at % len(ready)].attributes, "email": f"user-{at}@example.org"}) for at in range(count)
    ]


def faults(answers: Answers, *, is_ours: bool = False) -> Iterator[str]:
    """What is wrong with a contender's answers. is_ours: its splits are known to the unit as well."""
    timed = questions(len(asks()))
    yield from _differing("a", answers("a", timed), [True] * len(timed))
    yield from _differing("d", answers("d", timed), [False] * len(timed))
    inside = [(member, timed[0][1]) for member in (*MEMBERS["beta"][:5], *MEMBERS["beta"][-5:])]
    yield from _differing("d", answers("d", inside), [True] * len(inside))
    probes = [("user-0", {**timed[0][1], **changed}) for changed, _ in PROBES]
    yield from _differing("c", answers("c", probes), [answer for _, answer in PROBES])
    many = questions(SPLIT_COUNT)
    for job, shares in SHARES.items():
        found = answers(job, many)
        yield from _split_faults(job, found, shares)
        yield from _differing(job, answers(job, many), found)
        if is_ours:
            yield from _differing(job, found[: len(timed)], [expected(job, unit) for unit, _ in timed])


def _split_faults(job: str, found: Sequence[Any], shares: Mapping[Any, float]) -> Iterator[str]:
    counts = Counter(found)
    if counts.keys() != shares.keys():
        yield f"job {job}: answers {sorted(map(str, counts))}, must be {sorted(map(str, shares))}"
    for answer, share in shares.items():
        part = counts[answer] / len(found)
        if abs(part - share) > TOLERANCE:
            yield f"job {job}: {answer!r} for {part:.1%} of units, must be {share:.0%} within {TOLERANCE:.0%}"


def _differing(job: str, found: Sequence[Any], must: Sequence[Any]) -> Iterator[str]:
    pairs = [
        (at, one, other)
        for at, (one, other) in enumerate(zip(found, must, strict=True))
        if one != other or type(one) is not type(other)
    ]
    if pairs:
        at, one, other = pairs[0]
        yield f"job {job}: {len(pairs)} of {len(must)} answers differ; question {at}: {one!r}, must be {other!r}"
