"""Values for a declared syntax: some that match, the longest, one too long, and those that just do not match.

They are made from the regular expression's own parse tree, so that each branch and both ends of each range of
characters are tried. What cannot be made from it (a look-ahead, a reference to a group) gives fewer values, never
wrong ones: each is matched before it is handed out.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from itertools import islice
from string import ascii_letters, digits, punctuation
from typing import Any, Final

# Hypothesis reads expressions by the same module; there is no public way.
_parser: Final = import_module("re._parser")

_SAMPLES_LIMIT_COUNT: Final = 8
_VISIBLE: Final = ascii_letters + digits + punctuation + " "
# WSGI joins the lines of one name with commas: a value with one is several values there.
_SINGLE: Final = _VISIBLE.replace(",", "")
# A space at an end is no part of a value.
_PLAIN: Final = _SINGLE.replace(" ", "")
_LAST_VISIBLE: Final = 0x7E
_CATEGORIES: Final = {"CATEGORY_DIGIT": "09", "CATEGORY_WORD": "aZ0_", "CATEGORY_SPACE": " "}


def values_of(syntax: str, max_length: int) -> tuple[str, ...]:
    """Some values that match, none longer than max_length; () if none is found."""
    return _values_of(syntax, max_length)


@cache
def _values_of(syntax: str, max_length: int) -> tuple[str, ...]:
    pattern = re.compile(syntax)
    found = (text for text in _texts(_parser.parse(syntax)) if _is_value(text, pattern, max_length))
    return tuple(islice(dict.fromkeys(found), _SAMPLES_LIMIT_COUNT))


def stretched(syntax: str, value: str, length: int) -> str | None:
    """A value that matches and is exactly this long, made of one that is shorter; None if there is none."""
    pattern = re.compile(syntax)
    missing = length - len(value)
    if missing < 0:
        return None
    for place in range(len(value), -1, -1):
        for character in dict.fromkeys(value[max(0, place - 1) : place + 1] + "a0A"):
            text = value[:place] + character * missing + value[place:]
            if _is_value(text, pattern, length):
                return text
    return None


def longest(syntax: str, max_length: int) -> str | None:
    """A value that matches and is as long as may be; None if none matches."""
    values = values_of(syntax, max_length)
    for length in range(max_length, 0, -1):
        for value in values:
            text = stretched(syntax, value, length)
            if text is not None:
                return text
    return None


def too_long(syntax: str, max_length: int) -> str | None:
    """A value that would match, were it not one character longer than max_length; None if the syntax bounds it."""
    for value in values_of(syntax, max_length):
        text = stretched(syntax, value, max_length + 1)
        if text is not None:
            return text
    return None


def near_misses(syntax: str, max_length: int) -> tuple[str, ...]:
    """Visible values within max_length that do not match, and differ in one character from one that does."""
    pattern = re.compile(syntax)
    values = values_of(syntax, max_length)
    if not values:
        return ()
    base = values[0]
    found = (
        text
        for character in _SINGLE
        for text in (base + character, base[:-1] + character)
        if _is_visible(text) and len(text) <= max_length and pattern.fullmatch(text) is None
    )
    return tuple(dict.fromkeys(found))


def _is_value(text: str, pattern: re.Pattern[str], max_length: int) -> bool:
    return _is_visible(text) and len(text) <= max_length and pattern.fullmatch(text) is not None


def _is_visible(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and text == text.strip()


def _texts(tree: Any) -> Iterator[str]:
    """Texts of a sequence: the first of all parts, the second of all parts, and so on, round by round."""
    parts = [_of_node(str(kind), argument) for kind, argument in tree]
    rounds = max((len(part) for part in parts), default=1)
    for number in range(rounds):
        yield "".join(part[number % len(part)] for part in parts)


def _of_node(kind: str, argument: Any) -> list[str]:
    if kind == "LITERAL":
        return [chr(argument)]
    if kind == "NOT_LITERAL":
        return ["b" if chr(argument) == "a" else "a"]
    if kind == "ANY":
        return ["a"]
    if kind == "IN":
        return _of_set(argument)
    if kind == "BRANCH":
        return [text for branch in argument[1] for text in _texts(branch)]
    if kind == "SUBPATTERN":
        return list(_texts(argument[3]))
    if kind == "ATOMIC_GROUP":
        return list(_texts(argument))
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _repeated(*argument)
    return [""]  # a place, or a condition: what is made of it is matched afterwards


def _repeated(least: int, most: int, tree: Any) -> list[str]:
    texts = list(_texts(tree))
    count = max(least, min(int(most), len(texts)))
    all_of_them = "".join(texts[number % len(texts)] for number in range(count))
    return list(dict.fromkeys([all_of_them, texts[0] * max(least, min(int(most), 1)), texts[0] * least]))


def _of_set(items: Sequence[Any]) -> list[str]:
    if str(items[0][0]) == "NEGATE":
        excluded = {character for item in items[1:] for character in _in_item(*item)}
        return [next((character for character in _PLAIN if character not in excluded), "")]
    return [character for item in items for character in _ends_of(_in_item(*item))] or [""]


def _ends_of(characters: str) -> str:
    """Both ends of a range, and a letter and a digit if it has them: the ends alone may be nothing but punctuation."""
    shown = "".join(character for character in characters if character in _PLAIN)
    return "".join(dict.fromkeys(shown[:1] + "".join(each for each in "aA0" if each in shown) + shown[-1:]))


def _in_item(kind: Any, argument: Any) -> str:
    if str(kind) == "RANGE":
        return "".join(map(chr, range(argument[0], min(argument[1], _LAST_VISIBLE) + 1)))
    if str(kind) == "CATEGORY":
        return _CATEGORIES.get(str(argument), "a")
    return chr(argument)
