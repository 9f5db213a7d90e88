"""Every rule of a contract can be seen to be kept: a service with another one fails the case that names it."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from tests.requirements.mutants import BOUNDARY, FOR_PEOPLE, MUTANTS, RIGHT, RULED, SEEN_ELSEWHERE, Mutant

import pennon.http
from pennon.headers import Category, Contract
from pennon.testing.headers import cases_of

ROOT = Path(__file__).parents[2]
CASES = cases_of(RIGHT, BOUNDARY)
DOORS = ("asgi", "wsgi")


def _door(contract: Contract, kind: str = "asgi") -> Any:
    def app(*_: Any) -> Any:
        raise AssertionError("the kit's probe stands in its place")

    return getattr(pennon.http, kind)(app, contract, boundary=BOUNDARY)


def _is_kept(case: Any, door: Any) -> bool:
    try:
        case.run(door)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("kind", DOORS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_right_contract_keeps_every_rule(case: Any, kind: str) -> None:
    """Or the cases would find mutants everywhere."""
    case.run(_door(RIGHT, kind))


@pytest.mark.req(4, 6, 62, 63, 108, 109, 110, 111, 118, 121, 122, 126)
@pytest.mark.parametrize("kind", DOORS)
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_mutant_is_found_by_the_case_of_its_rule(mutant: Mutant, kind: str) -> None:
    """One rule is another, and that is what is said."""
    door = _door(mutant.contract, kind)
    asked = [case for case in CASES if case.id.startswith(mutant.found_by)]
    assert asked, f"the kit has no case {mutant.found_by}"
    assert not all(_is_kept(case, door) for case in asked)


@pytest.mark.parametrize("rule", ["category", "owner", "description"])
def test_rule_for_people_is_found_by_comparing(rule: str) -> None:
    """It changes nothing that a caller could see; the door's own declaration says it."""
    other: dict[str, Any] = {rule: Category.EXECUTION if rule == "category" else "another"}
    changed = dataclasses.replace(RIGHT.fields[0], **other)
    door = _door(dataclasses.replace(RIGHT, fields=[changed, *RIGHT.fields[1:]]))
    [declared] = [case for case in CASES if case.id == "x-pool/declared"]
    assert not _is_kept(declared, door)


@pytest.mark.req(126)
@pytest.mark.parametrize("kind", RULED, ids=lambda kind: kind.__name__)
def test_every_rule_has_a_mutant(kind: Any) -> None:
    """A rule that nothing can break is in vain, or untested."""
    rules = {f"{kind.__name__}.{each.name}" for each in dataclasses.fields(kind) if each.init and each.name != "_"}
    assert rules - FOR_PEOPLE - SEEN_ELSEWHERE.keys() == {mutant.rule for mutant in MUTANTS} & rules


@pytest.mark.parametrize("place", SEEN_ELSEWHERE.values())
def test_rule_that_is_seen_elsewhere_has_a_test_there(place: str) -> None:
    """The test that is named exists."""
    file, _, name = place.partition("::")
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
