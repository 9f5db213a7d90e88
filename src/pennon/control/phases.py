"""Phases: one run of a split with fixed weights, salt and algo.

1. A split stands at a place: a rule, by its id, or the fallthrough.
2. A split whose weights (also their order: it is the order of the slots), salt or algo differ from the last one at its
   place begins a new phase. Coverage and rest do not: ramping is not a new phase.
3. A number is used once per flag and environment, since exposures are told apart by it; so the last split of each place
   is remembered when it is taken away. Put back as it was, it goes on with its phase. Numbers that a restore has lost
   are remembered as well: exposures of those phases may still come.
"""

from collections.abc import Iterator, Mapping

import msgspec

from pennon.control.documents import Serve, SettingsDraft, Split

FALLTHROUGH = ""
# Where the highest run that a restore has lost is remembered; no rule is called so.
LOST = "~lost"

Weights = tuple[tuple[str, int], ...]


class Run(msgspec.Struct, frozen=True):
    """What a phase fixes, and its number."""

    phase: int
    algo: str
    salt: str
    weights: Weights


Runs = Mapping[str, Run]


class Begun(msgspec.Struct, frozen=True):
    """A new phase at a place that had one before. changed: what differs, of "weights", "salt" and "algo"."""

    place: str
    phase: int
    changed: tuple[str, ...]


def numbered(draft: SettingsDraft, runs: Runs) -> tuple[SettingsDraft, Runs, tuple[Begun, ...]]:
    """The settings with the phase of each split, the runs to remember, and which phases replaced another.

    draft: with salts. runs: by place, what was remembered.
    """
    held, begun = dict(runs), []
    highest = highest_phase(held)
    for place, split in splits_of(draft):
        run = Run(highest + 1, split.algo, split.salt or "", _weights(split))
        earlier = held.get(place)
        if earlier is not None:
            changed = _changed(earlier, run)
            if not changed:
                continue
            begun.append(Begun(place, run.phase, changed))
        held[place] = run
        highest = run.phase
    return _with_phases(draft, held), held, tuple(begun)


def with_lost(runs: Runs, lost: Run) -> Runs | None:
    """The runs to remember where a restore has lost this one; None if its number is not above theirs."""
    return {**runs, LOST: lost} if lost.phase > highest_phase(runs) else None


def highest_phase(runs: Runs) -> int:
    """The highest number that was given; 0 before the first."""
    return max((run.phase for run in runs.values()), default=0)


def splits_of(draft: SettingsDraft) -> Iterator[tuple[str, Split]]:
    """The splits and their places, in document order, the fallthrough last."""
    for rule in draft.rules:
        if rule.serve.split is not None:
            yield rule.id, rule.serve.split
    if draft.fallthrough.split is not None:
        yield FALLTHROUGH, draft.fallthrough.split


def _changed(earlier: Run, run: Run) -> tuple[str, ...]:
    return tuple(name for name in ("weights", "salt", "algo") if getattr(earlier, name) != getattr(run, name))


def _weights(split: Split) -> Weights:
    return tuple((weight.variant, weight.weight) for weight in split.weights)


def _with_phases(draft: SettingsDraft, runs: Runs) -> SettingsDraft:
    rules = [rule.model_copy(update={"serve": _with_phase(rule.serve, runs, rule.id)}) for rule in draft.rules]
    fallthrough = _with_phase(draft.fallthrough, runs, FALLTHROUGH)
    return draft.model_copy(update={"rules": rules, "fallthrough": fallthrough})


def _with_phase(serve: Serve, runs: Runs, place: str) -> Serve:
    if serve.split is None:
        return serve
    return serve.model_copy(update={"split": serve.split.model_copy(update={"phase": runs[place].phase})})
