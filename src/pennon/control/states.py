"""What is kept of a flag beside its documents, and what an edit makes of it."""

from collections.abc import Callable, Mapping

import msgspec

from pennon.control.documents import FlagDocument, SegmentDocument, SettingsDocument
from pennon.control.phases import Runs
from pennon.control.ports import Action, Difference
from pennon.control.prerequisites import Neighbours
from pennon.flags import FlagRecord, SegmentRecord

# A number of so many random bits, drawn by whoever calls: this room has no randomness of its own.
Draw = Callable[[int], int]


class FlagState(msgspec.Struct, frozen=True):
    """A flag as it is kept. used_variant_ids: all that it ever had: none is given to another variant."""

    document: FlagDocument
    used_variant_ids: frozenset[int]


class SettingsState(msgspec.Struct, frozen=True):
    """Settings as they are kept. runs: the last split of each place, see `phases`."""

    document: SettingsDocument
    runs: Runs


class Place(msgspec.Struct, frozen=True):
    """One environment as an edit finds it, its numbering locked.

    revision: what the environment's next change will be. segments: key -> unit kind. settings: None for a new flag.
    neighbours: of the other flags those that the settings, before and after, name as prerequisites, those that ask for
        the flag itself, and, of both, all that they lead to in that direction.
    """

    environment: str
    revision: int
    segments: Mapping[str, str]
    settings: SettingsState | None
    neighbours: Neighbours = {}


class Outcome(msgspec.Struct, frozen=True):
    """What an edit does in one environment. record: None takes the flag out of the ruleset."""

    environment: str
    state: SettingsState
    record: FlagRecord | None
    action: Action
    diff: tuple[Difference, ...]
    notes: tuple[str, ...]


class FlagEdit(msgspec.Struct, frozen=True):
    """What an edit of a project's flag does: the flag, and an outcome for each place it was given."""

    flag: FlagState
    outcomes: tuple[Outcome, ...]


class SegmentEdit(msgspec.Struct, frozen=True):
    """What an edit of a segment does."""

    document: SegmentDocument
    record: SegmentRecord
    action: Action
    diff: tuple[Difference, ...]
