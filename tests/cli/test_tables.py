"""What commands list, on screens of any width: nothing that is to be read as one thing is broken."""

from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pennon.cli import printing

WIDTHS = (60, 80, 120)
COLUMNS = ("id", "flag", "variant", "service", "uses", "first", "last")
USE = ("a485ac71ed7107d9", "ranking-experiment", "blend", "gateway", 82, "2026-11-21 22:32:05Z", "2026-11-21 22:35:32Z")
PIECES = {piece for cell in USE for piece in str(cell).split()}


def lines_of(width: int, rows: Sequence[Sequence[object]]) -> list[str]:
    """What is printed on a screen of this width."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as printed:
        patch.setenv("COLUMNS", str(width))
        printing.listing(COLUMNS, rows, nothing="nothing")
    return printed.getvalue().splitlines()


@pytest.mark.parametrize("width", WIDTHS)
def test_listing_breaks_no_id_name_or_date(width: int) -> None:
    """Every one stands whole in a line, and no line is wider than the screen."""
    lines = lines_of(width, [USE, USE])

    assert set() == PIECES - {piece for line in lines for piece in line.split()}
    assert width >= max(map(len, lines))


@pytest.mark.parametrize(("width", "is_table"), [(60, False), (80, False), (84, True), (120, True)])
def test_listing_is_a_table_where_there_is_the_room(width: int, is_table: bool) -> None:
    """Else a block for each line, with an empty line between two."""
    lines = [line.split() for line in lines_of(width, [USE, USE])]

    assert is_table is (lines[0] == list(COLUMNS))
    assert is_table or [["id", USE[0]], []] == [lines[0], lines[len(COLUMNS)]]
    assert is_table or ["last", *str(USE[6]).split()] == lines[-1]


def test_listing_leaves_out_of_a_block_what_is_empty() -> None:
    """Nothing is said of it in a table either."""
    lines = lines_of(60, [(*USE[:2], "", *USE[3:])])

    assert "variant" not in " ".join(lines)
    assert len(COLUMNS) - 1 == len(lines)


def test_listing_of_something_wider_than_the_screen_is_folded() -> None:
    """It can still be copied: nothing is cut off."""
    lines = lines_of(60, [("x" * 150, *USE[1:])])

    assert 150 == sum(line.count("x") for line in lines) - "".join(str(each) for each in USE[1:]).count("x")


def test_listing_of_nothing_says_so() -> None:
    """No head without a line."""
    assert ["nothing"] == lines_of(80, [])


CELLS = st.tuples(*[st.text("ab 界", max_size=25)] * len(COLUMNS))


@given(st.integers(20, 140), st.lists(CELLS, max_size=3))
def test_listing_fits_every_screen(width: int, rows: list[tuple[str, ...]]) -> None:
    """Whatever the cells hold, wide characters too."""
    assert width >= max(map(cell_len, lines_of(width, rows)))
