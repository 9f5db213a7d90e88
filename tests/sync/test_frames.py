"""Server-sent-event frames beyond the vectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.errors import RulesetInvalid
from pennon.sync import Frame, FrameReader, encode_event

NAMES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: not name.startswith(" ")
)


@given(st.lists(st.tuples(NAMES, st.binary(), st.none() | NAMES), max_size=4), st.data())
def test_frames_come_back_from_their_bytes_however_the_stream_is_split(
    events: list[tuple[str, bytes, str | None]], data: st.DataObject
) -> None:
    """What was encoded is what is read, but for line ends, which come out as LF."""
    stream = b"".join(encode_event(name, body, id_) for name, body, id_ in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = FrameReader()
    read = [
        frame
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for frame in reader.feed(stream[start:end])
    ]
    assert [Frame(name, body.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), id_) for name, body, id_ in events] == read


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_reader_survives_any_bytes(chunks: list[bytes]) -> None:
    """Nonsense gives frames of nonsense or none, never an exception."""
    reader = FrameReader()
    for chunk in chunks:
        reader.feed(chunk)


@pytest.mark.parametrize("endless", [b"data: aaaa", b"data: a\n", b": comment\n", b"x" * 10])
def test_event_over_the_limit_is_refused(endless: bytes) -> None:
    """An event that never ends cannot fill the memory, whether in one line or in many."""
    reader = FrameReader(limit_bytes=1_000)

    def feed() -> None:
        for _ in range(1_000):
            reader.feed(endless)

    with pytest.raises(RulesetInvalid, match="limit 1000"):
        feed()


def test_limit_holds_for_one_event_and_not_for_the_stream() -> None:
    """A long stream of small events goes on."""
    reader = FrameReader(limit_bytes=100)
    assert 1_000 == sum(len(reader.feed(b"data: hello\n\n")) for _ in range(1_000))


def test_large_event_in_small_chunks_is_read_in_linear_time() -> None:
    """Each byte is looked at a bounded number of times: 16 MB in 4 kB chunks would take minutes otherwise."""
    reader = FrameReader()
    chunk = b"x" * 4_096
    reader.feed(b"data: ")
    for _ in range(4_096):
        assert not reader.feed(chunk)
    (frame,) = reader.feed(b"\n\n")
    assert 4_096 * 4_096 == len(frame.data)
