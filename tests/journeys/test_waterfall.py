"""A journey as it is looked at."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pennon.journeys import Memory
from pennon.journeys.hops import Hop
from pennon.journeys.search import Query
from pennon.journeys.spans import hop_of
from pennon.journeys.waterfall import in_waterfall

MakeHop = Callable[..., Hop]


def shape(*hops: Hop) -> list[tuple[int, int]]:
    """Numbers and depths, in order."""
    ordered = sorted(hops, key=lambda hop: (hop.began_ns, hop.span_id))
    return [(int(hop.span_id, 16), depth) for hop, depth in in_waterfall(ordered)]


def test_parents_stand_before_children_and_children_by_their_beginning(hop: MakeHop) -> None:
    """A child's children stand below it, not below its sibling."""
    rows = shape(
        hop(1),
        hop(2, parent=1, start_ms=5),
        hop(3, parent=1, start_ms=2),
        hop(4, parent=3, start_ms=9),
        hop(5, parent=2, start_ms=6),
    )
    assert [(1, 0), (3, 1), (4, 2), (2, 1), (5, 2)] == rows


def test_child_whose_clock_is_ahead_stands_below_its_parent(hop: MakeHop) -> None:
    """It began before its parent, says its machine."""
    assert [(1, 0), (2, 1)] == shape(hop(1, start_ms=5), hop(2, parent=1, start_ms=0))


def test_hop_whose_parent_is_not_here_is_a_root(hop: MakeHop) -> None:
    """It may still come, or belong to somebody who sends no spans."""
    assert [(1, 0), (2, 0), (3, 1)] == shape(hop(1), hop(2, parent=77, start_ms=1), hop(3, parent=2, start_ms=2))


def test_circle_is_shown_once(hop: MakeHop) -> None:
    """Two that name each other as parent, and one that names itself."""
    rows = shape(hop(1, parent=2), hop(2, parent=1, start_ms=1), hop(3, parent=3, start_ms=2))
    assert [(1, 0), (2, 1), (3, 0)] == rows


def test_chain_of_any_length_is_shown(hop: MakeHop) -> None:
    """Deeper than Python's stack."""
    assert (2_000, 1_999) == shape(*(hop(n, parent=n - 1, start_ms=n) for n in range(1, 2_001)))[-1]


@given(st.lists(st.integers(0, 12), max_size=12))
def test_every_hop_stands_there_once(parents: list[int]) -> None:
    """Whatever the parents are: all of them, each once, none before its parent unless in a circle."""
    hops = [
        Hop(
            "t",
            f"{n:016x}",
            f"{parent:016x}" if parent else None,
            "s",
            n,
            n,
            bool(n % 2),
            None,
            None,
            None,
            bool(n % 3),
            b"",
        )
        for n, parent in enumerate(parents, 1)
    ]
    rows = [hop.span_id for hop, _ in in_waterfall(hops)]
    assert sorted(hop.span_id for hop in hops) == sorted(rows)


def test_sample_is_told_from_the_gateway_to_the_feed(sample: list[Hop]) -> None:
    """Times from its beginning, headers and decisions where they happened."""
    memory = Memory()
    memory.add(reversed(sample), 0)
    journey: Any = memory.waterfall("4bf92f3577b34da6a3ce929d0e0e4736")
    assert ("user-7", 0.0, 262.0) == (journey["user"], journey["hops"][0]["start_ms"], journey["duration_ms"])
    told = [(row["service"], row["name"], row["kind"], row["depth"], row["start_ms"]) for row in journey["hops"]]
    assert [
        ("gateway", "POST /posts", "server", 0, 0.0),
        ("gateway", "POST", "client", 1, 2.0),
        ("posts", "POST /posts", "server", 2, 4.0),
        ("posts", "send streamsocial.posts", "producer", 3, 6.0),
        ("feed", "process streamsocial.posts", "consumer", 4, 240.0),
        ("feed", "rank followers", "internal", 5, 244.0),
    ] == told
    assert {"name": "baggage:pennon", "reason": "not_trusted"} in journey["hops"][0]["headers"]["dropped"]
    assert ["traceparent", "x-request-id", "x-correlation-id", "baggage"] == journey["hops"][1]["headers"]["added"]
    carried = {"flag": "feed-ranking", "variant": "ranked", "reason": "carried", "how": "carried", "at_ms": 241.0}
    assert {**carried, "other": None, "unmet": None} == journey["hops"][4]["decisions"][0]
    assert ("error", None) == (journey["hops"][5]["status"], journey["hops"][5]["headers"])


def test_summary_of_the_sample_is_one_line(sample: list[Hop]) -> None:
    """Services in the order reached, each decision once."""
    memory = Memory()
    memory.add(reversed(sample), 0)
    [summary] = memory.search(Query.of("user-7"), limit=5)
    assert ("gateway", "posts", "feed") == summary.services
    assert [
        ("feed-ranking", "split"),
        ("reactions", "static"),
        ("moderation-on", "killed"),
        ("feed-ranking", "carried"),
    ] == [(decision.flag, decision.reason) for decision in summary.decisions]
    assert (6, 1, 1795267082000.0) == (summary.hop_count, summary.error_count, summary.began_ms)


def test_summary_leaves_out_what_was_decided_for_others(span: Callable[..., Any]) -> None:
    """A fan-out's decisions stand at its hop, each, and are none of the journey's own."""
    told = span()
    for flag, other in (("ranked", None), ("alerts", "user"), ("alerts", "user")):
        event = told.events.add(name="feature_flag.evaluation", time_unix_nano=told.start_time_unix_nano)
        event.attributes.add(key="feature_flag.key").value.string_value = flag
        if other is not None:
            event.attributes.add(key="pennon.unit.other").value.string_value = other
    made = hop_of(told, "feed")
    assert isinstance(made, Hop)
    memory = Memory()
    memory.add([made], 0)
    [summary] = memory.search(Query.of(""), limit=5)
    assert ["ranked"] == [decision.flag for decision in summary.decisions]
    journey: Any = memory.waterfall(made.trace_id)
    assert [("ranked", None), ("alerts", "user"), ("alerts", "user")] == [
        (decision["flag"], decision["other"]) for decision in journey["hops"][0]["decisions"]
    ]
