"""What is remembered, for how long, and when it is told of."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.journeys import Memory
from pennon.journeys.hops import Hop
from pennon.journeys.journey import HOPS_LIMIT_COUNT
from pennon.journeys.otlp import JSON, decode
from pennon.journeys.search import Query
from pennon.journeys.spans import hops_of

S = 1_000_000_000
ALL = Query.of("")

MakeHop = Callable[..., Hop]


def traces(memory: Memory, query: Query = ALL) -> list[int]:
    """The journeys found, by their small numbers."""
    return [int(summary.trace_id, 16) for summary in memory.search(query, limit=100)]


def test_journey_that_came_first_is_forgotten_first(hop: MakeHop) -> None:
    """The number is bounded; the newest stand first."""
    memory = Memory(limit_journeys=3)
    memory.add([hop(1, trace=number) for number in range(1, 6)], 0)
    assert [5, 4, 3] == traces(memory)
    assert memory.waterfall(f"{1:032x}") is None


def test_late_span_brings_no_forgotten_journey_back(hop: MakeHop) -> None:
    """It would stand there as a journey of one hop, which it never was."""
    memory = Memory(limit_journeys=1)
    memory.add([hop(1, trace=1), hop(1, trace=2), hop(2, trace=1)], 0)
    assert [2] == traces(memory)


def test_bytes_are_bounded_beside_the_number(hop: MakeHop) -> None:
    """Few large journeys weigh as much as many small ones."""
    memory = Memory(limit_journeys=1_000, limit_bytes=20_000)
    memory.add([hop(1, trace=number, **{"big.one": "x" * 4_000}) for number in range(1, 101)], 0)
    assert 1 <= len(memory) <= 5
    assert memory.size_bytes <= 20_000


def test_forgetting_gives_all_bytes_back(hop: MakeHop) -> None:
    """What is counted in is counted out."""
    memory = Memory(limit_journeys=1)
    memory.add([hop(1, trace=1)], 0)
    of_one_bytes = memory.size_bytes
    memory.add([hop(number, trace=trace) for trace in range(2, 9) for number in range(1, 4)], 0)
    memory.add([hop(1, trace=99)], 0)
    assert of_one_bytes == memory.size_bytes


def test_hops_of_one_journey_are_bounded_and_the_cut_is_shown(hop: MakeHop) -> None:
    """An endless trace does not push all others out."""
    memory = Memory()
    memory.add([hop(number) for number in range(1, HOPS_LIMIT_COUNT + 10)], 0)
    [summary] = memory.search(ALL, limit=10)
    assert (HOPS_LIMIT_COUNT, True) == (summary.hop_count, summary.is_cut)


def test_span_that_comes_twice_counts_once(hop: MakeHop) -> None:
    """An exporter that saw no answer sends again."""
    memory = Memory()
    for _ in range(3):
        memory.add([hop(1, is_error=True), hop(2, parent=1)], 0)
    [summary] = memory.search(ALL, limit=10)
    assert (2, 1) == (summary.hop_count, summary.error_count)
    assert (1, 1) == (memory.traffic(0).journeys_total, memory.traffic(0).errors_total)


@given(st.randoms(use_true_random=False))
def test_order_of_arrival_changes_nothing(random: Random) -> None:
    """Services export when they like; what they tell together is the same."""
    hops = _journey()
    whole = Memory()
    whole.add(hops, 0)
    shuffled = [*hops, *random.choices(hops, k=3)]
    random.shuffle(shuffled)
    pieces = Memory()
    for number, each in enumerate(shuffled):
        pieces.add([each], number)
    assert whole.search(ALL, limit=1) == pieces.search(ALL, limit=1)
    assert whole.waterfall(hops[0].trace_id) == pieces.waterfall(hops[0].trace_id)


def _journey() -> list[Hop]:
    sent = decode((Path(__file__).parent / "sample_trace.json").read_bytes(), JSON)
    return [hop for hop in hops_of(sent) if isinstance(hop, Hop)]


def test_quiet_journey_is_told_of_once(hop: MakeHop) -> None:
    """Not while it still grows, and not again until it changes."""
    memory = Memory()
    memory.add([hop(1)], 0)
    told = [len(memory.take_due(at, limit=10)) for at in (S // 5, S // 3, S)]
    memory.add([hop(2)], 2 * S)
    assert ([0, 1, 0], 1) == (told, len(memory.take_due(3 * S, limit=10)))


def test_journey_that_never_falls_quiet_is_told_of_every_second(hop: MakeHop) -> None:
    """Who watches a long one sees it grow."""
    memory = Memory()
    told = 0
    for tenth in range(1, 31):
        memory.add([hop(tenth)], tenth * S // 10)
        told += len(memory.take_due(tenth * S // 10, limit=10))
    assert 2 == told


def test_more_than_can_be_told_of_are_skipped_oldest_first(hop: MakeHop) -> None:
    """A page that is behind is not made to catch up."""
    memory = Memory()
    memory.add([hop(1, trace=number) for number in range(1, 8)], 0)
    assert [7, 6, 5] == [int(summary.trace_id, 16) for summary in memory.take_due(S, limit=3)]
    assert [] == memory.take_due(2 * S, limit=3)


def test_forgotten_journey_is_not_told_of(hop: MakeHop) -> None:
    """It has gone in between."""
    memory = Memory(limit_journeys=1)
    memory.add([hop(1, trace=1), hop(1, trace=2)], 0)
    assert ["0" * 31 + "2"] == [summary.trace_id for summary in memory.take_due(S, limit=10)]


def test_traffic_is_the_rate_of_the_last_seconds_and_the_totals_of_all(hop: MakeHop) -> None:
    """Journeys forgotten count; one with several errors counts once."""
    memory = Memory(limit_journeys=2)
    memory.add([hop(number, trace=trace, is_error=trace == 3) for trace in range(1, 11) for number in (1, 2)], 0)
    now, later = memory.traffic(S), memory.traffic(6 * S)
    assert (2.0, 10, 1) == (now.per_s, now.journeys_total, now.errors_total)
    assert (0.0, 10) == (later.per_s, later.journeys_total)


def test_threads_lose_nothing(hop: MakeHop) -> None:
    """Readers and writers at once."""
    memory = Memory(limit_journeys=50)
    failures: list[BaseException] = []

    def write(base: int) -> None:
        try:
            for trace in range(1, 200):
                memory.add([hop(base + 1, trace=trace), hop(base + 2, trace=trace)], 0)
                memory.search(ALL, limit=5)
                memory.waterfall(f"{trace:032x}")
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    writers = [Thread(target=write, args=(10 * number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [] == failures
    assert 50 == len(memory)


def test_memory_of_nothing_is_refused() -> None:
    """The message says what is allowed."""
    with pytest.raises(ValueError, match="must be at least 1"):
        Memory(limit_journeys=0)


@pytest.mark.parametrize(
    "typed",
    ["user-7", "  user-7\n", "req-1", "order-4711", f"{7:032x}", "0" * 20, "0" * 30 + "07"],
)
def test_search_finds_by_each_of_its_names(hop: MakeHop, typed: str) -> None:
    """User, request id, correlation id, trace id or enough of it; whatever was pasted around it."""
    memory = Memory()
    names = {"enduser.id": "user-7", "pennon.request_id": "req-1", "pennon.correlation_id": "order-4711"}
    memory.add([hop(1, trace=7, **names), hop(2, trace=7)], 0)
    assert [7] == traces(memory, Query.of(typed))


@pytest.mark.parametrize("typed", ["user-", "user-70", "USER-7", "0000000", "ffffffff", "order", "*"])
def test_search_finds_nothing_else(hop: MakeHop, typed: str) -> None:
    """A user is not another whose name begins alike."""
    memory = Memory()
    memory.add([hop(1, trace=7, **{"enduser.id": "user-7", "pennon.correlation_id": "order-4711"})], 0)
    assert [] == traces(memory, Query.of(typed))


def test_search_by_trace_id_minds_no_case(hop: MakeHop) -> None:
    """People paste what other tools print."""
    memory = Memory()
    memory.add([hop(1, trace=0xABCDEF << 100)], 0)
    assert 1 == len(traces(memory, Query.of(f"{0xABCDEF << 100:032X}")))


def test_one_correlation_id_finds_all_its_journeys(hop: MakeHop) -> None:
    """A conversation may be many requests."""
    memory = Memory()
    memory.add([hop(1, trace=trace, **{"pennon.correlation_id": "order-4711"}) for trace in (1, 2, 3)], 0)
    memory.add([hop(1, trace=4)], 0)
    assert [3, 2, 1] == traces(memory, Query.of("order-4711"))
    assert 2 == len(memory.search(Query.of("order-4711"), limit=2))
