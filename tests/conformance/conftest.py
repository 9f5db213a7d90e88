"""What the reference pages cite, and the check that it ran.

A page's normative sentences bear footnotes, the footnotes name vectors and tests (docs/reference/carrying.md, "How to
read this page"). `test_reference_page.py` holds the text to that; the plugin here fails a whole run in which something
cited did not pass.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.whole_run import WholeRun

from pennon.context import Entry, Origin

PAGES = ("docs/reference/carrying.md", "docs/reference/wire.md")
VECTORS = Path(__file__).parent / "vectors"

# Whose tests run the vectors of a file, one test for each, whose parameter is the vector's id.
RUNNERS = {
    "wire": "tests/conformance/test_wire.py",
    "baggage": "tests/conformance/test_baggage.py",
    "judge": "tests/conformance/test_judge.py",
    "request": "tests/conformance/test_request.py",
    "override": "tests/conformance/test_override.py",
    "exposure": "tests/conformance/test_digests.py",
    "fingerprint": "tests/conformance/test_digests.py",
    "signing/tokens": "tests/signing/test_tokens.py",
    "prerequisites": "tests/flags/test_prerequisites.py",
    "sync/replica": "tests/sync/test_vectors.py",
}

_NORMATIVE = re.compile(r"\b(must|never|only)\b", re.IGNORECASE)
_MARK = re.compile(r"\[\^([\w-]+)\]")
_FOOTNOTE = re.compile(r"^\[\^([\w-]+)\]: (.*)$")
_BLOCK_START = re.compile(r"^\s*(?:[-*] |\d+\. |\|)")
# Up to a full stop with its footnotes, where what follows begins like a sentence: "e.g. this" goes on.
_SENTENCE = re.compile(r"\S.*?(?:(?<!e\.g)[.!?][)*`\"]*(?:\[\^[\w-]+\])*(?=\s+[A-Z*`(\"]|$)|$)")


class Sentence(NamedTuple):
    """One sentence or table row of a page. marks: the names of its footnotes."""

    line: int
    text: str
    marks: tuple[str, ...]

    @property
    def is_normative(self) -> bool:
        """It says what must, must not, never or only is."""
        return _NORMATIVE.search(self.text) is not None


class Page(NamedTuple):
    """A page's sentences outside headings and code, and what each of its footnotes cites."""

    path: Path
    sentences: tuple[Sentence, ...]
    footnotes: dict[str, tuple[str, ...]]


def _page_at(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    sentences = [
        Sentence(line, each, tuple(_MARK.findall(each))) for line, block in _blocks(text) for each in _sentences(block)
    ]
    footnotes = {each[1]: tuple(each[2].split()) for each in map(_FOOTNOTE.match, text.splitlines()) if each}
    return Page(path, tuple(sentences), {name: tuple(i.strip("`") for i in ids) for name, ids in footnotes.items()})


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Paragraphs, list items and table rows, each with the line on which it begins."""
    begin, lines, is_code = 0, list[str](), False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        is_fence = line.lstrip().startswith("```")
        is_code ^= is_fence
        is_text = not (is_code or is_fence or not line.strip() or line.startswith("#") or _FOOTNOTE.match(line))
        if lines and (not is_text or _BLOCK_START.match(line)):
            yield begin, " ".join(lines)
            lines = []
        if is_text:
            begin = begin if lines else number
            lines.append(line.strip())


def _sentences(block: str) -> list[str]:
    # A table row is one: a footnote in its last cell speaks for all.
    return [block] if block.startswith("|") else _SENTENCE.findall(block)


@cache
def _vectors_of(file: str) -> set[str]:
    path = next((path for path in (VECTORS / f"carry/{file}.json", VECTORS / f"{file}.json") if path.is_file()), None)
    if path is None:
        return set()
    document = json.loads(path.read_text(encoding="utf-8"))
    lists = document.values() if isinstance(document, dict) else [document]
    cases = (case for each in lists if isinstance(each, list) for case in each)
    return {_slug(case.get("id") or case["name"]) for case in cases}


def _slug(name: str) -> str:
    """A vector's name as it is cited: hyphens for whatever is not a letter, a digit, a dot or a plus."""
    return re.sub(r"[^\w.+]+", "-", name).strip("-")


def _unmet(cited: Iterable[str], passed: Iterable[str]) -> list[str]:
    """Of what is cited, that for which no test passed. passed: node ids."""
    calls = [nodeid.partition("[") for nodeid in passed]
    tests = {"::".join(test.split("::")[:2]) for test, _, _ in calls}
    vectors = {(test.partition("::")[0], _slug(parameter.removesuffix("]"))) for test, _, parameter in calls}

    def is_met(each: str) -> bool:
        kind, _, name = each.partition(":")
        file, _, vector = name.rpartition("/")
        return name in tests if kind == "T" else (RUNNERS.get(file, ""), vector) in vectors

    return [each for each in cited if not is_met(each)]


class CitedTests(WholeRun):
    """Whatever a page cites has passed."""

    def missing(self, passed: set[str]) -> list[str]:
        pages = [_page_at(self.root / page) for page in PAGES]
        cited = {each for page in pages for ids in page.footnotes.values() for each in ids}
        return [f"a reference page cites {each}, and no test of that passed" for each in _unmet(sorted(cited), passed)]


def pytest_configure(config: pytest.Config) -> None:
    """Reports of other folders' tests reach plugins, not the conftest of this folder."""
    config.pluginmanager.register(CitedTests(config), "cited-tests")


@pytest.fixture(scope="session")
def page_at() -> Callable[[Path], Page]:
    """The page in a file."""
    return _page_at


@pytest.fixture(scope="session", params=PAGES)
def page(request: pytest.FixtureRequest) -> Page:
    """Each of the pages in turn."""
    return _page_at(request.config.rootpath / str(request.param))


@pytest.fixture(scope="session")
def vectors_of() -> Callable[[str], set[str]]:
    """The ids of a file's vectors; none if there is no such file."""
    return _vectors_of


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """A file of carrying's vectors, by name."""
    return lambda name: json.loads((VECTORS / "carry" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def entry_from() -> Callable[[dict[str, Any]], Entry]:
    """An entry from a vector's JSON."""
    return lambda said: Entry(**said | {"origin": Origin[said["origin"].upper()], "revision": int(said["revision"])})


@pytest.fixture(scope="session")
def said_by() -> Callable[[Entry], dict[str, Any]]:
    """An entry as a vector says it."""
    return lambda entry: {
        "environment": entry.environment,
        "epoch": entry.epoch,
        "fingerprint": entry.fingerprint,
        "decided_min": entry.decided_min,
        "flag_id": entry.flag_id,
        "variant_id": entry.variant_id,
        "origin": entry.origin.name.lower(),
        "revision": str(entry.revision),
    }
