"""CloudEvents over Kafka: attributes are record headers, and a bad header never raises."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.headers.cloudevents import CloudEvent, EventMode, event_headers, mode_of, parse_event
from pennon.headers.tracecontext import parse_traceparent

Case = dict[str, Any]

characters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"])
texts = st.text(characters, min_size=1, max_size=12)
extension_names = st.text("abcxyz019", min_size=1, max_size=8)
times = st.datetimes().map(lambda at: f"{at.isoformat()}Z")
events = st.builds(
    CloudEvent,
    id=texts,
    source=texts,
    type=texts,
    datacontenttype=st.none() | texts,
    dataschema=st.none() | texts,
    subject=st.none() | texts,
    time=st.none() | times,
    extensions=st.dictionaries(extension_names, st.text(characters, max_size=9), max_size=4).map(
        lambda found: tuple(sorted(found.items()))
    ),
    data=st.none() | st.binary(max_size=8),
)
header_names = st.sampled_from(
    [b"ce_specversion", b"CE_id", b"ce_source", b"ce_type", b"ce_time", b"content-type", b"ce_", b"ce_data", b"ce_x"]
)
headers = st.lists(
    st.tuples(
        st.one_of(header_names, st.binary(max_size=6).map(lambda name: b"ce_" + name)),
        st.one_of(st.none(), st.binary(max_size=12), st.sampled_from([b"1.0", b"application/cloudevents", b"a"])),
    ),
    max_size=12,
)


def wired(pairs: list[list[str | None]]) -> list[tuple[bytes, bytes | None]]:
    """Headers as the vectors write them."""
    return [((name or "").encode(), None if value is None else value.encode("latin-1")) for name, value in pairs]


def event_of(attributes: Case, data: bytes | None = None) -> CloudEvent:
    """The event that a vector describes."""
    extensions = tuple((name, text) for name, text in attributes.get("extensions", []))
    return CloudEvent(**(attributes | {"extensions": extensions}), data=data)


def test_record_is_read_as_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """Its mode, its event, and what of it was dropped."""
    for case in vectors("cloudevents.json", "parse"):
        data = None if case["data"] is None else case["data"].encode()
        expected = None if case["event"] is None else event_of(case["event"], data)
        read = parse_event(wired(case["headers"]), data)

        assert (case["mode"], expected) == (read.mode, read.event), case["name"]
        assert case["dropped"] == [[drop.name, drop.reason] for drop in read.dropped], case["name"]


def test_event_is_written_as_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """UTF-8 as it is, each attribute once, lower-case."""
    for case in vectors("cloudevents.json", "format"):
        assert sorted(wired(case["headers"])) == sorted(event_headers(event_of(case["event"])))


def test_event_that_could_not_be_read_again_is_not_written(vectors: Callable[[str, str], list[Case]]) -> None:
    """A caller's mistake is an error, not a record that nobody understands."""
    for case in vectors("cloudevents.json", "refuse"):
        with pytest.raises(ValueError, match="event: "):
            event_headers(event_of(case))


@given(events)
def test_event_written_and_read_is_the_same(event: CloudEvent) -> None:
    """parse∘format is the identity, tombstones and extensions included."""
    read = parse_event(event_headers(event), event.data)

    assert (event, ()) == (read.event, read.dropped)
    assert (event.data is None) is event.is_tombstone


@given(headers, st.none() | st.binary(max_size=4))
def test_no_headers_raise_and_what_is_read_can_be_written(
    given_headers: list[tuple[bytes, bytes | None]], data: bytes | None
) -> None:
    """Any bytes: a mode, and an event only in binary mode, which goes out as it came in."""
    read = parse_event(given_headers, data)

    assert mode_of(given_headers) is read.mode
    if read.event is not None:
        assert EventMode.BINARY is read.mode
        assert read.event == parse_event(event_headers(read.event), data).event


def test_starting_trace_is_the_events_and_not_the_hops() -> None:
    """ce_traceparent says where it began; the record's own traceparent has no part in it."""
    begun = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    hop = (b"traceparent", b"00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01")
    least = [(b"ce_specversion", b"1.0"), (b"ce_id", b"1"), (b"ce_source", b"/"), (b"ce_type", b"t"), hop]
    started = [parse_event([*least, *more], b"").event for more in ([(b"ce_traceparent", begun)], [])]
    broken = parse_event([*least, (b"ce_traceparent", b"00-0-0-00")], b"").event

    assert started[0] is not None
    assert started[1] is not None
    assert broken is not None
    assert parse_traceparent(begun) == started[0].starting_trace != parse_traceparent(hop[1])
    assert started[1].starting_trace is None
    assert broken.starting_trace is None
