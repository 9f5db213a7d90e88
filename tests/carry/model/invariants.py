"""What must hold in every world, by name, and how a breach is told."""

from collections.abc import Callable
from enum import StrEnum
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Invariant(StrEnum):
    """The promises of carrying; a failing example names the one that it breaks."""

    ONE_ANSWER_PER_PATH = "one_answer_per_path"
    """One answer per environment, flag and unit along every causal path, as long as it stands."""
    KILL_IS_OBEYED = "kill_is_obeyed"
    """A service whose replica has seen a kill serves the off variant, in mid-request either."""
    NOTHING_REVIVES = "nothing_revives"
    """No unkill, late event, lagging snapshot or restored backup brings a void decision back."""
    OTHER_UNIT_NEVER = "other_unit_never"
    """A decision is served to the unit it was made for, and to no other (fingerprints here do not collide)."""
    NEVER_EXPOSED = "never_exposed"
    """Overrides, replays, rest, kill and off are nobody's treatment; one treatment has one id."""
    STRANGER_CHANGES_NOTHING = "stranger_changes_nothing"
    """Whatever a stranger sends, the answers and what leaves are those of a request that brought nothing."""
    NOTHING_RAISES = "nothing_raises"
    """No call into the shipped code raises."""
    EVERY_DEPARTURE_COUNTED = "every_departure_counted"
    """Where the first decision does not win, a note, a count or the answer's own reason says why."""


def demand(holds: object, invariant: Invariant, told: Callable[[], str]) -> None:
    """Nothing, if it holds. Raises: AssertionError that begins with the invariant's name."""
    if not holds:
        raise AssertionError(f"{invariant}: {told()}")


def unraised(function: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
    """What the shipped function returns. Raises: AssertionError if it raises anything."""
    try:
        return function(*arguments, **named)
    except Exception as error:
        name = getattr(function, "__qualname__", repr(function))
        raise AssertionError(f"{Invariant.NOTHING_RAISES}: {name} raised {error!r}") from error
