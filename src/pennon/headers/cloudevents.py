"""CloudEvents 1.0.2 over Kafka, in binary mode: attributes as record headers, the data as the record's value.

Rules (Kafka Protocol Binding for CloudEvents 1.0.2, §3; CloudEvents 1.0.2):
- §3: the mode is told by the record's content-type: where it begins with "application/cloudevents", in any case, the
  event is structured, and left alone here. Else a record with "ce_specversion" is binary; any other is no event.
- §3.2.3: an attribute is a header "ce_" + name, its value UTF-8 as it is, not percent-encoded. `datacontenttype` is the
  header "content-type" and no other.
- §3.2.2: no value at all (null) is a tombstone in Kafka; an empty one is data.
- CloudEvents, "Naming": names are a-z and 0-9. id, source, type and specversion must be there and not be empty; without
  them there is no event. Any other attribute that is wrong costs only itself.
- CloudEvents, "Type System": text holds no control characters.
- Extension "Distributed Tracing": ce_traceparent is the trace in which the event began; the record's own traceparent is
  this hop. Neither takes the other's place.
- Header names are compared without case. Copies of a header that agree are one; where they differ none counts.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from pennon.headers.carrier import Headers
from pennon.headers.grammar import OWS, agree
from pennon.headers.report import Drop, DropReason
from pennon.headers.times import parse_rfc3339_ns
from pennon.headers.tracecontext import TraceParent, parse_traceparent

CONTENT_TYPE: Final = "content-type"
PREFIX: Final = "ce_"
SPEC_VERSION: Final = "1.0"

# What is looked at: of a record's headers the first, of its attributes the first, and of their text a share of
# the 64 kB that an event may have (CloudEvents, "Size Limits"). Higher: a hostile record costs more than 100 µs.
_HEADERS_LIMIT_COUNT: Final = 128
_ATTRIBUTES_LIMIT_COUNT: Final = 64
_TEXT_LIMIT_BYTES: Final = 8_192

_STRUCTURED: Final = b"application/cloudevents"
_CONTENT_TYPE: Final = CONTENT_TYPE.encode()
_WIRE_PREFIX: Final = PREFIX.encode()
_NAME_LIMIT_BYTES: Final = 64
_NAME: Final = re.compile(r"[a-z0-9]+")
# C0, C1, surrogates, and the code points that are no characters.
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")

_REQUIRED: Final = ("specversion", "id", "source", "type")
_CORE: Final = ("id", "source", "type", "datacontenttype", "dataschema", "subject", "time")
# They have places of their own: the header content-type, and the record's value.
_MISPLACED: Final = (b"ce_datacontenttype", b"ce_data")


class EventMode(StrEnum):
    """How a record holds an event."""

    BINARY = "binary"
    STRUCTURED = "structured"
    NONE = "none"


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event.

    time: RFC 3339, as it came. extensions: name and text, in order of name.
    data: the record's value; None: a tombstone.
    """

    id: str
    source: str
    type: str
    datacontenttype: str | None = None
    dataschema: str | None = None
    subject: str | None = None
    time: str | None = None
    extensions: tuple[tuple[str, str], ...] = ()
    data: bytes | None = None

    @property
    def is_tombstone(self) -> bool:
        """Whether it takes away what its key held (Kafka's log compaction)."""
        return self.data is None

    @property
    def starting_trace(self) -> TraceParent | None:
        """The trace in which the event began; None if it does not say, or says it wrong."""
        text = dict(self.extensions).get("traceparent")
        return None if text is None else parse_traceparent(text.encode("utf-8", "replace"))


class ReadEvent(msgspec.Struct, frozen=True):
    """A record as an event.

    event: None unless the mode is binary and all that an event must have is there. dropped: by header, lower-case.
    """

    mode: EventMode
    event: CloudEvent | None = None
    dropped: tuple[Drop, ...] = ()


def mode_of(headers: Headers) -> EventMode:
    """Which mode a record's headers say."""
    has_version = False
    for name, value in headers[:_HEADERS_LIMIT_COUNT]:
        low = name.lower()
        if low == b"content-type" and value is not None and _is_structured(value):
            return EventMode.STRUCTURED
        has_version = has_version or low == b"ce_specversion"
    return EventMode.BINARY if has_version else EventMode.NONE


def parse_event(headers: Headers, data: bytes | None) -> ReadEvent:
    """What a record says: in 128 headers, 64 attributes and 8 kB; beyond that nothing is read. No headers raise.

    data: the record's value.
    """
    mode = mode_of(headers)
    if mode is not EventMode.BINARY:
        return ReadEvent(mode)
    copies, dropped = _gathered(headers)
    found: dict[str, str] = {}
    for name, values in copies.items():
        text = _text(name, values)
        if isinstance(text, DropReason):
            dropped.append(Drop(_header_of(name), text))
        else:
            found[name] = text
    if any(name not in found for name in _REQUIRED):
        return ReadEvent(mode, None, tuple(dropped))
    del found["specversion"]
    core = {name: found.pop(name) for name in _CORE if name in found}
    return ReadEvent(mode, CloudEvent(**core, extensions=tuple(sorted(found.items())), data=data), tuple(dropped))


def event_headers(event: CloudEvent) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of a record whose value is the event's data.

    Raises: ValueError for what could not be read again: an extension's name that is none, or the specification's own,
        or there twice; text with control characters, or empty where it must not be; a time that is not RFC 3339; a
        content type that says structured mode.
    """
    named = {"specversion": SPEC_VERSION} | {name: getattr(event, name) for name in _CORE}
    texts = [(name, text) for name, text in named.items() if text is not None]
    for name, text in event.extensions:
        if name in named or name == "data" or _NAME.fullmatch(name) is None:
            raise ValueError(f"event: {name!r} cannot be an extension's name: a-z and 0-9, not an attribute's, once")
        named[name] = text
        texts.append((name, text))
    headers = []
    for name, text in texts:
        wire = text.encode("utf-8", "surrogatepass")
        if _text(name, [wire]) != text or (name == "datacontenttype" and _is_structured(wire)):
            raise ValueError(f"event: {name} must be text of CloudEvents 1.0 that says nothing else")
        headers.append((_header_of(name).encode(), wire))
    return tuple(headers)


def _gathered(headers: Headers) -> tuple[dict[str, list[bytes]], list[Drop]]:
    """The values of the attributes by name, and the headers that are none or too much."""
    copies: dict[str, list[bytes]] = {}
    dropped: list[Drop] = []
    left_bytes, left_count = _TEXT_LIMIT_BYTES, _ATTRIBUTES_LIMIT_COUNT
    for header, value in headers[:_HEADERS_LIMIT_COUNT]:
        low = header[:_NAME_LIMIT_BYTES].lower()
        if value is None or not (low.startswith(_WIRE_PREFIX) or low == _CONTENT_TYPE):
            continue
        name = "datacontenttype" if low == _CONTENT_TYPE else low[len(_WIRE_PREFIX) :].decode("latin-1")
        left_bytes, left_count = left_bytes - len(value), left_count - 1
        if left_bytes < 0 or left_count < 0:
            dropped.append(Drop(_header_of(name), DropReason.TOO_LONG if left_bytes < 0 else DropReason.TOO_MANY))
            break
        if _NAME.fullmatch(name) is None or low in _MISPLACED:
            dropped.append(Drop(low.decode("latin-1"), DropReason.MALFORMED))
        else:
            copies.setdefault(name, []).append(value)
    return copies, dropped


def _text(name: str, values: Sequence[bytes]) -> str | DropReason:
    """An attribute's text, or what is wrong with it."""
    if not agree(values):
        return DropReason.REPEATED
    try:
        text = values[0].decode()
    except UnicodeDecodeError:
        return DropReason.MALFORMED
    is_core = name in _CORE or name == "specversion"
    if (not text.isprintable() and _FORBIDDEN.search(text)) or (is_core and not text):
        return DropReason.MALFORMED
    if name == "specversion" and text != SPEC_VERSION:
        return DropReason.MALFORMED
    if name == "time" and parse_rfc3339_ns(values[0]) is None:
        return DropReason.MALFORMED
    return text


def _header_of(name: str) -> str:
    return CONTENT_TYPE if name == "datacontenttype" else PREFIX + name


def _is_structured(content_type: bytes) -> bool:
    return content_type[:_NAME_LIMIT_BYTES].lstrip(OWS).lower().startswith(_STRUCTURED)
