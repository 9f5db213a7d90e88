"""Free text without what its names say is secret: `authorization: Bearer …`, `'cookie': 'a=1'`, `api_key=…`.

Whoever writes a header into a sentence mostly writes its name before it. Rules:
- A name is followed by : or =, or stands quoted before a comma and a quote, as in the repr of a pair; what a colon
  follows is the next key (`{'vary': 'cookie', 'dpop': …}`). No space before the sign: `token = …` is source.
- What belongs to it: a quoted text to its closing quote; what begins with a bracket, to the one that closes it; of a
  header written as one (`cookie: a=1; b=2`), the rest of the line, and the lines that it is folded over (RFC 9112
  §5.2): those that are indented deeper than its own; else a word, and the one behind a scheme.
- A name beside its value (`{"name": "cookie", "value": "a=1"}`) is `entries`' matter.
- The work at one place is bounded: no text costs more than its length.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Final


class Extent(Enum):
    """How much of a text belongs to an unquoted name that a colon follows."""

    WORD = 1
    LINE = 2


_NAME: Final = re.compile(
    r"""(?<![A-Za-z0-9_\-])(?P<name>[A-Za-z][A-Za-z0-9_\-]{1,127}+)"""
    r"""(?P<between>\\{0,3}+["']?(?::|=(?!=)|,(?=\s{0,64}+b?["'])(?!\s{0,64}+b?["'][^"'\\\s]{1,128}+["']:))"""
    r"""(?:(?<=,)\s{0,64}+|[ \t]{0,4}+)\\{0,3}+(?:b(?=["']))?+)"""
)
_LINE: Final = re.compile(r"[^\r\n]*+")
_FOLD: Final = re.compile(r"(?:\r\n|\r|\n)(?P<indent>[ \t]++)[^\r\n]*+")
_INDENT: Final = re.compile(r"[ \t]*+")
_WORD: Final = re.compile(
    r"""(?:(?:Bearer|Basic|Digest|Negotiate|Token|ApiKey)[ ]{1,4}+)?[^\s,;&'")\]}]*+""", re.IGNORECASE
)
_ENCLOSED: Final = {
    '"': re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL),
    "'": re.compile(r"'(?:[^'\\]|\\.)*+'?", re.DOTALL),
}
_OPENING: Final = frozenset("([{")
# What decides where a bracket is closed: other brackets, and texts, in which they count for nothing.
_BRACKETS: Final = re.compile(r"""\\.|"(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?|[(\[{]|[)\]}]""", re.DOTALL)
# What says that there is nothing.
_NOTHING: Final = frozenset({"", "None", "null", "true", "false", "True", "False"})


def without_named(
    text: str, mark: str, extent: Callable[[str, bool], Extent | None], said: Callable[[str, str], str | None]
) -> str:
    """The text, each value that a name tells of replaced.

    extent: of a name as it stands there, and whether in quotes; None: it tells of nothing secret.
    said: what takes a value's place, by name and value; None: the mark, which takes the name's place as well.
    """
    parts: list[str] = []
    done = 0
    for match in _NAME.finditer(text):
        if match.start() < done:
            continue
        is_quoted = match["between"].lstrip("\\")[0] in "\"'"
        reach = extent(match["name"], is_quoted)
        if reach is None:
            continue
        enclosed = _value_at(text, match, reach)
        value = enclosed.strip("\"'")
        if value in _NOTHING or value == mark:
            continue
        shown = said(match["name"], value)
        if shown is None:
            parts += [text[done : match.start()], mark]
            # The quote that stands before the name.
            parts += enclosed[-1:] if is_quoted and enclosed[-1:] in "\"'" else ""
        else:
            parts += [text[done : match.end()], enclosed.replace(value, shown, 1)]
        done = match.end() + len(enclosed)
    return text if not parts else "".join((*parts, text[done:]))


def value_at(text: str, start: int, end: int) -> str:
    """The value that begins here, with the quotes or brackets that it stands in; end: where it ends at the latest."""
    first = text[start : start + 1]
    if first in _OPENING:
        return text[start : _closed_at(text, start, end)]
    found = _ENCLOSED.get(first, _WORD).match(text, start, end)
    return "" if found is None else found.group()


def _value_at(text: str, name: re.Match[str], reach: Extent) -> str:
    """What belongs to a name, with the quotes or brackets that it stands in."""
    if reach is Extent.LINE and name["between"][0] == ":":
        return text[name.end() : _line_end(text, name)]
    return value_at(text, name.end(), len(text))


def _line_end(text: str, name: re.Match[str]) -> int:
    """Where a header's line ends, the lines among it that it is folded over."""
    begun = max(text.rfind("\n", 0, name.start()), text.rfind("\r", 0, name.start())) + 1
    indent = _INDENT.match(text, begun)
    line = _LINE.match(text, name.end())
    assert indent is not None  # noqa: S101  # both match what is empty
    assert line is not None  # noqa: S101
    end = line.end()
    while (fold := _FOLD.match(text, end)) and len(fold["indent"]) > len(indent.group()):
        end = fold.end()
    return end


def _closed_at(text: str, start: int, end: int) -> int:
    """Behind the bracket that closes the one here; the end if none does."""
    depth = 0
    for found in _BRACKETS.finditer(text, start, end):
        first = found.group()[0]
        depth += (first in _OPENING) - (first in ")]}")
        if depth == 0:
            return found.end()
    return end
