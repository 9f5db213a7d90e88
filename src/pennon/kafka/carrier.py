"""Record headers as confluent-kafka and aiokafka have them, read into and written from the one carrier of all doors.

Rules. Names are compared without case, as ASCII (they are bytes on the wire). A header that we set takes the place of
every earlier one of its name, it is never put behind it: who reads a forwarded record would else find the stale one.
The caller's list is not touched. Whatever is not ours passes as it came: None, empty and non-UTF-8 values, repeated
names, the order.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from enum import StrEnum
from operator import methodcaller
from typing import Final, Protocol

import msgspec

from pennon.counters import Count, count
from pennon.headers import Headers

HeaderValue = str | bytes | None
RecordHeaders = Mapping[str, HeaderValue] | Sequence[tuple[str, HeaderValue]]


class RecordFault(StrEnum):
    """Why all headers of a record were given up; the `cause` of `pennon.headers.dropped`."""

    NAMES_NOT_UTF8 = "record_header_names_not_utf8"


class Record(Protocol):
    """What is asked of a record that has methods; `confluent_kafka.Message` is one."""

    def headers(self) -> RecordHeaders | None:
        """All headers in wire order; None if there are none."""
        ...

    def set_headers(self, headers: list[tuple[str, HeaderValue]], /) -> object:
        """Replace them."""
        ...

    def topic(self) -> str | None:
        """Where it was read."""
        ...

    def partition(self) -> int | None:
        """Likewise."""
        ...

    def offset(self) -> int | None:
        """Likewise."""
        ...

    def timestamp(self) -> tuple[int, int]:
        """Of which kind, 0: none, and the milliseconds since 1970."""
        ...

    def value(self) -> bytes | None:
        """None: a tombstone."""
        ...

    def error(self) -> object | None:
        """What happened, if this is no record."""
        ...


class PlainRecord(Protocol):
    """What is asked of a record that has attributes; `aiokafka.ConsumerRecord` is one."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """All headers in wire order."""
        ...

    @property
    def topic(self) -> str:
        """Where it was read."""
        ...

    @property
    def partition(self) -> int:
        """Likewise."""
        ...

    @property
    def offset(self) -> int:
        """Likewise."""
        ...

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970."""
        ...

    @property
    def value(self) -> bytes | None:
        """None: a tombstone."""
        ...


class Place(msgspec.Struct, frozen=True):
    """Where a record was read; None where it does not know."""

    topic: str
    partition: int | None
    offset: int | None


def place_of(record: Record | PlainRecord) -> Place:
    """Where the record was read, whichever library's it is."""
    if callable(record.topic):
        return Place(record.topic() or "", record.partition(), record.offset())
    return Place(record.topic, record.partition, record.offset)


def headers_of(record: Record | PlainRecord) -> Headers:
    """Its headers. None if there are none or they cannot be read."""
    return _read(record) if callable(record.headers) else as_bytes(record.headers)


# Not record.headers(): once Python (seen in 3.11) has specialized that call, it does not look any more whether a list
# came together with an exception, and the half-made one below would be read.
_headers: Final[Callable[[Record], RecordHeaders | None]] = methodcaller("headers")


def _read(record: Record) -> Headers:
    try:
        found = _headers(record)
    except (UnicodeDecodeError, SystemError):
        # A name that is not UTF-8: one or the other, by where it stands. confluent-kafka (seen in 2.16) then keeps a
        # half-made list, in which touching that name ends the process; with an empty one, whoever asks the record
        # again is safe.
        record.set_headers([])
        count(Count.HEADERS_DROPPED, RecordFault.NAMES_NOT_UTF8)
        return ()
    return as_bytes(found)


def produced_ms(record: Record | PlainRecord) -> int | None:
    """When it was produced, or appended, whichever its topic keeps: wall clock, since 1970. None: it does not say."""
    if callable(record.topic):
        kind, at_ms = record.timestamp()
        return at_ms if kind else None
    return record.timestamp


def replaced(
    headers: RecordHeaders | None, names: Iterable[str], values: Iterable[bytes], removed: Container[bytes]
) -> list[tuple[str, HeaderValue]]:
    """A new list for produce(): the given headers without the removed ones, then these names with their values.

    Raises: UnicodeEncodeError for a name of lone surrogates, on which confluent-kafka would end the process.
    """
    pairs = headers if isinstance(headers, list) else _pairs(headers)
    kept = [header for header in pairs if header[0].encode().lower() not in removed]
    kept += zip(names, values, strict=True)
    return kept


def as_bytes(headers: RecordHeaders | None) -> Headers:
    """The headers as the one carrier of all doors, whichever library's they are."""
    pairs = headers if isinstance(headers, list) else _pairs(headers)
    try:
        return [(name.encode(), _bytes(value) if isinstance(value, str) else value) for name, value in pairs]
    except UnicodeEncodeError:
        return [(_bytes(name), _bytes(value) if isinstance(value, str) else value) for name, value in pairs]


def _bytes(text: str) -> bytes:
    """The text on the wire, also where it holds half a character: a record can, and reading it must not raise."""
    return text.encode("utf-8", "surrogatepass")


def _pairs(headers: RecordHeaders | None) -> Iterable[tuple[str, HeaderValue]]:
    # What the libraries have comes first: to ask whether a list is a Mapping costs as much as a header.
    if headers is None or isinstance(headers, list | tuple):
        return headers or ()
    return headers.items() if isinstance(headers, Mapping) else headers
