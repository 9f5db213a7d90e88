"""Inputs: how bytes are a value, lines or headers, and the conformance vectors as seeds.

An input is what came in: a value; or lines, with the byte 1E between them; or headers, with 1F between name and value.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

VECTORS: Final = Path(__file__).parents[1] / "conformance" / "vectors"
LINE: Final = b"\x1e"
VALUE: Final = b"\x1f"

NOW_NS: Final = 1_795_256_100_000_000_000
MONOTONIC_NS: Final = 77_000_000_000

# What an id is, and what may stand in any header that leaves.
ID: Final = re.compile(r"[A-Za-z0-9._:\-]{1,128}")
SAFE_VALUE: Final = re.compile(rb"[\t\x20-\x7e]*")


def lines_of(data: bytes) -> list[bytes]:
    """The values of a header's lines."""
    return data.split(LINE)


def pairs_of(data: bytes) -> list[tuple[bytes, bytes | None]]:
    """Names and values; without 1F a header has no value, as a record's may."""
    parts = [line.partition(VALUE) for line in data.split(LINE)]
    return [(name, value if mark else None) for name, mark, value in parts]


def found_in(data: bytes) -> dict[str, list[bytes]]:
    """As an ingress hands them to a codec: lower-case name -> the values of its lines."""
    found: dict[str, list[bytes]] = {}
    for name, value in pairs_of(data):
        if value is not None:
            found.setdefault(name.decode("latin-1").lower(), []).append(value)
    return found


def vectors(file: str, *parts: str) -> Iterator[Mapping[str, Any]]:
    """The vectors of some parts of a file."""
    document = json.loads((VECTORS / file).read_text(encoding="utf-8"))
    for part in parts:
        yield from (case for case in document[part] if isinstance(case, dict))


def values(file: str, *parts: str, key: str = "value") -> tuple[bytes, ...]:
    """One input for each vector. key: where its text stands; lines are joined."""
    found = []
    for case in vectors(file, *parts):
        text = case.get(key, case.get("values"))
        if text is not None:
            lines = [text] if isinstance(text, str) else text
            found.append(LINE.join(map(_bytes_of, lines)))
    return tuple(found)


def messages(file: str, part: str) -> tuple[bytes, ...]:
    """One input for each vector of headers."""
    return tuple(
        LINE.join(
            _bytes_of(name) + (b"" if value is None else VALUE + _bytes_of(value)) for name, value in case["headers"]
        )
        for case in vectors(file, part)
    )


def wire(**headers: str) -> bytes:
    """Headers by name."""
    return LINE.join(name.replace("_", "-").encode() + VALUE + value.encode() for name, value in headers.items())


def _bytes_of(text: str) -> bytes:
    """Vectors write bytes as ISO 8859-1; those of codecs that read text may hold more."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
