"""The contract of `Store`: exposures count once, however often they are reported."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pennon.control import Exposure

REPORTS = st.lists(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(("on", "off")), st.integers(1, 2)), max_size=8), max_size=4
)


def _exposure(number: int, variant: str, phase: int) -> Exposure:
    # The id says what it is of, as the client's digest does.
    return Exposure(f"{number:030x}{phase}{variant == 'on':d}", "checkout", variant, "user", phase, 1_000 + number)


@pytest.mark.slow
@given(reports=REPORTS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_each_exposure_counts_once(reports: list[list[tuple[int, str, int]]], new_books: Callable[[], Any]) -> None:
    """Repeated within a report or between reports."""
    books = new_books()
    seen: set[tuple[int, str, int]] = set()
    for report in reports:
        new = set(report) - seen
        receipt = books.store.add_exposures(books.id, [_exposure(*one) for one in report])
        assert (len(new), len(report) - len(new)) == (receipt.new_count, receipt.known_count)
        seen |= new

    counted = {(row.variant, row.phase): row.count for row in books.store.exposure_counts(books.id)}
    assert Counter((variant, phase) for _, variant, phase in seen) == counted


def test_environments_count_apart(books: Any) -> None:
    """The same id in another environment is another exposure."""
    books.store.add_exposures(books.id, [_exposure(1, "on", 1)])

    assert 1 == books.store.add_exposures(books.staging.environment.id, [_exposure(1, "on", 1)]).new_count
    assert [1] == [row.count for row in books.store.exposure_counts(books.id, "checkout")]
    assert () == books.store.exposure_counts(books.id, "search")


@pytest.mark.slow
def test_a_report_of_thousands_is_taken(books: Any) -> None:
    """More than SQLite takes in one statement."""
    receipt = books.store.add_exposures(books.id, [_exposure(number, "on", 1) for number in range(6_000)])

    assert 6_000 == receipt.new_count == books.store.exposure_counts(books.id)[0].count
