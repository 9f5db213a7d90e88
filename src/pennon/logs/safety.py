"""Values of a log line, whatever they are, without what is secret in them.

Rules:
- What is headers, by what it is called, by its type or by what stands in it, is shown as headers may be.
- What is named like a credential or is a declared header is shown as that header may be, wherever it stands.
- Lists and dicts are looked through, as deep as people write them; what lies deeper is dropped.
- Any other object is what it will be written as: if that holds something secret, the text without it takes its place.
- Looking at a value never fails: a value that cannot be looked at is dropped, the line is not.
"""

import datetime
import decimal
import enum
import traceback
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pennon.headers import Log
from pennon.headers.redaction import REDACTED, Redaction, header_name_of
from pennon.headers.std import BY_NAME

# As deep as an ASGI scope within an event; a deeper value says more than a line should.
_DEPTH_LIMIT_COUNT: Final = 6
_ITEMS_LIMIT_COUNT: Final = 256
_PAIR_COUNT: Final = 2

# They stand as they are, under any name.
_NUMBERS: Final = (bool, int, float, type(None))
_HARMLESS: Final = (enum.Enum, decimal.Decimal, uuid.UUID, datetime.date, datetime.time, datetime.timedelta)
_CONTAINERS: Final = (dict, MappingProxyType, list, tuple, set, frozenset)
_GONE: Final = object()
# Types of headers that say so by their name; others (ASGI's and records' pairs, environs) are told by their content.
_HEADER_TYPES: Final = (
    "headers",
    "headerdict",
    "caseinsensitivedict",
    "cimultidict",
    "cimultidictproxy",
    "httpmessage",
)


class Safety:
    """Makes values safe under a contract's rules."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction

    def text(self, text: str) -> str:
        """A message or a traceback."""
        try:
            return self._redaction.safe_text(text)
        except Exception:  # noqa: BLE001 - whatever it is, the line is worth more
            return REDACTED

    def hides(self, name: str) -> bool:
        """Whether a value of this name is left out altogether."""
        return self._redaction.rule(header_name_of(name)) is Log.NEVER

    def failure(self, error: BaseException) -> str | None:
        """The traceback of an exception without what is secret in it; None if nothing is."""
        try:
            written = "".join(traceback.format_exception(error)).rstrip("\n")
        except Exception:  # noqa: BLE001 - as above
            return REDACTED
        safe = self.text(written)
        return None if safe == written else safe

    def value(self, value: Any, name: str = "", *, depth: int = _DEPTH_LIMIT_COUNT) -> Any:
        """The value, the same object where nothing in it is secret.

        name: under which it stands, "" if under none. depth: how many levels within it are looked at.
        """
        try:
            return self._value(value, name, depth)
        except Exception:  # noqa: BLE001 - as above; __repr__ and __str__ of strangers run here
            return REDACTED

    def _value(self, value: Any, name: str, depth: int) -> Any:
        if isinstance(value, _NUMBERS):
            return value
        if (_is_called_headers(name) and _has_lines(value)) or _is_headers(value):
            return self._redaction.safe_headers(_pairs(value))
        if name and self._redaction.is_telling(name):
            return self._redaction.safe_value(header_name_of(name), value if isinstance(value, bytes) else str(value))
        if isinstance(value, str):
            safe = self._redaction.safe_text(value)
            return value if safe == value else safe
        if isinstance(value, _HARMLESS):
            return value
        if isinstance(value, _CONTAINERS):
            return self._within(value, depth - 1) if depth and len(value) <= _ITEMS_LIMIT_COUNT else REDACTED
        return self._object(value)

    def _within(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            safe = {
                self._key(key): self.value(each, str(key), depth=depth)
                for key, each in value.items()
                if not self.hides(str(key))
            }
            is_same = len(safe) == len(value) and all(value.get(key, _GONE) is each for key, each in safe.items())
            return value if is_same else safe
        items = [self.value(each, depth=depth) for each in value]
        if all(safe is each for safe, each in zip(items, value, strict=True)):
            return value
        return tuple(items) if isinstance(value, tuple) else items

    def _key(self, key: Any) -> Any:
        return self._redaction.safe_text(key) if isinstance(key, str) else key

    def _object(self, value: Any) -> Any:
        """An object that formatters write by its repr or its str."""
        for written in (repr(value), str(value)):
            safe = self._redaction.safe_text(written)
            if safe != written:
                return safe
        return value


def _is_called_headers(name: str) -> bool:
    return header_name_of(name).endswith(("headers", "header", "environ"))


def _is_headers(value: Any) -> bool:
    """Whether this is headers, whatever it is called."""
    if isinstance(value, dict | MappingProxyType):
        return "REQUEST_METHOD" in value or any(map(_is_header_name, value))
    if isinstance(value, list | tuple):
        return _are_pairs(value) and any(_is_header_name(name) or isinstance(each, bytes) for name, each in value)
    return type(value).__name__.lower().endswith(_HEADER_TYPES) and _has_lines(value)


def _has_lines(value: Any) -> bool:
    """Whether names and values can be had of it."""
    return hasattr(value, "items") or (isinstance(value, list | tuple) and _are_pairs(value))


def _are_pairs(value: list[Any] | tuple[Any, ...]) -> bool:
    return bool(value) and all(
        isinstance(each, list | tuple) and len(each) == _PAIR_COUNT and isinstance(each[0], str | bytes)
        for each in value
    )


def _is_header_name(key: Any) -> bool:
    """Whether only a header is called so. What is named in bytes is one."""
    return isinstance(key, bytes) or (isinstance(key, str) and key.lower() in _TELLING_NAMES)


def _pairs(value: Any) -> Any:
    """All lines of it: what has several of one name has a method of its own for that."""
    if isinstance(value, dict | MappingProxyType | list | tuple):
        return value
    return list((value.multi_items if hasattr(value, "multi_items") else value.items)())


# Built-in headers that are no word of a program: with a dash, or never to be logged.
_TELLING_NAMES: Final = frozenset(name for name, each in BY_NAME.items() if "-" in name or each.log is Log.NEVER)
