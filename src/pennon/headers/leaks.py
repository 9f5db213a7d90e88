"""What looks like a secret or like somebody's own: values that must stand neither in baggage nor in a log.

It looks, it does not know: what it finds is worth a second look, and what it does not find may be a secret all the
same. Rules:
- JWT (RFC 7519): base64url of an object that begins {" is eyJ; with eight more characters it is no word.
- PEM (RFC 7468): the line before the key.
- Tokens whose makers begin them alike: pennon's own, GitHub's, AWS's, Slack's, Stripe's.
- Card numbers (ISO/IEC 7812): 13 to 19 digits, in groups or not, that begin with 2 to 6, as those of all large issuers
  do, and whose check digit is right (Luhn). One number in ten has it right by chance.
- E-mail addresses (RFC 5321 §4.1.2), as people have them: ASCII, with a dot in the domain.
Each pattern's work at one place is bounded; `leak_in` looks at 1,024 characters: no text costs more than its length.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final

# What may stand in baggage altogether.
_SCAN_LIMIT_CHARS: Final = 1_024
# So many numbers of a card's shape in one value are no accident, whatever their check digits.
_NUMBERS_LIMIT_COUNT: Final = 8


class Leak(StrEnum):
    """What a value looks like."""

    JWT = "jwt"
    PEM = "pem"
    TOKEN = "token"  # noqa: S105  # a kind of value
    CARD = "card"
    EMAIL = "email"


_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_\-]{8}")
_PEM: Final = re.compile(r"-----BEGIN [A-Z]")
_TOKEN: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:pn_(?:adm|sdk)_|gh[opsur]_|github_pat_|AKIA|ASIA|xox[abeprs]-|[rs]k_(?:live|test)_)[A-Za-z0-9_\-]{8}"
)
_CARD: Final = re.compile(r"(?<![0-9A-Za-z])[2-6](?:[ \-]?[0-9]){12,18}(?![0-9A-Za-z])")
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+\-]@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2}")
# The same as wholes, to be taken out of a text: what a pattern begins with is enough to see one, not to take it out.
# The dots between its parts may be percent-encoded.
_WHOLE_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_\-]{8}(?:[A-Za-z0-9_\-.]|%2[Ee])*+")
_WHOLE_PEM: Final = re.compile(r"-----BEGIN [A-Z][^-]*+-----(?:[^-]|-(?!----END ))*+(?:-----END [^-]*+-----)?")
_WHOLE_TOKEN: Final = re.compile(_TOKEN.pattern + r"[A-Za-z0-9_\-]*+")
_WHOLE_EMAIL: Final = re.compile(
    r"[A-Za-z0-9._%+\-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,63}"
)
# RFC 3986 §3.2.1: a user and a password within an address.
_USERINFO: Final = re.compile(r"(?<=://)[^/\s@?#:]{0,256}:[^/\s@?#]{1,256}@")
# RFC 9110 §11.4: a scheme and its credentials, which hold a digit, an equals sign or a capital letter within, or are
# long: "bearer authentication" and "basic understanding" are prose.
_CREDENTIALS: Final = re.compile(
    r"(?<![A-Za-z])((?i:Bearer|Basic)) {1,4}"
    r"(?=[A-Za-z._~+/\-]{0,64}(?:[0-9=]|[a-z][A-Z])|[A-Za-z._~+/\-]{24})[A-Za-z0-9._~+/\-]{6,}+=*+"
)
_NO_SEPARATORS: Final = str.maketrans("", "", " -")
# Twice a digit, and of two digits their sum.
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")


def leak_in(text: str) -> Leak | None:
    """What the first 1,024 characters look like; None: nothing of the kind."""
    text = text[:_SCAN_LIMIT_CHARS]
    if "eyJ" in text and _JWT.search(text):
        return Leak.JWT
    if "-----BEGIN " in text and _PEM.search(text):
        return Leak.PEM
    if _TOKEN.search(text):
        return Leak.TOKEN
    if "@" in text and _EMAIL.search(text):
        return Leak.EMAIL
    return Leak.CARD if _holds_card(text) else None


def without_leaks(text: str, mark: str) -> str:
    """The whole text, the mark in place of each part that looks like a secret, and of credentials in their place."""
    if "eyJ" in text:
        text = _WHOLE_JWT.sub(mark, text)
    if "-----BEGIN " in text:
        text = _WHOLE_PEM.sub(mark, text)
    text = _CREDENTIALS.sub(rf"\1 {mark}", _WHOLE_TOKEN.sub(mark, text))
    if "@" in text:
        text = _WHOLE_EMAIL.sub(mark, _USERINFO.sub(f"{mark}@", text))
    return _CARD.sub(_card_replaced_by(mark), text)


def _card_replaced_by(mark: str) -> Callable[[re.Match[str]], str]:
    return lambda match: mark if _is_luhn(match.group()) else match.group()


def _holds_card(text: str) -> bool:
    for number, match in enumerate(_CARD.finditer(text), start=1):
        if number > _NUMBERS_LIMIT_COUNT or _is_luhn(match.group()):
            return True
    return False


def _is_luhn(written: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1, annex B)."""
    digits = written.translate(_NO_SEPARATORS)[::-1]
    doubled = digits[1::2].translate(_DOUBLED)
    return (sum(map(int, digits[::2])) + sum(map(int, doubled))) % 10 == 0
