"""What an edit does: revisions, floors, ids, diffs; and what it leaves alone."""

from collections.abc import Callable
from typing import Any

import pytest

from pennon.control import Action, edits
from pennon.errors import DocumentInvalid

MakeSplit = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("type_", "values", "off"),
    [
        ("boolean", [True, False], "b"),
        ("boolean", [False, True], "a"),
        ("boolean", [True, True], "b"),
        ("string", ["x", "y", "z"], "c"),
        ("json", [False, {}], "b"),
    ],
)
def test_create_flag_serves_the_off_variant(
    type_: str, values: list[Any], off: str, new_desk: Callable[..., Any]
) -> None:
    """The last variant; of a boolean flag the last that is false, if one is."""
    variants = [{"key": key, "value": value} for key, value in zip("abc", values, strict=False)]

    settings = new_desk({"key": "f", "type": type_, "variants": variants}).settings

    assert (off, off, True) == (settings.off, settings.fallthrough.variant, settings.on)


def test_create_flag_draws_again_what_is_taken() -> None:
    """An id that another flag or variant has is passed over."""
    numbers = iter([5, 6, 1, 1, 2])
    flag = {"key": "f", "type": "boolean", "variants": [{"key": "a", "value": True}, {"key": "b", "value": False}]}

    made = edits.create_flag(flag, [], taken_ids={5}, draw=lambda _: next(numbers)).flag.document

    assert (6, [1, 2]) == (made.id, [variant.id for variant in made.variants])


def test_variant_ids_follow_their_keys_and_are_never_used_again(new_desk: Callable[..., Any]) -> None:
    """A carried decision must not come to mean another variant."""
    desk = new_desk({"key": "f", "type": "string", "variants": [{"key": k, "value": k} for k in ("a", "b")]})
    first = {variant.key: variant.id for variant in desk.flag.document.variants}
    ever = set(first.values())

    for i in range(100):
        named = [{"key": f"c{i}", "value": "c"}, {"key": "b", "value": "b"}]
        desk.patch_flag({"variants": named})
        new, b = desk.flag.document.variants
        assert first["b"] == b.id
        assert new.id not in ever
        ever.add(new.id)


def test_variant_ids_run_out_with_a_fault(new_desk: Callable[..., Any]) -> None:
    """The 257th variant of a flag's life has no id left."""
    desk = new_desk({"key": "f", "type": "string", "variants": [{"key": "off", "value": ""}]})
    for i in range(255):
        desk.patch_flag({"variants": [{"key": f"v{i}", "value": ""}, {"key": "off", "value": ""}]})

    with pytest.raises(DocumentInvalid, match="/variants: 256 variants have used up the ids"):
        desk.patch_flag({"variants": [{"key": "one-more", "value": ""}, {"key": "off", "value": ""}]})


@pytest.mark.parametrize("patch", [{}, {"on": True}, {"rules": []}, {"revision": 1}, {"fallthrough": {"split": None}}])
def test_a_patch_that_changes_nothing_is_no_edit(patch: dict[str, Any], desk: Any) -> None:
    """No revision, no row, no event: the members of the server may be sent back as they are."""
    assert desk.patch(patch) is None


def test_documents_sent_back_as_read_are_no_edit(desk: Any, split_of: MakeSplit, rule_of: MakeSplit) -> None:
    """Read, edit nothing, send: what the server set is accepted as it was."""
    desk.patch({"fallthrough": split_of(), "rules": [rule_of("r1", split_of())]})

    assert desk.patch(desk.settings.model_dump(mode="json")) is None
    assert desk.patch_flag(desk.flag.document.model_dump(mode="json")) is None


def test_kill_raises_the_floor_once(desk: Any) -> None:
    """A kill of a killed flag changes nothing: same revision, no new floor."""
    killed = desk.kill()

    assert (2, 2, True) == (killed.record.revision, killed.record.void_before, killed.record.killed)
    assert desk.kill() is None


def test_unkill_raises_the_floor_again(desk: Any) -> None:
    """What was decided while it was killed, and before, stays void."""
    desk.kill()
    unkilled = desk.kill(killed=False)

    assert (3, False) == (unkilled.record.void_before, unkilled.record.killed)
    assert desk.kill(killed=False) is None


def test_archive_takes_the_flag_out_and_its_return_brings_it_back(desk: Any) -> None:
    """Both raise the floor; the return is a patch."""
    archived = desk.patch_flag({"archived": True}).outcomes[0]
    restored = desk.patch_flag({"archived": False}).outcomes[0]

    assert (Action.ARCHIVE, None, 2) == (archived.action, archived.record, archived.state.document.void_before)
    assert (Action.RESTORE, 3) == (restored.action, restored.record.void_before)


def test_a_kill_outlives_archive_and_return(desk: Any) -> None:
    """A flag that was killed does not come back alive by the side door."""
    desk.kill()
    desk.patch_flag({"archived": True})

    assert desk.patch_flag({"archived": False}).outcomes[0].record.killed


@pytest.mark.parametrize(
    "patch",
    [
        {"on": False},
        {"off": "on"},
        {"fallthrough": {"variant": "on"}},
        {"rules": [{"id": "r", "clauses": [{"op": "present", "attribute": "a"}], "serve": {"variant": "on"}}]},
    ],
)
def test_other_edits_leave_the_floor(patch: dict[str, Any], desk: Any) -> None:
    """Units keep what they were given: that is what carrying is for."""
    desk.kill()
    desk.kill(killed=False)

    assert 3 == desk.patch(patch).record.void_before


def test_a_flag_edit_leaves_floor_and_phases(desk: Any, split_of: MakeSplit) -> None:
    """A new description, or another value of a variant, decides nobody anew."""
    desk.patch({"fallthrough": split_of()})
    before = desk.settings

    desk.patch_flag({"description": "words"})

    assert before.model_copy(update={"revision": 3}) == desk.settings


def test_diff_tells_the_author_what_changed(desk: Any) -> None:
    """Members by path, without the numbers of the server."""
    diff = desk.patch({"on": False, "fallthrough": {"variant": "on"}}).diff

    assert [("/on", True, False), ("/fallthrough/variant", "off", "on")] == [(d.path, d.before, d.after) for d in diff]


def test_diff_of_a_flag_edit_stands_below_flag(desk: Any) -> None:
    """One row tells both: what the edit did to the flag, and to the settings here."""
    diff = desk.patch_flag({"description": "words"}).outcomes[0].diff

    assert [("/flag/description", "", "words")] == [(d.path, d.before, d.after) for d in diff]


def test_segment_history_holds_no_unit_keys() -> None:
    """The log is never edited; a person who must be forgotten must not be in it."""
    draw = iter(range(99)).__next__
    made = edits.put_segment("beta", {"members": ["anna"]}, None, revision=1, draw=lambda _: draw())
    assert made is not None
    changed = edits.put_segment("beta", {"members": ["bob", "eve"]}, made.document, revision=2, draw=lambda _: draw())
    assert changed is not None

    assert "anna" not in str((made.diff, changed.diff, changed.record))
    assert [("/members/added", None, 2), ("/members/removed", None, 1)] == [
        (d.path, d.before, d.after) for d in changed.diff
    ]
    assert made.document.salt == changed.document.salt
