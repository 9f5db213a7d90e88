"""The page of public names is an index of them: none is missing, none stands there that is gone."""

import re
from enum import EnumType
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import ParamSpec, TypeVar

import pytest

import pennon
from pennon import errors
from pennon.headers import std
from pennon.headers.standard import StandardField

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
PAGE = (REFERENCE / "names.md").read_text(encoding="utf-8")
FIELDS = (REFERENCE / "fields.md").read_text(encoding="utf-8")

ROOMS = [
    "pennon", "pennon.client", "pennon.client.openfeature", "pennon.deadlines", "pennon.errors", "pennon.headers",
    "pennon.http", "pennon.kafka", "pennon.kafka.aio", "pennon.logs", "pennon.otel", "pennon.signing", "pennon.testing",
    "pennon.testing.headers",
]  # fmt: skip


def _names(room: str) -> set[str]:
    """What the room exports; without `__all__` what it defines."""
    found = vars(module := import_module(room))
    defined = {
        name
        for name, value in found.items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == room
        and not isinstance(value, TypeVar | ParamSpec)
    }
    return set(getattr(module, "__all__", defined))


def _rows(room: str) -> list[str]:
    """The names in the first cells of the room's tables, whole ones."""
    cells = re.findall(r"^\| (`.*?) \|", _section(room), re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def _section(room: str) -> str:
    [section] = re.findall(rf"^## `{re.escape(room)}`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return str(section)


@pytest.mark.parametrize("room", ROOMS)
def test_page_has_a_row_for_every_public_name_and_no_other(room: str) -> None:
    """Whoever adds a name says here what it is for."""
    rows = _rows(room)
    assert sorted(_names(room)) == sorted(rows)


def test_page_has_a_section_for_every_room_that_users_import() -> None:
    """Those that `import pennon` names, and their parts."""
    rooms = {f"pennon.{name}" for name in pennon.__all__ if _is_room(name)}
    # It is a module that can be called, and nothing else of it is for users.
    assert rooms - {"pennon.counters"} <= set(ROOMS)
    assert {*ROOMS, "pennon.headers.std"} == set(re.findall(r"^## `(.+)`$", PAGE, re.MULTILINE))


def _is_room(name: str) -> bool:
    return isinstance(getattr(pennon, name), ModuleType)


def test_page_lists_enumerations_as_they_are() -> None:
    """Their members, all of them and in order."""
    public = [getattr(import_module(room), name) for room in ROOMS for name in _names(room)]
    lists = {" ".join(each.__members__) for each in public if isinstance(each, EnumType)}
    assert set() == set(re.findall(r"`([A-Z_]+(?: [A-Z_]+)+)`", PAGE)) - lists


def test_page_states_the_code_of_every_error() -> None:
    """Programs tell errors apart by it, over the network too."""
    stated = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", _section("pennon.errors"), re.MULTILINE))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PennonError)]
    assert {kind.__name__: kind.code for kind in kinds} == stated


def test_page_says_how_every_built_in_field_is_called() -> None:
    """By its header's name, except those that stand in a row; the page of fields has each header."""
    fields = {name: value.name for name, value in vars(std).items() if isinstance(value, StandardField)}
    otherwise = {name for name, header in fields.items() if name != header.upper().replace("-", "_")}

    assert otherwise | {"ALL", "BY_NAME"} == set(_rows("pennon.headers.std"))
    assert set() == {header for header in fields.values() if f"\n| `{header}` |" not in FIELDS}


def test_page_links_to_pages_that_are_there() -> None:
    """And to headings that they have."""
    broken = []
    for target in re.findall(r"\]\(([^)]*)\)", PAGE):
        page, _, heading = target.partition("#")
        text = (REFERENCE / page).read_text(encoding="utf-8") if page else PAGE
        slugs = {_slug(title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
        broken += [target] if heading and heading not in slugs else []
    assert [] == broken


def _slug(title: str) -> str:
    """What a heading's anchor is called on the usual hosts."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
