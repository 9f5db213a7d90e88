"""Prerequisites: what they do to floors, what an author is told, and the graph that they form."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennon.control.prerequisites import (
    CHAIN_LIMIT_COUNT,
    Neighbour,
    connected,
    cycle_of,
    dependents_of,
    longest_chain,
    named_in,
)
from pennon.errors import DocumentInvalid
from pennon.flags import PrerequisiteRecord

MakeDesk = Callable[..., Any]
PAYMENTS = {"prerequisites": [{"flag": "payments", "variants": ["on"]}]}
KEYS = tuple("abcdef")


def _around(void_before: int = 0, **more: Neighbour) -> dict[str, Neighbour]:
    return {"payments": Neighbour(("on", "off"), void_before=void_before), **more}


def test_prerequisites_are_compiled_as_written(new_desk: MakeDesk) -> None:
    """In their order, with every variant."""
    desk = new_desk(neighbours=_around(ranking=Neighbour(("old", "new"))))

    asked = [{"flag": "ranking", "variants": ["new", "old"]}, {"flag": "payments", "variants": ["on"]}]
    record = desk.patch({"prerequisites": asked}).record

    assert (PrerequisiteRecord("ranking", ("new", "old")), PrerequisiteRecord("payments", ("on",))) == (
        record.prerequisites
    )


def test_a_new_prerequisite_is_no_new_phase(new_desk: MakeDesk, split_of: Callable[..., Any]) -> None:
    """Units keep their variants, and what is carried stays: the flag's own floor does not move."""
    desk = new_desk(neighbours=_around())
    before = desk.patch({"fallthrough": split_of()}).record

    made = desk.patch(PAYMENTS)

    assert (before.fallthrough, before.void_before, ()) == (
        made.record.fallthrough,
        made.record.void_before,
        made.notes,
    )


def test_a_new_prerequisite_brings_its_floor_with_it(new_desk: MakeDesk) -> None:
    """The author is told what that voids; the flag's own floor stays: it is the engine that takes the greater one."""
    made = new_desk(neighbours=_around(void_before=40)).patch(PAYMENTS)

    assert 0 == made.record.void_before
    assert ("a prerequisite's void floor holds here, too: what was decided before revision 40 is void",) == made.notes


def test_a_prerequisite_that_is_taken_away_leaves_its_floor_behind(new_desk: MakeDesk) -> None:
    """What was void because of it must not be revived."""
    desk = new_desk(neighbours=_around(void_before=40))
    desk.patch(PAYMENTS)

    assert 40 == desk.patch({"prerequisites": []}).record.void_before


def test_a_prerequisite_of_a_prerequisite_leaves_its_floor_behind(new_desk: MakeDesk) -> None:
    """The floor that counts is the greatest of all that is depended on."""
    deep = {"cards": ("on",)}
    around = {
        "payments": Neighbour(("on", "off"), void_before=3, prerequisites=deep),
        "cards": Neighbour(("on",), void_before=50),
    }
    desk = new_desk(neighbours=around)
    desk.patch(PAYMENTS)

    assert 50 == desk.patch({"prerequisites": []}).record.void_before


@pytest.mark.parametrize("deed", ["kill", "forget"])
def test_dependents_are_named_where_a_floor_is_raised(deed: str, new_desk: MakeDesk) -> None:
    """They are decided anew with it, directly or not."""
    around = {
        "billing": Neighbour(("on",), prerequisites={"checkout": ("on",)}),
        "invoices": Neighbour(("on",), prerequisites={"billing": ("on",)}),
    }

    made = getattr(new_desk(neighbours=around), deed)()

    assert "flags that ask for it, directly or over others, are decided anew, too: 'billing', 'invoices'" in made.notes


def test_an_archived_flag_is_edited_without_its_prerequisites(new_desk: MakeDesk) -> None:
    """What it asks for may be gone until it returns."""
    desk = new_desk(neighbours=_around())
    desk.patch(PAYMENTS)
    desk.patch_flag({"archived": True})
    desk.neighbours = {"payments": Neighbour(("off",), is_archived=True)}

    assert desk.patch_flag({"description": "words"}) is not None
    with pytest.raises(DocumentInvalid, match='"payments" found, must be a flag that is not archived'):
        desk.patch_flag({"archived": False})


def test_forget_raises_the_floor_and_nothing_else(desk: Any) -> None:
    """Each time, since each time there may be something to forget."""
    before = desk.settings

    made = desk.forget()

    assert before.model_copy(update={"void_before": 2, "revision": 2}) == desk.settings
    assert ("forgotten: units are decided anew, and what was decided before is void",) == made.notes
    assert [("/void_before", 0, 2)] == [(d.path, d.before, d.after) for d in made.diff]
    assert 3 == desk.forget().record.void_before


def test_forget_of_an_archived_flag_is_refused(desk: Any) -> None:
    """It has no floor that anybody knows; its return raises one."""
    desk.patch_flag({"archived": True})

    with pytest.raises(DocumentInvalid, match="the flag is archived"):
        desk.forget()


@st.composite
def _graphs(draw: st.DrawFn) -> dict[str, Neighbour]:
    """Any graph over a few flags in which each asks only for later ones: no cycle."""
    return {
        key: Neighbour(("on",), prerequisites=dict.fromkeys(draw(st.sets(st.sampled_from(KEYS[i + 1 :]))), ("on",)))
        if KEYS[i + 1 :]
        else Neighbour(("on",))
        for i, key in enumerate(KEYS)
    }


@given(graph=_graphs(), flag=st.sampled_from(KEYS), asked=st.sampled_from(KEYS))
@settings(max_examples=200)
def test_a_cycle_is_found_exactly_where_the_asked_flag_depends_on_the_asking(
    graph: dict[str, Neighbour], flag: str, asked: str
) -> None:
    """And it is a way that one can follow, from the flag back to it, over each flag once."""
    if flag == asked:
        return
    cycle = cycle_of(flag, asked, graph)

    assert (asked in dependents_of(flag, graph)) == (cycle is not None)
    if cycle is not None:
        assert (flag, asked, flag) == (cycle[0], cycle[1], cycle[-1])
        assert len(set(cycle)) == len(cycle) - 1
        assert all(after in graph[before].prerequisites for before, after in pairwise(cycle[1:]))


@given(graph=_graphs(), flag=st.sampled_from(KEYS), asked=st.sampled_from(KEYS))
@settings(max_examples=200)
def test_the_longest_chain_is_longer_than_no_other(graph: dict[str, Neighbour], flag: str, asked: str) -> None:
    """Against all chains, counted out."""
    if flag == asked or cycle_of(flag, asked, graph):
        return

    def ends(key: str) -> int:
        return 1 + max((ends(one) for one in graph[key].prerequisites), default=0)

    def begins(key: str) -> int:
        return 1 + max((begins(one) for one in graph if key in graph[one].prerequisites), default=0)

    assert begins(flag) + ends(asked) == len(longest_chain(flag, asked, graph))


@given(graph=_graphs(), flag=st.sampled_from(KEYS), named=st.sets(st.sampled_from(KEYS)))
@settings(max_examples=100)
def test_connected_is_all_that_the_checks_look_at(graph: dict[str, Neighbour], flag: str, named: set[str]) -> None:
    """A check on this part of the graph finds what it finds on all of it."""
    keys = connected(flag, named, {key: one.prerequisites for key, one in graph.items()})
    part = {key: graph[key] for key in keys}
    whole = {key: one for key, one in graph.items() if key != flag}

    assert dependents_of(flag, whole) == dependents_of(flag, part)
    for asked in named - {flag}:
        assert cycle_of(flag, asked, whole) == cycle_of(flag, asked, part)
        if cycle_of(flag, asked, whole) is None:
            assert len(longest_chain(flag, asked, whole)) == len(longest_chain(flag, asked, part))


def test_a_chain_may_be_as_long_as_the_limit(new_desk: MakeDesk) -> None:
    """And not one longer."""
    around = {
        f"f{i}": Neighbour(("on",), prerequisites={f"f{i + 1}": ("on",)}) for i in range(1, CHAIN_LIMIT_COUNT)
    } | {f"f{CHAIN_LIMIT_COUNT}": Neighbour(("on",))}
    desk = new_desk(neighbours=around)

    assert desk.patch({"prerequisites": [{"flag": "f2", "variants": ["on"]}]}) is not None
    with pytest.raises(DocumentInvalid, match=f"more than {CHAIN_LIMIT_COUNT} flags"):
        desk.patch({"prerequisites": [{"flag": "f1", "variants": ["on"]}]})


@pytest.mark.parametrize(
    "document", [None, [], {"prerequisites": {}}, {"prerequisites": [1, {"flag": 2}, {"flag": "Not a key"}, {}]}]
)
def test_named_in_reads_any_document(document: object) -> None:
    """What has the wrong shape names nothing."""
    assert frozenset() == named_in(document)


def test_flag_says_how_it_is_carried(desk: Any) -> None:
    """The record has what the project says of the flag."""
    record = desk.patch_flag({"carry_max_age_s": 60, "at": "publish", "overridable": True}).outcomes[0].record

    said = msgspec.to_builtins(record)
    assert (60, "publish", True) == (said["carry_max_age_s"], said["at"], said["overridable"])
