"""Edits: from what is kept and what an author sends to what will be kept, published and told.

Nothing is stored here and nothing is random: revisions come in with the places, random bits through `draw`. Each
function raises `DocumentInvalid` with every fault, or returns what the edit does; None if it changes nothing.

The void floor is raised to the new revision by a new phase, kill, unkill, archive, restore and forgetting what is
carried (docs/reference/documents.md).
"""

from collections.abc import Container, Iterator, Sequence
from itertools import islice
from typing import Final

from pennon.control.checking import (
    checked_flag,
    checked_segment,
    checked_settings,
    demand_shallow,
    fixed_faults,
    without_server_members,
)
from pennon.control.compile import compile_segment
from pennon.control.documents import (
    FLAG_SERVER_MEMBERS,
    SEGMENT_SERVER_MEMBERS,
    SETTINGS_SERVER_MEMBERS,
    FlagDocument,
    FlagDraft,
    SegmentDocument,
    Serve,
    SettingsDraft,
    Variant,
    members_of,
)
from pennon.control.identities import flag_id_of, identified, variant_id_faults
from pennon.control.merging import is_same, merged
from pennon.control.outcomes import draft_of, outcome, segment_differences
from pennon.control.ports import Action
from pennon.control.prerequisites import dependence_faults
from pennon.control.reading import FAULTS_LIMIT_COUNT
from pennon.control.rules import Surroundings
from pennon.control.salting import given_salts, new_salt, phase_faults, with_known_salts
from pennon.control.states import Draw, FlagEdit, FlagState, Outcome, Place, SegmentEdit, SettingsState
from pennon.errors import DocumentInvalid, Fault

_FIXED_MEMBERS: Final = ("key", "type", "unit")


def create_flag(document: object, places: Sequence[Place], *, taken_ids: Container[int], draw: Draw) -> FlagEdit:
    """A new flag: on in every environment, without rules, serving its off variant.

    The off variant is the last one; of a boolean flag the last that is false. taken_ids: of all flags that the project
    ever had.
    """
    demand_shallow(document)
    document, faults = without_server_members(document, {}, FLAG_SERVER_MEMBERS)
    draft = checked_flag(document, (*faults, *variant_id_faults(document, {}), *_archived_faults(document)))
    flag = identified(draft, frozenset(), version=1, flag_id=flag_id_of(taken_ids, draw), draw=draw)
    off = _off_variant(draft).key
    settings = SettingsDraft(on=True, off=off, fallthrough=Serve(variant=off))
    outcomes = (outcome(place, flag.document, settings, action=Action.CREATE, killed=False) for place in places)
    return FlagEdit(flag, tuple(outcomes))


def update_flag(flag: FlagState, patch: object, places: Sequence[Place], *, draw: Draw) -> FlagEdit | None:
    """The flag after a merge patch, in every environment. places: all of the project's."""
    demand_shallow(patch)
    before = flag.document.model_dump(mode="json")
    candidate, faults = without_server_members(merged(before, patch), before, FLAG_SERVER_MEMBERS)
    ids = {variant.key: variant.id for variant in flag.document.variants}
    faults += [*fixed_faults(candidate, before, _FIXED_MEMBERS), *variant_id_faults(candidate, ids)]
    draft = checked_flag(candidate, faults)
    after = identified(
        draft, flag.used_variant_ids, version=flag.document.version + 1, flag_id=flag.document.id, draw=draw, ids=ids
    )
    if is_same(after.document.model_dump(mode="json") | {"version": before["version"]}, before):
        return None
    _demand_served(draft, places)
    action = _archiving(flag.document.archived, draft.archived)
    return FlagEdit(after, tuple(_republished(place, flag.document, after.document, action) for place in places))


def update_settings(flag: FlagDocument, place: Place, patch: object, *, draw: Draw) -> Outcome | None:
    """The settings after a merge patch."""
    demand_shallow(patch)
    held = _held(place)
    _demand_published(flag)
    before = held.document.model_dump(mode="json")
    candidate, faults = without_server_members(merged(before, patch), before, SETTINGS_SERVER_MEMBERS)
    faults += phase_faults(candidate, held.document)
    draft = checked_settings(with_known_salts(candidate, held.document), _surroundings(flag, place), faults)
    draft = given_salts(draft, draw)
    done = outcome(place, flag, draft, action=Action.UPDATE, killed=held.document.killed, flag_before=flag)
    return done if done.diff else None


def set_kill(flag: FlagDocument, place: Place, *, killed: bool) -> Outcome | None:
    """The flag killed or unkilled; None if it is so already: same revision, no new floor."""
    held = _held(place)
    if held.document.killed is killed:
        return None
    action = Action.KILL if killed else Action.UNKILL
    draft = draft_of(held.document)
    return outcome(place, flag, draft, action=action, killed=killed, is_voiding=True, flag_before=flag)


def forget_carried(flag: FlagDocument, place: Place) -> Outcome:
    """The flag with a floor at the place's revision: what was decided before is void, all else stays as it is."""
    _demand_published(flag)
    held = _held(place).document
    draft = draft_of(held)
    return outcome(place, flag, draft, action=Action.FORGET, killed=held.killed, is_voiding=True, flag_before=flag)


def put_segment(
    key: str, document: object, current: SegmentDocument | None, *, revision: int, draw: Draw
) -> SegmentEdit | None:
    """The segment made (`current` is None) or replaced. A salt that is left out stays as it is."""
    demand_shallow(document)
    before = {} if current is None else current.model_dump(mode="json")
    document, faults = without_server_members(document, before, SEGMENT_SERVER_MEMBERS)
    if isinstance(document, dict):
        document = {"key": key, **document}
        faults += fixed_faults(document, before or {"key": key}, ("key", "unit") if before else ("key",))
    draft = checked_segment(document, faults)
    salt = draft.salt or (current.salt if current else None) or new_salt(draw)
    after = SegmentDocument(**(members_of(draft) | {"salt": salt}), revision=revision)
    diff = segment_differences(current, after)
    if not diff:
        return None
    return SegmentEdit(after, compile_segment(after), Action.UPDATE if current else Action.CREATE, diff)


def _off_variant(draft: FlagDraft) -> Variant:
    if draft.type != "boolean":
        return draft.variants[-1]
    return next((variant for variant in reversed(draft.variants) if variant.value is False), draft.variants[-1])


def _archiving(was_archived: bool, is_archived: bool) -> Action:
    if was_archived is is_archived:
        return Action.UPDATE
    return Action.ARCHIVE if is_archived else Action.RESTORE


def _republished(place: Place, before: FlagDocument, after: FlagDocument, action: Action) -> Outcome:
    held = _held(place).document
    return outcome(
        place,
        after,
        draft_of(held),
        action=action,
        killed=held.killed,
        is_voiding=action is not Action.UPDATE,
        flag_before=before,
    )


def _demand_published(flag: FlagDocument) -> None:
    if flag.archived:
        raise DocumentInvalid([Fault("", 'the flag is archived; restore it first: PATCH {"archived": false} on it')])


def _surroundings(flag: FlagDraft, place: Place) -> Surroundings:
    variants = tuple(variant.key for variant in flag.variants)
    return Surroundings(flag.key, variants, flag.unit, place.segments, place.neighbours)


def _demand_served(draft: FlagDraft, places: Sequence[Place]) -> None:
    """Nothing, if the flag fits every environment's settings, its own and others'. Raises: DocumentInvalid."""
    faults = (
        Fault(fault.path, f"in environment '{place.environment}': {fault.message}")
        for place in places
        for fault in (*_unserved(draft, place), *_unmet(draft, place))
    )
    said: dict[str, list[str]] = {}
    for fault in islice(faults, FAULTS_LIMIT_COUNT):
        said.setdefault(fault.path, []).append(fault.message)
    if said:
        raise DocumentInvalid(Fault(path, "; ".join(messages)) for path, messages in said.items())


def _unserved(draft: FlagDraft, place: Place) -> Iterator[Fault]:
    """Why the settings do not fit the flag. What an archived one asks for need not be there until it returns."""
    settings = draft_of(_held(place).document).model_dump(mode="json")
    if draft.archived:
        settings["prerequisites"] = []
    try:
        checked_settings(settings, _surroundings(draft, place))
    except DocumentInvalid as error:
        for fault in error.faults:
            yield Fault("/archived" if fault.path.startswith("/prerequisites/") else "/variants", str(fault))


def _unmet(draft: FlagDraft, place: Place) -> Iterator[Fault]:
    variants = [variant.key for variant in draft.variants]
    yield from dependence_faults(draft.key, variants, is_archived=draft.archived, neighbours=place.neighbours)


def _held(place: Place) -> SettingsState:
    if place.settings is None:
        raise AssertionError(f"environment {place.environment!r} has no settings of a flag that exists")
    return place.settings


def _archived_faults(document: object) -> Iterator[Fault]:
    if isinstance(document, dict) and document.get("archived") is True:
        yield Fault("/archived", "true found, must be false: a new flag is not archived")
