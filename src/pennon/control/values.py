"""What a single member of an authoring document may hold.

Each type bears the phrase that completes "… found, must be …", so that every fault reads alike, whichever of pydantic's
checks it failed.
"""

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeGuard

from pydantic import AfterValidator, Field, Strict, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from pennon.flags import BUCKETS, version_key_of

KEY_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,63}\z"
_KEY: Final = re.compile(KEY_PATTERN.replace(r"\z", r"\Z"))

VARIANTS_LIMIT_COUNT: Final = 64
RULES_LIMIT_COUNT: Final = 200
CLAUSES_LIMIT_COUNT: Final = 50
PREREQUISITES_LIMIT_COUNT: Final = 10
IN_LIMIT_COUNT: Final = 10_000
MEMBERS_LIMIT_COUNT: Final = 100_000
TAGS_LIMIT_COUNT: Final = 20
DESCRIPTION_LIMIT_CHARACTERS: Final = 2_000
TEXT_LIMIT_CHARACTERS: Final = 1_000
UNIT_KEY_LIMIT_CHARACTERS: Final = 200
SALT_LIMIT_CHARACTERS: Final = 64
SEMVER_LIMIT_CHARACTERS: Final = 100

# Deeper values would meet the recursion limits of the JSON readers that get them; wider ones would fill every stream.
_VALUE_LIMIT_DEPTH: Final = 16
_VALUE_LIMIT_CHARACTERS: Final = 10_000
# Beyond it readers in other languages lose digits (RFC 8259 §6).
INTEGER_LIMIT: Final = 2**53 - 1

# 31 years: longer than any record is kept, and in nanoseconds it fits a signed 64-bit integer.
CARRY_AGE_LIMIT_S: Final = 1_000_000_000


class Must:
    """The phrase of a type; to be the last of its annotations, so that it sees what all of them refuse."""

    def __new__(cls, phrase: str) -> Any:
        """The annotation. phrase: completes "must be …"."""

        def checked(value: Any, handler: Callable[[Any], Any]) -> Any:
            try:
                return handler(value)
            except ValidationError:
                raise must(phrase) from None

        return WrapValidator(checked)


def must(phrase: str) -> PydanticCustomError:
    """The fault of a value that is not what it must be."""
    return PydanticCustomError("must", "{phrase}", {"phrase": phrase})


def is_key(value: object) -> TypeGuard[str]:
    """Whether it can name a flag, variant, rule, segment, environment or project."""
    return isinstance(value, str) and _KEY.match(value) is not None


def is_number(value: object) -> bool:
    """Whether it is an integer or float that every JSON reader reads alike; a boolean is neither."""
    if isinstance(value, float):
        return math.isfinite(value)
    return is_integer(value)


def is_integer(value: object) -> bool:
    """Whether it is an integer that every JSON reader reads alike."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= INTEGER_LIMIT


def is_text(value: object, limit_characters: int = TEXT_LIMIT_CHARACTERS) -> bool:
    """Whether it can be stored and sent: no lone surrogate, no NUL, not too long."""
    if not isinstance(value, str) or len(value) > limit_characters or "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def is_json(value: object, depth: int = _VALUE_LIMIT_DEPTH) -> bool:
    """Whether it is a JSON value within the limits above, at most `depth` containers deep."""
    if isinstance(value, dict | list) and depth == 0:
        return False
    if isinstance(value, dict):
        return all(is_text(key) and is_json(member, depth - 1) for key, member in value.items())
    if isinstance(value, list):
        return all(is_json(member, depth - 1) for member in value)
    return value is None or isinstance(value, bool) or is_number(value) or is_text(value, _VALUE_LIMIT_CHARACTERS)


def _that(holds: Callable[[Any], bool]) -> Any:
    def checked(value: Any) -> Any:
        if not holds(value):
            raise ValueError
        return value

    return AfterValidator(checked)


def _text(limit_characters: int, *, least: int = 0) -> Any:
    return _that(lambda text: len(text) >= least and is_text(text, limit_characters))


_KEY_PHRASE: Final = "1 to 64 of a-z 0-9 . _ -, the first a letter or digit"

Flagword = Annotated[bool, Strict(), Must("true or false")]
Key = Annotated[str, Strict(), Field(pattern=KEY_PATTERN), Must(_KEY_PHRASE)]
Description = Annotated[
    str,
    Strict(),
    _text(DESCRIPTION_LIMIT_CHARACTERS),
    Must(f"a text of at most {DESCRIPTION_LIMIT_CHARACTERS} characters"),
]
Attribute = Annotated[
    str, Strict(), _text(200, least=1), Must("the name of an attribute: a text of 1 to 200 characters")
]
Text = Annotated[
    str, Strict(), _text(TEXT_LIMIT_CHARACTERS), Must(f"a text of at most {TEXT_LIMIT_CHARACTERS} characters")
]
Piece = Annotated[
    str,
    Strict(),
    _text(TEXT_LIMIT_CHARACTERS, least=1),
    Must(f"a text of 1 to {TEXT_LIMIT_CHARACTERS} characters"),
]
UnitKey = Annotated[
    str,
    Strict(),
    _text(UNIT_KEY_LIMIT_CHARACTERS, least=1),
    Must(f"the key of a unit: a text of 1 to {UNIT_KEY_LIMIT_CHARACTERS} characters"),
]
Salt = Annotated[
    str,
    Strict(),
    _text(SALT_LIMIT_CHARACTERS, least=1),
    _that(lambda salt: ":" not in salt),
    Must(f"a text of 1 to {SALT_LIMIT_CHARACTERS} characters without ':'"),
]
Semver = Annotated[
    str,
    Strict(),
    _text(SEMVER_LIMIT_CHARACTERS),
    _that(lambda text: version_key_of(text) is not None),
    Must("a semantic version, e.g. 1.4.0 or 2.0.0-rc.1"),
]
Number = Annotated[Any, _that(is_number), Must(f"a finite number, an integer at most {INTEGER_LIMIT} in size")]
Scalar = Annotated[
    Any,
    _that(lambda value: isinstance(value, bool) or is_number(value) or is_text(value)),
    Must(f"a text of at most {TEXT_LIMIT_CHARACTERS} characters, a finite number, true or false"),
]
Value = Annotated[
    Any,
    _that(is_json),
    Must(
        f"JSON at most {_VALUE_LIMIT_DEPTH} levels deep, texts at most {_VALUE_LIMIT_CHARACTERS} characters, "
        f"integers at most {INTEGER_LIMIT} in size"
    ),
]
CarryAge = Annotated[
    int | None,
    Field(strict=True, ge=1, le=CARRY_AGE_LIMIT_S),
    Must(f"an integer from 1 to {CARRY_AGE_LIMIT_S}, or null"),
]
Share = Annotated[int, Strict(), Field(ge=0, le=BUCKETS), Must(f"an integer from 0 to {BUCKETS}")]
Natural = Annotated[int, Strict(), Field(ge=0, le=INTEGER_LIMIT), Must("an integer from 0")]
