"""Free text without what its names say is secret: `authorization: Bearer …`, `'cookie': 'a=1'`, `api_key=…`.

Whoever writes a header into a sentence mostly writes its name before it. Rules:
- A name is followed by : or =, or stands quoted before a comma and a quote, as in the repr of a pair. No space before
  the sign: `token = …` is a line of source.
- What belongs to it: a quoted text to its closing quote; what begins with a bracket, to the closing one; of a header
  written as one (`cookie: a=1; b=2`), the rest of the line; else a word, and the one behind a scheme.
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
    r"""(?P<between>\\{0,3}+["']?(?::|=(?!=)|,(?=[ ]?b?["']))[ \t]{0,4}+\\{0,3}+(?:b(?=["']))?+)"""
)
_LINE: Final = re.compile(r"[^\r\n]*+")
_WORD: Final = re.compile(
    r"""(?:(?:Bearer|Basic|Digest|Negotiate|Token|ApiKey)[ ]{1,4}+)?[^\s,;&'")\]}]*+""", re.IGNORECASE
)
_ENCLOSED: Final = {
    '"': re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL),
    "'": re.compile(r"'(?:[^'\\]|\\.)*+'?", re.DOTALL),
    "[": re.compile(r"\[[^\]\r\n]*+\]?"),
    "(": re.compile(r"\([^)\r\n]*+\)?"),
    "{": re.compile(r"\{[^}\r\n]*+\}?"),
}
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


def _value_at(text: str, name: re.Match[str], reach: Extent) -> str:
    """What belongs to a name, with the quotes or brackets that it stands in."""
    start = name.end()
    is_line = reach is Extent.LINE and name["between"][0] == ":"
    found = (_LINE if is_line else _ENCLOSED.get(text[start : start + 1], _WORD)).match(text, start)
    return "" if found is None else found.group()
