"""Server-sent events: bytes to frames and back (HTML Living Standard §9.2.5 and §9.2.6).

1. A line ends with CR LF, LF or CR; a chunk of the stream may end anywhere, also between CR and LF.
2. A blank line dispatches what has been read; an event without data is nothing.
3. An unknown field, a comment and a `retry` are nothing, but they are signs of life.
4. An event at the end of the stream without its blank line is nothing.
5. Ours: what has been read of one event is bounded, so that a broken server cannot fill the memory.
"""

import re
from typing import Final

import msgspec

from pennon.errors import Fault, RulesetInvalid

# 64 MiB: a snapshot of 5,000 flags of five rules is about 6 MiB, and 100,000 segment members are 2. Lower would
# refuse real rulesets; higher would let a server that speaks nonsense fill the process.
LIMIT_BYTES: Final = 64 * 1024 * 1024

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


class Frame(msgspec.Struct, frozen=True):
    """One event. name: "message" if the stream named none. id: None if this event had none."""

    name: str
    data: bytes
    id: str | None = None


def encode_event(name: str, data: bytes, id: str | None = None) -> bytes:  # noqa: A002 - the field's own name
    """The bytes of one event, blank line included.

    name, id: without line ends. data: any bytes; line ends in it come out as LF.
    """
    lines = [b"event: " + name.encode()]
    if id is not None:
        lines.append(b"id: " + id.encode())
    lines.extend(b"data: " + line for line in _LINE_END.split(data))
    return b"\n".join(lines) + b"\n\n"


class FrameReader:
    """Turns the chunks of one connection into frames; a new connection takes a new reader."""

    __slots__ = ("_data", "_has_begun", "_id", "_limit_bytes", "_name", "_parts", "_size_bytes", "_was_cr")

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._has_begun = False
        self._was_cr = False
        self._parts: list[bytes] = []
        self._name = ""
        self._id: str | None = None
        self._data: list[bytes] = []
        self._size_bytes = 0

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that this chunk completes, in order.

        Raises: RulesetInvalid if an event grows over the limit; the reader is of no more use then.
        """
        if self._was_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._was_cr = False
        if not chunk:
            return []
        self._was_cr = chunk[-1:] == b"\r"
        frames: list[Frame] = []
        for piece in chunk.splitlines(keepends=True):
            self._grow(len(piece))
            line = piece.rstrip(b"\r\n")
            self._parts.append(line)
            if len(line) != len(piece):
                frames.extend(self._end_of_line())
        return frames

    def _grow(self, by_bytes: int) -> None:
        self._size_bytes += by_bytes
        if self._size_bytes > self._limit_bytes:
            raise RulesetInvalid([Fault("", f"event: {self._size_bytes} bytes so far, limit {self._limit_bytes}")])

    def _end_of_line(self) -> list[Frame]:
        line = b"".join(self._parts)
        self._parts.clear()
        if not self._has_begun:
            self._has_begun = True
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if line:
            self._take_field(line)
            return []
        frames = [Frame(self._name or "message", b"\n".join(self._data), self._id)] if self._data else []
        self._forget()
        return frames

    def _take_field(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode(errors="replace")
        elif field == b"id" and b"\0" not in value:
            self._id = value.decode(errors="replace")

    def _forget(self) -> None:
        self._name, self._id, self._data, self._size_bytes = "", None, [], 0
