"""Spans as hops: total and bounded."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from pennon.journeys.hops import Hop, decisions_of, detail_of
from pennon.journeys.spans import ATTRIBUTES_LIMIT_COUNT, EVENTS_LIMIT_COUNT, SPAN_LIMIT_BYTES, hop_of

MakeSpan = Callable[..., Span]


def event(span: Span, **attributes: str) -> None:
    """An evaluation event with attributes `feature_flag.…`."""
    added = span.events.add(name="feature_flag.evaluation", time_unix_nano=span.start_time_unix_nano + 5)
    for key, value in attributes.items():
        added.attributes.add(key="feature_flag." + key.replace("__", ".")).value.string_value = value


def taken(span: Span) -> Hop:
    """The hop of a span that is one."""
    hop = hop_of(span, "gateway")
    assert isinstance(hop, Hop), hop
    return hop


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trace_id", b""),
        ("trace_id", bytes(16)),
        ("trace_id", b"1" * 15),
        ("trace_id", b"1" * 17),
        ("span_id", b""),
        ("span_id", bytes(8)),
        ("span_id", b"1" * 9),
        ("start_time_unix_nano", 0),
    ],
)
def test_span_without_what_a_hop_needs_is_rejected_by_name(span: MakeSpan, name: str, value: object) -> None:
    """The reason names the field."""
    broken = span()
    setattr(broken, name, value)
    assert str(hop_of(broken, "gateway")).startswith(f"{name}: must be")


@pytest.mark.parametrize("parent", [b"", bytes(8), b"123"])
def test_span_whose_parent_id_is_none_is_a_root(span: MakeSpan, parent: bytes) -> None:
    """All else may be missing or wrong."""
    root = span()
    root.parent_span_id = parent
    assert taken(root).parent_span_id is None


def test_span_that_ends_before_it_begins_takes_no_time(span: MakeSpan) -> None:
    """A clock that was set back makes no negative bar."""
    hop = taken(span(ms=-5))
    assert hop.began_ns == hop.ended_ns


@pytest.mark.parametrize(
    ("reason", "how"),
    [
        ("split", "decided here"),
        ("STATIC", "decided here"),
        ("targeting_match", "decided here"),
        ("carried", "carried"),
        ("killed", "killed"),
        ("override", "override"),
        ("disabled", "switched off"),
        ("error", "failed"),
    ],
)
def test_decision_says_how_it_was_made(span: MakeSpan, reason: str, how: str) -> None:
    """By its reason, in whatever case an SDK writes it."""
    decided = span()
    event(decided, key="checkout", result__variant="on", result__reason=reason)
    [decision] = decisions_of(taken(decided))
    assert ("checkout", "on", reason.lower(), how) == (
        decision.flag,
        decision.variant,
        decision.reason,
        decision.how,
    )


def test_decision_without_a_variant_is_one(span: MakeSpan) -> None:
    """The caller's default was served."""
    decided = span()
    event(decided, key="checkout", result__reason="error")
    assert [None] == [decision.variant for decision in decisions_of(taken(decided))]


def test_decision_without_a_flag_is_none(span: MakeSpan) -> None:
    """An event by that name from somebody else's library."""
    decided = span()
    event(decided, result__variant="on")
    assert () == decisions_of(taken(decided))


def test_decisions_of_one_span_are_bounded(span: MakeSpan) -> None:
    """Thousands of events are no thousands of rows."""
    decided = span()
    for number in range(1_000):
        event(decided, key=f"f{number}", result__variant="on", result__reason="static")
    assert 32 == len(decisions_of(taken(decided)))


@pytest.mark.parametrize(
    ("attribute", "member"),
    [
        ("enduser.id", "user"),
        ("pennon.request_id", "request_id"),
        ("pennon.correlation_id", "correlation_id"),
        ("messaging.message.conversation_id", "correlation_id"),
    ],
)
def test_names_are_taken_from_attributes(span: MakeSpan, attribute: str, member: str) -> None:
    """What a search finds a journey by."""
    named = span()
    named.attributes.add(key=attribute).value.string_value = "order-7"
    assert "order-7" == getattr(taken(named), member)


def test_user_may_be_a_number(span: MakeSpan) -> None:
    """Some SDKs keep the type."""
    named = span()
    named.attributes.add(key="enduser.id").value.int_value = 7
    assert "7" == taken(named).user


def test_report_of_a_crossing_leaves_the_attributes(span: MakeSpan) -> None:
    """It is shown as headers, with the reason beside each that was dropped."""
    crossed = span()
    for key, names in {
        "pennon.headers.took": ["traceparent"],
        "pennon.headers.added": [],
        "pennon.headers.dropped": ["baggage:promo", "x-thing"],
        "pennon.headers.drop_reasons": ["unknown"],
        "url.path": ["/"],
    }.items():
        crossed.attributes.add(key=key).value.array_value.values.extend([])
        for name in names:
            crossed.attributes[-1].value.array_value.values.add(string_value=name)
    detail = detail_of(taken(crossed))
    dropped = [{"name": "baggage:promo", "reason": "unknown"}, {"name": "x-thing", "reason": ""}]
    assert {"took": ["traceparent"], "added": [], "dropped": dropped} == detail.headers
    assert {"url.path": ["/"]} == detail.attributes


@pytest.mark.req(39, 66)
def test_identity_and_deadline_leave_the_attributes(span: MakeSpan) -> None:
    """They are shown as what they are, in the form that the service has sent."""
    crossed = span()
    for key, text in (("tenant", "#51ab"), ("actor", "#9f00"), ("actor_type", "HUMAN"), ("on_behalf_of", "#77aa")):
        crossed.attributes.add(key=f"pennon.{key}").value.string_value = text
    crossed.attributes.add(key="pennon.deadline_left_ms").value.int_value = -12
    crossed.attributes.add(key="pennon.deadline.exceeded").value.bool_value = True
    detail = detail_of(taken(crossed))

    assert {"tenant": "#51ab", "actor": "#9f00", "actor_type": "HUMAN", "on_behalf_of": "#77aa"} == detail.identity
    assert (-12, True) == (detail.deadline_left_ms, detail.is_late)
    assert not [name for name in detail.attributes if name.startswith("pennon.")]


def test_identity_and_deadline_of_a_strange_span_are_none(span: MakeSpan) -> None:
    """Whatever another library calls so."""
    strange = span()
    strange.attributes.add(key="pennon.tenant").value.int_value = 7
    strange.attributes.add(key="pennon.deadline_left_ms").value.string_value = "soon"
    strange.attributes.add(key="pennon.deadline.exceeded").value.int_value = 1
    detail = detail_of(taken(strange))

    assert (None, None, False) == (detail.identity, detail.deadline_left_ms, detail.is_late)


def test_span_that_is_no_crossing_has_no_headers(span: MakeSpan) -> None:
    """Nothing is shown empty that was never there."""
    assert detail_of(taken(span())).headers is None


def test_span_is_kept_within_its_bound_and_stays_readable(span: MakeSpan) -> None:
    """Huge names, texts, lists and numbers of attributes are cut, and what was known at a glance stays."""
    huge = span()
    huge.name = "n" * 1_000_000
    huge.status.message = "m" * 1_000_000
    huge.attributes.add(key="enduser.id").value.string_value = "user-7"
    for number in range(10_000):
        huge.attributes.add(key=f"{number}-" + "k" * 100).value.string_value = "ü" * 100
    huge.attributes.add(key="deep").value.array_value.values.add(string_value="x" * 1_000_000)
    hop = taken(huge)
    detail = detail_of(hop)
    assert len(hop.span) <= 2 * SPAN_LIMIT_BYTES
    assert "user-7" == hop.user == detail.attributes["enduser.id"]
    assert ATTRIBUTES_LIMIT_COUNT == len(detail.attributes)
    assert detail.name == "n" * 64 + "…"


@pytest.mark.parametrize(
    ("decisions", "others", "dropped", "expected"),
    [(3, 9, 0, 0), (40, 0, 0, 8), (40, 5, 7, 15), (40, 0, 2**32 - 1, 2**32 - 1)],
)
def test_decisions_that_are_not_kept_are_counted(
    span: MakeSpan, decisions: int, others: int, dropped: int, expected: int
) -> None:
    """Who counts followers by variant must know that some are missing; other events were never to be kept."""
    crowded = span()
    crowded.dropped_events_count = dropped
    for name, count in (("feature_flag.evaluation", decisions), ("exception", others)):
        for _ in range(count):
            crowded.events.add(name=name).attributes.add(key="feature_flag.key").value.string_value = "alerts"
    detail = detail_of(taken(crowded))
    assert (min(decisions, EVENTS_LIMIT_COUNT), expected) == (len(detail.decisions), detail.uncounted)


def test_decision_says_for_whom_and_what_took_it_down(span: MakeSpan) -> None:
    """Where the event says so; an empty text says nothing."""
    told = span()
    for other, unmet in (("user", "moderation-on"), ("", "")):
        event = told.events.add(name="feature_flag.evaluation")
        named = {"feature_flag.key": "reactions", "pennon.unit.other": other, "pennon.prerequisite.unmet": unmet}
        for key, value in named.items():
            event.attributes.add(key=key).value.string_value = value
    decisions = detail_of(taken(told)).decisions
    assert [("user", "moderation-on"), (None, None)] == [(decided.other, decided.unmet) for decided in decisions]


def test_attributes_of_every_type_come_out_as_json_has_them(span: MakeSpan) -> None:
    """Bytes as hex digits, lists and maps as such, an unset value as null, what is too deep as a mark."""
    typed = span()
    typed.attributes.add(key="int").value.int_value = 7
    typed.attributes.add(key="bool").value.bool_value = False
    typed.attributes.add(key="float").value.double_value = 0.5
    typed.attributes.add(key="bytes").value.bytes_value = b"\x01\xff"
    typed.attributes.add(key="none")
    typed.attributes.add(key="map").value.kvlist_value.values.add(key="k").value.string_value = "v"
    deep = typed.attributes.add(key="deep").value
    for _ in range(20):
        deep = deep.array_value.values.add()
    expected = {"int": 7, "bool": False, "float": 0.5, "bytes": "01ff", "none": None, "map": {"k": "v"}}
    assert {**expected, "deep": [[["…"]]]} == detail_of(taken(typed)).attributes


@given(st.binary(max_size=400))
def test_any_bytes_that_are_a_span_become_a_hop_or_a_reason(content: bytes) -> None:
    """Nothing that a sender can write raises."""
    span = Span(trace_id=b"1" * 16, span_id=b"1" * 8, start_time_unix_nano=1)
    try:
        span.MergeFromString(content)
    except Exception:  # noqa: BLE001 - not a span: refused before
        return
    hop = hop_of(span, "gateway")
    if isinstance(hop, Hop):
        detail_of(hop)
