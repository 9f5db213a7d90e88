"""The files of vectors: written by their writer, each vector with a name of its own, and enough of them."""

import runpy
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "vectors" / "carry"
FEWEST = {"wire": 300, "baggage": 40, "judge": 80, "request": 100, "override": 40, "fingerprint": 20, "exposure": 20}


@pytest.fixture(scope="module")
def documents() -> Iterator[dict[str, str]]:
    """What the second implementation writes now, by file name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER.parents[3])
        yield runpy.run_path(str(FOLDER / "write_all.py"))["documents"]()


def test_vectors_are_what_their_writer_writes(documents: dict[str, str]) -> None:
    """Nobody edited the JSON without its cases, or the cases without the JSON."""
    assert documents == {name: (FOLDER / name).read_text(encoding="ascii") for name in documents}


def test_every_file_of_vectors_has_a_writer(documents: dict[str, str]) -> None:
    """None was written by what it tests."""
    assert {path.name for path in FOLDER.glob("*.json")} == documents.keys()


@pytest.mark.parametrize("file", [path.stem for path in FOLDER.glob("*.json")])
def test_vectors_have_names_of_their_own(file: str, vectors: Callable[[str], Any]) -> None:
    """A name cites one vector, in whichever list of its file it stands."""
    document = vectors(file)
    lists = [each for each in document.values() if isinstance(each, list)] if isinstance(document, dict) else [document]
    names = Counter(case["id"] for cases in lists for case in cases)
    assert [] == [name for name, count in names.items() if count > 1]
    assert FEWEST.get(file, 1) <= len(names)
