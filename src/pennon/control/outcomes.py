"""From a decided edit to what it does in one environment: stored settings, record, diff and notes."""

from collections.abc import Iterator
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
from pennon.control.prerequisites import dependents_of, floor_over, listed
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
    void_before, brought = _floors(place, draft, floor)
    document = SettingsDocument(
        **members_of(numbered_draft), killed=killed, void_before=void_before, revision=place.revision
    )
    return Outcome(
        environment=place.environment,
        state=SettingsState(document, runs),
        record=None if flag.archived else compile_flag(flag, document),
        action=action,
        diff=(*_diff(None if held is None else held.document, document), *_diff(flag_before, flag, under="/flag")),
        notes=tuple(_notes(action, begun, floor, brought, dependents_of(flag.key, place.neighbours))),
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


def _floors(place: Place, draft: SettingsDraft, floor: int) -> tuple[int, int]:
    """The flag's void floor, and the higher one that a new prerequisite brings with it; 0 if none does.

    floor: what the edit itself raises it to. A prerequisite that is taken away leaves its floor behind: what was void
    because of it must not be revived.
    """
    held = None if place.settings is None else place.settings.document
    before = 0 if held is None else max(held.void_before, _floor_asked(held, place))
    own = max(floor, 0 if held is None else held.void_before)
    after = max(own, _floor_asked(draft, place))
    return (own if after >= before else before), (after if after > max(own, before) else 0)


def _floor_asked(settings: SettingsDraft, place: Place) -> int:
    return floor_over((asked.flag for asked in settings.prerequisites), place.neighbours)


def _diff(before: BaseModel | None, after: BaseModel, *, under: str = "") -> tuple[Difference, ...]:
    if before is None:
        return (Difference(under, None, _told(after)),)
    return differences(_told(before), _told(after), under=under)


def _told(document: BaseModel) -> dict[str, Any]:
    return {name: value for name, value in document.model_dump(mode="json").items() if name not in _UNTOLD}


def _notes(
    action: Action, begun: tuple[Begun, ...], floor: int, brought: int, dependents: tuple[str, ...]
) -> Iterator[str]:
    for new in begun:
        yield _phase_note(new, floor)
    yield from _VOIDED.get(action, ())
    if brought:
        yield f"a prerequisite's void floor holds here, too: what was decided before revision {brought} is void"
    if dependents and (floor or brought):
        yield f"flags that ask for it, directly or over others, are decided anew, too: {listed(dependents)}"


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
    Action.FORGET: ("forgotten: units are decided anew, and what was decided before is void",),
    Action.ARCHIVE: ("archived: replicas no longer know the flag, callers get their defaults",),
    Action.RESTORE: ("restored: units are decided anew, what was decided before stays void",),
}
