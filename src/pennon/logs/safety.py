"""Values of a log line, whatever they are, without what is secret in them.

Rules:
- What is headers, by what it is called, by its type or by what stands in it, is shown as headers may be.
- What is named like a credential or is a declared header is shown as that header may be, wherever it stands; the name
  may be the key, the first of a pair, or a member beside the value (`{"name": …, "value": …}`).
- Lists and dicts are looked through, as deep as people write them; what lies deeper is dropped.
- Any other object is what it will be written as: if that holds something secret, the text without it takes its place.
- Looking at a value never fails: a value that cannot be looked at is dropped, the line is not.
"""

import datetime
import decimal
import enum
import traceback
import uuid
from collections.abc import Collection, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from pennon.headers import Log
from pennon.headers.entries import NAME_KEYS, VALUE_KEYS
from pennon.headers.redaction import REDACTED, Redaction, header_name_of
from pennon.headers.std import BY_NAME

# As deep as an ASGI scope within an event; a deeper value says more than a line should.
_DEPTH_LIMIT_COUNT: Final = 6
_ITEMS_LIMIT_COUNT: Final = 256
_PAIR_COUNT: Final = 2
# Names of a program's lines are few, and said again and again.
_KEYS_LIMIT_COUNT: Final = 1_024
# Of an attribute that is named for a header; a longer text is none.
_NAME_LIMIT_CHARS: Final = 256

# They stand as they are, under any name.
_NUMBERS: Final = (bool, int, float, type(None))
_HARMLESS: Final = (enum.Enum, decimal.Decimal, uuid.UUID, datetime.date, datetime.time, datetime.timedelta)
_LISTS: Final = (list, tuple, set, frozenset)
_CONTAINERS: Final = (dict, MappingProxyType, *_LISTS)
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
        self._safe_key = lru_cache(_KEYS_LIMIT_COUNT)(redaction.safe_text)

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

    def members(self, members: Mapping[Any, Any], *, depth: int = _DEPTH_LIMIT_COUNT) -> dict[Any, Any]:
        """What stands under names beside each other: of a line, or of a dict within. depth: as of `value`."""
        named = self._named_in(members)
        safe = {}
        for key, each in members.items():
            name = key if isinstance(key, str) else str(key)
            if self.hides(name):
                continue
            if named and name.lower() in VALUE_KEYS:
                name = named
            elif named and name.lower() in NAME_KEYS and self.hides(named):
                each = REDACTED  # noqa: PLW2901  # not even the name may stand there
            safe[self._key(key)] = self.value(each, name, depth=depth)
        return safe

    def _named_in(self, members: Mapping[Any, Any]) -> str:
        """The name, if it is telling, that one member gives to the value in another; else ""."""
        found = _entry(members)
        return "" if found is None else next(filter(None, map(self._telling, found[0])), "")

    def _telling(self, written: Any) -> str:
        """The name that this is, of what may not stand in a log as it is; else ""."""
        if not isinstance(written, str | bytes) or len(written) > _NAME_LIMIT_CHARS:
            return ""
        # Its last part counts, as in OpenTelemetry's http.request.header.cookie.
        name = (written if isinstance(written, str) else written.decode("latin-1")).rpartition(".")[2]
        return name if self._redaction.is_telling(name) else ""

    def _within(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            safe = self.members(value, depth=depth)
            is_same = len(safe) == len(value) and all(value.get(key, _GONE) is each for key, each in safe.items())
            return value if is_same else safe
        # The first of a pair is the other one's name.
        name = self._telling(value[0]) if isinstance(value, list | tuple) and len(value) == _PAIR_COUNT else ""
        if name:
            first = REDACTED if self.hides(name) else self.value(value[0])
            items = [first, self.value(value[1], name, depth=depth)]
        else:
            items = [self.value(each, depth=depth) for each in value]
        if all(safe is each for safe, each in zip(items, value, strict=True)):
            return value
        return tuple(items) if isinstance(value, tuple) else items

    def _key(self, key: Any) -> Any:
        return self._safe_key(key) if isinstance(key, str) and len(key) <= _NAME_LIMIT_CHARS else self.value(key)

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
    if isinstance(value, _LISTS):
        return _are_pairs(value) and any(_is_header_name(name) or isinstance(each, bytes) for name, each in value)
    return type(value).__name__.lower().endswith(_HEADER_TYPES) and _has_lines(value)


def _has_lines(value: Any) -> bool:
    """Whether names and values can be had of it."""
    return hasattr(value, "items") or (isinstance(value, _LISTS) and (_are_pairs(value) or _are_entries(value)))


def _are_entries(value: Collection[Any]) -> bool:
    """Whether each is a name beside its value."""
    return bool(value) and all(isinstance(each, dict) and _entry(each) is not None for each in value)


def _entry(members: Mapping[Any, Any]) -> tuple[list[str | bytes], Any] | None:
    """What may be the name, and the value beside it; None if they are not there."""
    called = {key.lower(): each for key, each in members.items() if isinstance(key, str)}
    if VALUE_KEYS.isdisjoint(called) or NAME_KEYS.isdisjoint(called):
        return None
    names = [each for key, each in called.items() if key in NAME_KEYS and isinstance(each, str | bytes)]
    return (names, next(each for key, each in called.items() if key in VALUE_KEYS)) if names else None


def _are_pairs(value: Collection[Any]) -> bool:
    return bool(value) and all(
        isinstance(each, list | tuple) and len(each) == _PAIR_COUNT and isinstance(each[0], str | bytes)
        for each in value
    )


def _is_header_name(key: Any) -> bool:
    """Whether only a header is called so. What is named in bytes is one."""
    return isinstance(key, bytes) or (isinstance(key, str) and key.lower() in _TELLING_NAMES)


def _pairs(value: Any) -> Any:
    """All lines of it: what has several of one name has a method of its own for that."""
    if isinstance(value, _LISTS):
        return value if _are_pairs(value) else [(names[0], each) for names, each in filter(None, map(_entry, value))]
    if isinstance(value, dict | MappingProxyType):
        return value
    return list((value.multi_items if hasattr(value, "multi_items") else value.items)())


# Built-in headers that are no word of a program: with a dash, or never to be logged.
_TELLING_NAMES: Final = frozenset(name for name, each in BY_NAME.items() if "-" in name or each.log is Log.NEVER)
