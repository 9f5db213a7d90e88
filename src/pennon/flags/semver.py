"""Versions and their precedence: SemVer 2.0.0, strictly (https://semver.org/spec/v2.0.0.html).

Own code because a clause needs a key that compares in C, and a refusal that costs no exception.
"""

import re
from functools import lru_cache
from typing import Final

# A version's precedence: three numbers, then what stands after "-". Numeric identifiers sort before others (§11.4.3),
# fewer before more (§11.4.4), and any pre-release before the release itself (§11.3).
VersionKey = tuple[int, int, int, tuple[int | tuple[int, int, str], ...]]

_RELEASE: Final = (1,)

# Far above any version in use; it bounds what one attribute can cost.
_LENGTH_LIMIT: Final = 256

_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER: Final = rf"(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_GRAMMAR: Final = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)


# A fleet runs a few hundred versions of its apps; 4,096 bounds what a stranger's inventions can hold, at about 1 MB.
@lru_cache(maxsize=4_096)
def version_key_of(text: str) -> VersionKey | None:
    """What orders versions: equal keys are equal precedence, build metadata left out. None if it is no version."""
    match = _GRAMMAR.fullmatch(text) if len(text) <= _LENGTH_LIMIT else None
    if match is None:
        return None
    major, minor, patch, pre_release = match.groups()
    return int(major), int(minor), int(patch), _pre_release_key(pre_release)


def _pre_release_key(text: str | None) -> tuple[int | tuple[int, int, str], ...]:
    if text is None:
        return _RELEASE
    # fullmatch has made sure that the digits are ASCII.
    return (0, *((0, int(part), "") if part.isdigit() else (1, 0, part) for part in text.split(".")))
