"""The walls that import-linter cannot hold: what a pure room may import, how long a file may grow."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "pennon"

# Modules of the standard library that neither do I/O nor read a clock nor draw randomness.
PURE_STANDARD = frozenset(
    """abc array base64 binascii bisect collections contextlib dataclasses datetime difflib enum functools hashlib heapq
    hmac ipaddress itertools json math operator re string struct tomllib types typing urllib zlib""".split()
)
# What each pure room needs beside them, pennon itself apart.
ALLOWED = {
    "context.py": {"msgspec"},
    "errors.py": {"msgspec"},
    "headers": {"msgspec", "http_sf"},
    "flags": {"msgspec", "mmh3"},
    "carry": {"msgspec", "mmh3"},
    "sync": {"msgspec"},
    "control": {"msgspec", "pydantic", "pydantic_core"},
}
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "breakpoint"})
IMPURE_ATTRIBUTES = frozenset({"now", "utcnow", "today"})


def _files(room: str) -> list[Path]:
    place = SOURCE / room
    return [place] if place.suffix else sorted(place.rglob("*.py"))


def _imports(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_pure_room_imports_only_its_allow_list(room: str) -> None:
    """A room below the line reaches for nothing that does I/O, reads a clock or draws randomness."""
    files = _files(room)
    assert files, f"{room}: no such room"
    for file in files:
        strangers = _imports(ast.parse(file.read_text())) - PURE_STANDARD - ALLOWED[room] - {"pennon"}
        assert not strangers, f"{file.name}: {sorted(strangers)}"


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_pure_room_decides_without_doing(room: str) -> None:
    """No file access, no printing, no today's date, no coroutine in a room that takes values and returns values."""
    for file in _files(room):
        for node in ast.walk(ast.parse(file.read_text())):
            assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), f"{file.name}:{node.lineno}: async"
            if isinstance(node, ast.Call):
                called = node.func
                name = called.id if isinstance(called, ast.Name) else None
                attribute = called.attr if isinstance(called, ast.Attribute) else None
                assert name not in IMPURE_CALLS, f"{file.name}:{node.lineno}: {name}()"
                assert attribute not in IMPURE_ATTRIBUTES, f"{file.name}:{node.lineno}: .{attribute}()"


@pytest.mark.parametrize("room", sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()))
def test_room_says_what_lives_in_it(room: str) -> None:
    """Every room opens with a paragraph on what lives there and what does not."""
    docstring = ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text())) or ""
    assert len(docstring) >= 120, f"{room}/__init__.py: {docstring!r}"


def test_file_can_be_held_in_the_head() -> None:
    """No source file reaches 500 lines."""
    long = {
        str(f.relative_to(SOURCE)): n for f in SOURCE.rglob("*.py") if (n := len(f.read_text().splitlines())) >= 500
    }
    assert not long
