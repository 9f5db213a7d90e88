"""Prerequisites: flags of an environment that ask for variants of others. The graph they form, and what it forbids.

1. Only published flags stand in it: an archived flag asks for nothing, and nothing may ask for it.
2. It has no cycle, and no chain longer than CHAIN_LIMIT_COUNT: whoever evaluates walks it on its stack.
3. What voids a flag's carried decisions voids those of every flag that depends on it (carrying.md §3).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Final

import msgspec

from pennon.control.values import PREREQUISITES_LIMIT_COUNT, is_key
from pennon.errors import Fault

# Flags in a row, first and last included. People lose the overview before; replicas recurse once for each.
CHAIN_LIMIT_COUNT: Final = 10

# Names that a message shows; a fleet's worth of them would hide it.
_NAMES_LIMIT_COUNT: Final = 10


class Neighbour(msgspec.Struct, frozen=True):
    """Another flag, as it stands in the environment of an edit.

    variants: their keys. prerequisites: flag -> the variants that it asks for; empty while archived.
    """

    variants: tuple[str, ...]
    is_archived: bool = False
    void_before: int = 0
    prerequisites: Mapping[str, tuple[str, ...]] = {}


Neighbours = Mapping[str, Neighbour]
Chain = tuple[str, ...]


def named_in(settings: object) -> frozenset[str]:
    """The flags that settings, or a patch of them, ask for. settings: decoded JSON of any type.

    No more than a list may hold: one that is longer is refused whatever it names.
    """
    asked = settings.get("prerequisites") if isinstance(settings, dict) else None
    named = [one.get("flag") for one in asked if isinstance(one, dict)] if isinstance(asked, list) else []
    return frozenset(filter(is_key, named[:PREREQUISITES_LIMIT_COUNT]))


def connected(flag: str, named: Iterable[str], asked: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """The flags that an edit of one touches upon: those named and all that they lead to, and all that lead to it.

    asked: what each flag of the environment asks for.
    """
    asking: dict[str, list[str]] = {}
    for key, keys in asked.items():
        for one in keys:
            asking.setdefault(one, []).append(key)
    below = _reached(named, lambda key: asked.get(key, ()))
    above = _reached(asking.get(flag, ()), lambda key: asking.get(key, ()))
    return frozenset((*below, *above)) - {flag}


def dependents_of(flag: str, neighbours: Neighbours) -> tuple[str, ...]:
    """Who asks for it, directly or over others, by key."""
    return tuple(sorted(_reached(_asking(flag, neighbours), lambda key: _asking(key, neighbours))))


def floor_over(flags: Iterable[str], neighbours: Neighbours) -> int:
    """The greatest void floor of these flags and of all that they depend on; 0 if there is none."""
    reached = _reached(flags, lambda key: _asked(key, neighbours))
    return max((neighbours[key].void_before for key in reached if key in neighbours), default=0)


def cycle_of(flag: str, asked: str, neighbours: Neighbours) -> Chain | None:
    """The way from a flag over the one it would ask for back to itself; None if it does not lead back."""
    came_from = {asked: flag}
    found = [asked]
    for key in found:
        for following in _asked(key, neighbours):
            if following == flag:
                return _traced(key, flag, came_from)
            if following not in came_from:
                came_from[following] = key
                found.append(following)
    return None


def longest_chain(flag: str, asked: str, neighbours: Neighbours) -> Chain:
    """The longest row of flags, each asking for the next, that leads over these two. Without cycles."""

    @cache
    def below(key: str) -> Chain:
        return (key, *max(map(below, _asked(key, neighbours)), key=len, default=()))

    @cache
    def above(key: str) -> Chain:
        return (*max(map(above, _asking(key, neighbours)), key=len, default=()), key)

    return above(flag) + below(asked)


def dependence_faults(
    flag: str, variants: Iterable[str], *, is_archived: bool, neighbours: Neighbours
) -> Iterator[Fault]:
    """What a flag, as it is to be, would take away from those that ask for it."""
    asking = {key: neighbours[key].prerequisites[flag] for key in _asking(flag, neighbours)}
    if is_archived and asking:
        yield Fault("/archived", f"must stay false while the flag is a prerequisite of {listed(asking)}")
    for variant in sorted({variant for asked in asking.values() for variant in asked}.difference(variants)):
        by = [key for key, asked in asking.items() if variant in asked]
        yield Fault("/variants", f"'{variant}' missing, must stay while it is asked for by {listed(by)}")


def listed(keys: Iterable[str]) -> str:
    """Keys by name, as a message shows them."""
    names = [f"'{key}'" for key in sorted(keys)]
    more = len(names) - _NAMES_LIMIT_COUNT
    return ", ".join(names[:_NAMES_LIMIT_COUNT]) + (f" and {more} more" if more > 0 else "")


def _asked(flag: str, neighbours: Neighbours) -> Iterable[str]:
    return neighbours[flag].prerequisites if flag in neighbours else ()


def _asking(flag: str, neighbours: Neighbours) -> Iterable[str]:
    return [key for key, neighbour in neighbours.items() if flag in neighbour.prerequisites]


def _reached(starts: Iterable[str], onward: Callable[[str], Iterable[str]]) -> tuple[str, ...]:
    """The starts and all that is reached from them, each once."""
    found = dict.fromkeys(starts)
    waiting = list(found)
    for key in waiting:
        new = [following for following in onward(key) if following not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return tuple(found)


def _traced(last: str, flag: str, came_from: Mapping[str, str]) -> Chain:
    chain = [flag, last]
    while chain[-1] != flag:
        chain.append(came_from[chain[-1]])
    return tuple(reversed(chain))
