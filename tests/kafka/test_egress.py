"""The producers' doors: our headers replace, everybody else's survive, an undeclared topic gets nothing."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import pennon.kafka
from pennon import ambient
from pennon.context import RequestContext
from pennon.headers import Contract, Downstream

CONTRACT = Contract(
    "feed",
    version="1",
    owner="feed-team",
    downstreams=(
        Downstream("posts", topic="posts"),
        Downstream("audit", topic="audit", decisions=False, baggage=False),
    ),
)
OURS = ["baggage", "traceparent", "x-correlation-id", "x-request-id"]
STALE = [
    ("TraceParent", b"00-11111111111111111111111111111111-2222222222222222-01"),
    ("BAGGAGE", b"pennon=stale,tier=old"),
    ("X-Request-Id", b"stale"),
    ("x-correlation-id", b"stale"),
    ("tracestate", b"stale=1"),
]


Send = Callable[..., Any]


@pytest.fixture(params=["produce", "send", "send_and_wait"])
def send(request: pytest.FixtureRequest, wrapped: Any) -> Send:
    """Sends a record: by confluent-kafka's call, or by one of aiokafka's."""
    if request.param == "produce":
        return pennon.kafka.producer(wrapped, CONTRACT).produce
    door: Send = getattr(pennon.kafka.aio.producer(wrapped, CONTRACT), request.param)
    return lambda *arguments, **named: asyncio.run(door(*arguments, **named))


def names_of(headers: list[tuple[str, Any]]) -> list[str]:
    """The names, sorted."""
    return sorted(name for name, _ in headers)


@pytest.mark.req(35, 43)
@pytest.mark.req(35, 43, 94)
def test_record_to_a_declared_topic_carries_the_request(send: Send, wrapped: Any, context: RequestContext) -> None:
    """Trace, ids, baggage and the decision leave with the record."""
    with ambient.entered(context):
        send("posts", b"hello")
    sent = dict(wrapped.headers)
    assert sorted(sent) == OURS
    assert sent["traceparent"] == b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert sent["x-request-id"] == b"req-1"
    assert sent["x-correlation-id"] == b"corr-1"
    assert b"tier=gold" in sent["baggage"]
    assert b"pennon=" in sent["baggage"]


@pytest.mark.req(95)
@pytest.mark.req(21, 95)
def test_record_to_an_undeclared_topic_gives_nothing_of_ours(send: Send, wrapped: Any, context: RequestContext) -> None:
    """A topic that the contract does not name may be anybody's; what a forwarded record brought goes too."""
    with ambient.entered(context):
        send("elsewhere", b"hello", headers=[*STALE, ("keep", b"1")])
    assert [("keep", b"1")] == wrapped.headers


@pytest.mark.req(21, 95)
@pytest.mark.parametrize("topic", ["posts", "audit", "elsewhere"])
def test_record_leaves_without_twins_of_ours(send: Send, wrapped: Any, context: RequestContext, topic: str) -> None:
    """Whoever hands a record's headers to a WSGI application makes them one name."""
    with ambient.entered(context):
        send(topic, b"hello", headers=[("X_Tenant_Id", b"forged"), ("pennon_context", b"a.b.c"), ("a_key", b"1")])

    assert ["a_key"] == [name for name in names_of(wrapped.headers) if "_" in name]


@pytest.mark.req(95)
def test_record_obeys_the_downstreams_own_policy(send: Send, wrapped: Any, context: RequestContext) -> None:
    """A topic declared without decisions and baggage gets the trace and ids alone."""
    with ambient.entered(context):
        send("audit", b"hello")
    assert ["traceparent", "x-correlation-id", "x-request-id"] == names_of(wrapped.headers)


@pytest.mark.req(15)
@pytest.mark.req(15)
def test_record_replaces_what_a_forwarded_record_brought(send: Send, wrapped: Any, context: RequestContext) -> None:
    """Whatever case they came in: who reads the first of a name must not find the stale one."""
    with ambient.entered(context):
        send("posts", b"hello", headers=[*STALE, ("keep", b"1")])
    assert sorted(["keep", *OURS]) == names_of(wrapped.headers)
    assert all(b"stale" not in value for _, value in wrapped.headers)


def test_record_outside_a_request_forwards_what_was_decided(send: Send, wrapped: Any) -> None:
    """A job that moves records between declared topics has no context of its own: theirs goes on untouched."""
    send("posts", b"hello", headers=[*STALE, ("keep", b"1")])
    assert [*STALE, ("keep", b"1")] == wrapped.headers


def test_record_outside_a_request_to_an_undeclared_topic_takes_ours_off(send: Send, wrapped: Any) -> None:
    """Such a job must not leak them either."""
    send("elsewhere", b"hello", headers=[*STALE, ("keep", b"1")])
    assert [("keep", b"1")] == wrapped.headers


@pytest.mark.parametrize(
    ("given_headers", "expected"),
    [
        (None, []),
        ([], []),
        ((), []),
        ({}, []),
        ({"a": "text", "b": None}, [("a", "text"), ("b", None)]),
        ((("a", b"1"), ("a", b"2")), [("a", b"1"), ("a", b"2")]),
        (
            [("z", None), ("a", b"\xff\xfe"), ("z", b""), ("é", "é")],
            [("z", None), ("a", b"\xff\xfe"), ("z", b""), ("é", "é")],
        ),
    ],
)
def test_record_passes_other_headers_as_they_came(
    given_headers: Any, expected: list[tuple[str, Any]], send: Send, wrapped: Any, context: RequestContext
) -> None:
    """List, tuple, dict and None; order, repeats, None, empty and non-UTF-8 values."""
    with ambient.entered(context):
        send("posts", b"hello", headers=given_headers)
    assert expected == [header for header in wrapped.headers if header[0] not in OURS]
    assert isinstance(wrapped.headers, list)


def test_record_does_not_change_the_callers_headers(send: Send, wrapped: Any, context: RequestContext) -> None:
    """A list that is reused for every record neither grows nor shrinks."""
    mine = [*STALE, ("keep", b"1")]
    with ambient.entered(context):
        send("posts", headers=mine)
    assert [*STALE, ("keep", b"1")] == mine


def test_record_with_a_name_that_is_no_text_is_refused(send: Send, wrapped: Any) -> None:
    """Lone surrogates in a name end the process inside confluent-kafka (seen in 2.16); here they are an exception."""
    with pytest.raises(UnicodeEncodeError):
        send("posts", b"hello", headers=[("\udcff", b"")])
    assert [] == wrapped.sent


def test_produce_passes_everything_else_on(wrapped: Any) -> None:
    """Arguments by place and by name reach the wrapped producer, its answer comes back."""
    sender = pennon.kafka.producer(wrapped, CONTRACT)
    assert "queued" == sender.produce("posts", b"value", "key", partition=2)
    ((arguments, named),) = wrapped.sent
    assert ("posts", b"value", "key") == arguments
    assert 2 == named["partition"]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.sampled_from(["traceparent", "Baggage", "X-REQUEST-ID", "x-correlation-ID", "keep"]),
                st.text(st.characters(codec="utf-8"), max_size=8),
            ),
            st.none() | st.binary(max_size=12) | st.text(max_size=4),
        ),
        max_size=8,
    ),
    st.sampled_from(["posts", "audit", "elsewhere"]),
)
def test_produce_keeps_any_foreign_headers_and_ours_at_most_once(
    context: RequestContext, headers: list[tuple[str, Any]], topic: str
) -> None:
    """Whatever the caller's headers: the foreign ones leave untouched and in order, ours stand once or not at all."""
    sent: list[Any] = []

    class Wrapped:
        def produce(self, _topic: str, *, headers: list[Any]) -> None:
            sent.extend(headers)

    token = ambient.CURRENT.set(context)
    try:
        pennon.kafka.producer(Wrapped(), CONTRACT).produce(topic, headers=headers)
    finally:
        ambient.CURRENT.reset(token)
    ours = {*OURS, "tracestate"}
    assert [header for header in headers if header[0].lower() not in ours] == [
        header for header in sent if header[0].lower() not in ours
    ]
    found = [name.lower() for name, _ in sent if name.lower() in ours]
    assert len(set(found)) == len(found)
    assert topic != "elsewhere" or not found


def test_produce_batch_is_refused(wrapped: Any) -> None:
    """confluent-kafka's sends no headers; losing the decisions without a word would be worse than an error."""
    with pytest.raises(NotImplementedError, match="sends no headers"):
        pennon.kafka.producer(wrapped, CONTRACT).produce_batch("posts", [{"value": b"1"}])


def test_producer_is_otherwise_the_wrapped_one(context: RequestContext) -> None:
    """Attributes, len() and truth are the wrapped producer's; an empty queue does not make it false."""

    class Wrapped:
        def __len__(self) -> int:
            return 0

        def flush(self, timeout_s: float) -> float:
            return timeout_s

    sender = pennon.kafka.producer(Wrapped(), CONTRACT)
    assert 2.5 == sender.flush(2.5)
    assert 0 == len(sender)
    assert sender


@pytest.mark.req(33)
def test_record_carries_its_own_span(
    send: Send, wrapped: Any, context: RequestContext, spans: InMemorySpanExporter
) -> None:
    """With the SDK set up, the traceparent names the PRODUCER span, which says what was added."""
    with ambient.entered(context):
        send("posts", b"hello")
    (span,) = spans.get_finished_spans()
    assert "send posts" == span.name
    sent = dict(wrapped.headers)["traceparent"].decode()
    assert sent.split("-")[1:3] == [f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"]
    assert span.attributes is not None
    assert "posts" == span.attributes["messaging.destination.name"]
    assert "corr-1" == span.attributes["messaging.message.conversation_id"]
    assert "baggage" in span.attributes["pennon.headers.added"]  # type: ignore[operator]  # a sequence of names
