"""Headers as members that stand beside each other: `{"name": "cookie", "value": "a=1"}`.

HAR, Envoy and OTLP have them so. In a text, of JSON, YAML or whatever repr. Rules:
- The name is the value of a member called name, key, header or field; its last part counts, as in
  `http.request.header.cookie`.
- The value is that of a member called value, of the same object, behind it (some short members may stand between) or
  before it.
- No place is looked at twice, but for what stands between a name and its value, which is bounded.
"""

import re
from collections.abc import Callable
from typing import Final

from pennon.headers.texts import Extent, value_at

# In lower case: how the two are called.
NAME_KEYS: Final = frozenset({"name", "key", "header", "field", "header_name", "headername"})
VALUE_KEYS: Final = frozenset({"value", "values", "raw_value", "rawvalue", "header_value", "headervalue"})

_NAMES: Final = r"(?:name|key|header|field)"
_VALUES: Final = r"(?:(?:raw|header)_?)?values?"

# Behind a member's name, up to its value; quotes may be escaped, as of JSON within JSON.
_IS: Final = r"""\\{0,7}+["']?\s{0,64}+[:=]\s{0,64}+\\{0,7}+(?:b(?=["']))?+"""
# What a sign follows is a key itself: what stands under it is not this one's value.
_NAMED: Final = re.compile(
    rf"""{_NAMES}{_IS}["']?(?P<name>[A-Za-z][A-Za-z0-9_.\-]{{1,255}}+)\\{{0,7}}+["']?+(?!\s{{0,64}}+[:=])""",
    re.IGNORECASE,
)
_NEXT: Final = re.compile(
    rf"""(?:\s{{0,64}}+,\s{{0,64}}+|\s{{1,64}}+)\\{{0,7}}+["']?(?P<key>[A-Za-z_]{{1,64}}+){_IS}"""
)
_VALUED: Final = re.compile(rf"(?<![A-Za-z]){_VALUES}{_IS}", re.IGNORECASE)
# A member between the two, behind the first of its quotes or its first letter; so many of them.
_SHORT: Final = re.compile(r"""["'][^"'\\]{0,256}+\\{0,7}+["']|[A-Za-z0-9.+\-]{1,64}+""")
_BETWEEN_LIMIT_COUNT: Final = 8
_BRACKET: Final = re.compile(r"[()\[\]{}]")
_LINE_END: Final = re.compile(r"[\r\n]")


def without_entries(
    text: str, mark: str, extent: Callable[[str, bool], Extent | None], said: Callable[[str, str], str | None]
) -> str:
    """The text, each value replaced whose name stands beside it. The arguments are those of `texts.without_named`."""
    if "alue" not in text and "ALUE" not in text:
        return text
    parts: list[str] = []
    done = looked_at = 0
    for match in _NAMED.finditer(text):
        name = match["name"].rpartition(".")[2]
        if match.start() < done:
            continue
        # Without a dash it may be a word of a program, as "from" and "location" are.
        span = None if extent(name, "-" in name) is None else _value_of(text, match, max(done, looked_at))
        looked_at = match.end()
        if span is None:
            continue
        enclosed = text[slice(*span)]
        value = enclosed.strip("\"'")
        shown = said(name, value)
        edits = [(span, enclosed.replace(value, mark if shown is None else shown, 1) if value else enclosed)]
        if shown is None:
            edits.append((match.span("name"), mark))
        for (start, end), instead in sorted(edits):
            parts += [text[done:start], instead]
            done = end
    return text if not parts else "".join((*parts, text[done:]))


def _value_of(text: str, name: re.Match[str], begun: int) -> tuple[int, int] | None:
    """Where the value stands that belongs to a name: from, to. begun: before this place nobody looks for it."""
    at = name.end()
    for _ in range(_BETWEEN_LIMIT_COUNT):
        member = _NEXT.match(text, at)
        if member is None:
            break
        if member["key"].lower() in VALUE_KEYS:
            return member.end(), _end_of(text, member.end(), len(text))
        between = _SHORT.match(text, member.end())
        if between is None:
            break
        at = between.end()
    return _value_before(text, name, begun)


def _value_before(text: str, name: re.Match[str], begun: int) -> tuple[int, int] | None:
    """The last one before the name, if no bracket stands between."""
    found = None
    for match in _VALUED.finditer(text, begun, name.start()):
        if found is None or match.start() >= found[1]:
            # A value with escaped quotes seems to go on; it ends at the latest where the name stands.
            found = match.end(), _end_of(text, match.end(), name.start())
    return found if found is not None and _BRACKET.search(text, found[1], name.start()) is None else None


def _end_of(text: str, start: int, limit: int) -> int:
    """Where the value ends that begins here, at the latest at the limit."""
    end = start + len(value_at(text, start, limit))
    if text[start:end].endswith(":"):
        # There was none, and what stands here is the next key, or a header's name: it must not go without its value.
        line_end = _LINE_END.search(text, end, limit)
        return limit if line_end is None else line_end.start()
    return end
