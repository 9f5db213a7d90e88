"""The contract of `Store`: what SDKs report counts once, however often it is sent."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pennon.carry import Divergence, DivergenceCount, OverrideUse
from pennon.control import Report
from pennon.errors import DocumentInvalid, NotFound

HERE = ("shop", "production")


def _use(
    token: str = "a", *, count: int = 1, first_ms: int = 10, last_ms: int = 20, variant: str = "on"
) -> OverrideUse:
    return OverrideUse(token, "checkout", variant, count, first_ms, last_ms)


def _report(number: int, *parts: OverrideUse | DivergenceCount, service: str = "orders") -> Report:
    uses = tuple(part for part in parts if isinstance(part, OverrideUse))
    divergence = tuple(part for part in parts if isinstance(part, DivergenceCount))
    return Report(f"{number:032x}", service, uses, divergence)


def _uses(books: Any, **asked: Any) -> list[Any]:
    return list(books.store.override_uses(*HERE, **asked).items)


def test_uses_of_a_token_add_up_by_service(books: Any) -> None:
    """Counts are summed, the first and the last time kept."""
    books.store.add_report(books.id, _report(1, _use(count=2, first_ms=10, last_ms=20)))
    books.store.add_report(books.id, _report(2, _use(count=3, first_ms=5, last_ms=15)))
    books.store.add_report(books.id, _report(3, _use(), service="cart"))

    assert [("cart", 1, 10, 20), ("orders", 5, 5, 20)] == [
        (use.service, use.count, use.first_ms, use.last_ms) for use in _uses(books)
    ]


def test_report_sent_again_counts_once(books: Any) -> None:
    """Whatever it says the second time; in another environment it is another report."""
    assert [True, False] == [books.store.add_report(books.id, _report(1, _use(count=n))) for n in (2, 7)]
    assert books.store.add_report(books.staging.environment.id, _report(1, _use()))
    assert [2] == [use.count for use in _uses(books)]


def test_report_that_fails_can_be_sent_again(books: Any) -> None:
    """Its id is noted with what it says, in one transaction, or not at all."""
    broken = _report(1, _use(), OverrideUse("b", "checkout", None, 1, 1, 1))  # type: ignore[arg-type]
    with pytest.raises(Exception, match="NOT NULL"):
        books.store.add_report(books.id, broken)
    assert books.store.add_report(books.id, _report(1, _use()))
    assert [1] == [use.count for use in _uses(books)]


def test_ids_of_reports_are_forgotten_after_a_week(books: Any) -> None:
    """The table that knows them does not grow for ever."""
    books.store.add_report(books.id, _report(1, _use()))
    books.clock.at_ns += 7 * 24 * 3_600 * 10**9
    assert not books.store.add_report(books.id, _report(1, _use()))
    books.clock.at_ns += 1
    books.store.add_report(books.id, _report(2, _use()))
    assert books.store.add_report(books.id, _report(1, _use()))


def test_uses_of_one_token_can_be_asked_for(books: Any) -> None:
    """Registered or not."""
    books.store.add_report(books.id, _report(1, _use("a"), _use("b"), _use("b", variant="off")))
    assert [("b", "off"), ("b", "on")] == [(use.id, use.variant) for use in _uses(books, override="b")]
    assert [] == _uses(books, override="c")


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_pages_of_uses_give_everything_once_in_order(limit: int, books: Any) -> None:
    """Also where tokens, flags and services hold what a cursor might be made of."""
    for i, service in enumerate(('a"b', "a,b", "ä b", "[1]")):
        books.store.add_report(books.id, _report(i, _use("x"), _use("y"), service=service))
    found, cursor = [], None
    while True:
        page = books.store.override_uses(*HERE, cursor=cursor, limit=limit)
        found += [(use.id, use.service) for use in page.items]
        if (cursor := page.cursor) is None:
            break
    assert sorted((token, service) for token in "xy" for service in ('a"b', "a,b", "ä b", "[1]")) == found


@pytest.mark.parametrize("cursor", ["", "!", "eA", "W10", "WyJhIl0", "WzEsMiwzLDRd"])
def test_foreign_cursor_of_uses_is_a_fault(cursor: str, books: Any) -> None:
    """Not JSON, too few parts, no texts."""
    with pytest.raises(DocumentInvalid, match="/cursor"):
        books.store.override_uses(*HERE, cursor=cursor)


REPORTS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(("orders", "cart")),
        st.lists(
            st.tuples(st.sampled_from(("checkout", "search", "")), st.sampled_from(Divergence), st.integers(1, 9)),
            max_size=6,
        ),
    ),
    max_size=6,
)


@pytest.mark.slow
@given(reports=REPORTS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_divergence_adds_up(reports: list[Any], new_books: Callable[[], Any]) -> None:
    """By service, flag and cause, also where a report names one twice; each report once."""
    books, expected, seen = new_books(), Counter[tuple[str, str, str]](), set[int]()
    for number, service, items in reports:
        is_new = books.store.add_report(
            books.id, _report(number, *(DivergenceCount(*item) for item in items), service=service)
        )
        assert is_new is (number not in seen)
        for flag, cause, count in items if is_new else ():
            expected[service, flag, cause.value] += count
        seen.add(number)

    totals = books.store.divergence(*HERE, since_ms=0)
    assert expected == {(total.service, total.flag, total.cause.value): total.count for total in totals}
    assert sorted(expected) == [(total.service, total.flag, total.cause.value) for total in totals]


def test_divergence_is_asked_for_since_an_hour(books: Any) -> None:
    """What arrived in that hour counts whole."""
    hour_ms = 3_600_000
    began_ms = books.clock.at_ns // 10**6
    books.store.add_report(books.id, _report(1, DivergenceCount("checkout", Divergence.AGREED, 3)))
    books.clock.at_ns += hour_ms * 10**6
    books.store.add_report(books.id, _report(2, DivergenceCount("checkout", Divergence.AGREED, 4)))

    counted = [
        [total.count for total in books.store.divergence(*HERE, since_ms=since_ms)]
        for since_ms in (0, began_ms, began_ms + hour_ms, began_ms + 2 * hour_ms)
    ]

    assert [[7], [7], [4], []] == counted


@pytest.mark.slow
def test_report_of_thousands_is_taken(books: Any) -> None:
    """More than SQLite takes in one statement."""
    flags = (DivergenceCount(f"flag-{i}", Divergence.OTHER, 1) for i in range(6_000))
    books.store.add_report(books.id, _report(1, *flags, *(_use(f"token-{i}") for i in range(5_000))))

    assert 6_000 == len(books.store.divergence(*HERE, since_ms=0))
    assert 500 == len(_uses(books, limit=500))


def test_environment_that_is_not_there_has_no_reports(books: Any) -> None:
    """By id and by key."""
    asks: list[Callable[[], object]] = [
        lambda: books.store.add_report(7, _report(1)),
        lambda: books.store.override_uses("shop", "none"),
        lambda: books.store.divergence("shop", "none", since_ms=0),
    ]
    for ask in asks:
        with pytest.raises(NotFound):
            ask()
