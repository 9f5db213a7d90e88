"""From a decided edit to what it does in one environment: stored settings, record, diff and notes."""

from typing import Any

from pydantic import BaseModel

from pennon.control.compile import compile_flag
from pennon.control.documents import (
    SETTINGS_SERVER_MEMBERS,
    FlagDocument,
    SegmentDocument,
    SettingsDocument,
    SettingsDraft,
    members_of,
)
from pennon.control.merging import differences
from pennon.control.phases import FALLTHROUGH, Begun, Runs, numbered
from pennon.control.ports import Action, Difference
from pennon.control.states import Outcome, Place, SettingsState

# Members that change with every edit; a diff is about what the author did.
_UNTOLD = frozenset({"revision", "version"})


def outcome(
    place: Place,
    flag: FlagDocument,
    draft: SettingsDraft,
    *,
    action: Action,
    killed: bool,
    is_voiding: bool = False,
    flag_before: FlagDocument | None = None,
) -> Outcome:
    """What becomes of the flag in this environment at the place's revision.

    draft: checked, with salts. is_voiding: the edit itself raises the void floor; a new phase does so too.
    flag_before: None if the flag is new.
    """
    held = place.settings
    runs: Runs = {} if held is None else held.runs
    numbered_draft, runs, begun = numbered(draft, runs)
    floor = place.revision if is_voiding or begun else 0
    document = SettingsDocument(
        **members_of(numbered_draft),
        killed=killed,
        void_before=max(floor, 0 if held is None else held.document.void_before),
        revision=place.revision,
    )
    return Outcome(
        environment=place.environment,
        state=SettingsState(document, runs),
        record=None if flag.archived else compile_flag(flag, document),
        action=action,
        diff=(*_diff(None if held is None else held.document, document), *_diff(flag_before, flag, under="/flag")),
        notes=_notes(action, begun, floor),
    )


def draft_of(settings: SettingsDocument) -> SettingsDraft:
    """The author's part of stored settings."""
    return SettingsDraft(**{n: v for n, v in members_of(settings).items() if n not in SETTINGS_SERVER_MEMBERS})


def segment_differences(before: SegmentDocument | None, after: SegmentDocument) -> tuple[Difference, ...]:
    """What changed in a segment; of its members only how many.

    The log is never edited: a unit key that got into it could not be forgotten.
    """
    told_before = {} if before is None else _told(before)
    told_after = _told(after)
    held, members = set(told_before.pop("members", ())), set(told_after.pop("members"))
    counts = {"/members/added": len(members - held), "/members/removed": len(held - members)}
    moved = tuple(Difference(path, None, count) for path, count in counts.items() if count)
    return differences(told_before, told_after) + moved


def _diff(before: BaseModel | None, after: BaseModel, *, under: str = "") -> tuple[Difference, ...]:
    if before is None:
        return (Difference(under, None, _told(after)),)
    return differences(_told(before), _told(after), under=under)


def _told(document: BaseModel) -> dict[str, Any]:
    return {name: value for name, value in document.model_dump(mode="json").items() if name not in _UNTOLD}


def _notes(action: Action, begun: tuple[Begun, ...], floor: int) -> tuple[str, ...]:
    return tuple(_phase_note(new, floor) for new in begun) + _VOIDED.get(action, ())


def _phase_note(new: Begun, floor: int) -> str:
    where = "the fallthrough" if new.place == FALLTHROUGH else f"rule '{new.place}'"
    changed = " and ".join(new.changed)
    return (
        f"phase {new.phase} begins at {where}, because {changed} changed: units are decided anew, and what was decided "
        f"before revision {floor} is void"
    )


_VOIDED: dict[Action, tuple[str, ...]] = {
    Action.KILL: ("killed: the off variant is served to everyone, and what was decided before is void",),
    Action.UNKILL: ("unkilled: units are decided anew, what was decided before stays void",),
    Action.ARCHIVE: ("archived: replicas no longer know the flag, callers get their defaults",),
    Action.RESTORE: ("restored: units are decided anew, what was decided before stays void",),
}
