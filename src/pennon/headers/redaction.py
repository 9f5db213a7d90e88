"""How a header may stand in a log line: in clear, as a hash, as `<redacted>`.

Rules:
- What nobody has declared is redacted: an unknown header is not known to be harmless.
- A declared field is logged as its contract says, a built-in one as `std` says, and never more openly than its name and
  its class allow: what is named like a credential or classified a secret is redacted, what is personal at least hashed.
- A value in clear that looks like a secret (`leaks`) is redacted all the same.
- A hash is keyed: the first 64 bits of HMAC-SHA256 under the salt. Without a key, trying all short ids finds one.
- Of several headers, those whose rule is NEVER are left out, name and all; at most 100 are told of.
- Free text is not a value: what a name in it says is secret (`texts`), and what looks like it (`leaks`), is taken out.
- In clear, at most 256 characters stand, then a mark that says how long the value was. What is not printable ASCII is
  escaped: no value makes a line of its own, colours a terminal, or turns the text around.
"""

import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from pennon.headers.contract import Contract
from pennon.headers.entries import without_entries
from pennon.headers.fields import Classification, Field, Log
from pennon.headers.grammar import OWS
from pennon.headers.leaks import leak_in, without_leaks
from pennon.headers.std import ALL
from pennon.headers.texts import Extent, without_named

REDACTED: Final = "<redacted>"
SHOWN_LIMIT_CHARS: Final = 256
# Of free text: 300 frames of a traceback. What is not looked at is not shown, and looking costs up to 0.3 ms for 1,000.
TEXT_LIMIT_CHARS: Final = 32_768
HEADERS_LIMIT_COUNT: Final = 100

HeaderText = bytes | str
RawHeaders = Mapping[str, object] | Mapping[bytes, object] | Iterable[tuple[HeaderText, object]]

# Longer values are not hashed: 8 kB take 30 µs.
_HASH_LIMIT_BYTES: Final = 8_192
_HASH_DIGITS_COUNT: Final = 16
# UTF-8 has at most four bytes for a character; twice what is shown is looked at, so that a secret at its end is found.
_LOOKED_AT_BYTES: Final = 8 * SHOWN_LIMIT_CHARS

# Parts of names that say credential, session or debugging, without - and _.
_SENSITIVE: Final = re.compile(
    "accesskey|apikey|authorization|clientcert|cookie|credential|csrf|debug|^dpop$|functionskey|jwt|passwd|password"
    "|pennonoverride|pennoncontext|privatekey|secret|sessid|session|sharedkey|^x?sid$|signature|subscriptionkey|token"
    "|xauth$|xsrf"
)
# Behind a text's end nobody looks for the rest of what begins before it.
_OVERLAP_CHARS: Final = 256
_PLAIN: Final = re.compile(r"[ !-\[\]-~]*+")

# An escape that the cut has halved says another character, or none; a backslash that was there is doubled.
_CUT_ESCAPE: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:x[0-9a-f]?|u[0-9a-f]{0,3}|U[0-9a-f]{0,7})?$")

_STRICTNESS: Final = (Log.CLEAR, Log.HASH, Log.REDACTED, Log.NEVER)
_AT_LEAST: Final = {Classification.SECRET: Log.REDACTED, Classification.PERSONAL: Log.HASH}


def is_sensitive_name(name: str) -> bool:
    """Whether a header of this name holds credentials, a session or debugging aids, whoever declares what."""
    return _SENSITIVE.search(name.lower().replace("-", "").replace("_", "")) is not None


class Redaction:
    """A contract's logging rules, worked out once."""

    __slots__ = ("_rules", "_salt")

    def __init__(self, contract: Contract, *, salt: bytes) -> None:
        """Salt: the key of the hashes; the services of a fleet share it, so that their logs can be joined.

        Raises: ValueError if it is empty.
        """
        if not salt:
            raise ValueError("salt: is empty; hashes without a key are found by trying")
        self._salt = salt
        self._rules = logging_rules(contract)

    def rule(self, name: str) -> Log:
        """How a header of this name may be logged. NEVER: not even its name."""
        return self._rules.get(name.lower(), Log.REDACTED)

    def safe_value(self, name: str, value: bytes | str) -> str:
        """The value as it may stand in a log line: one line of printable ASCII, 300 characters at most."""
        rule = self._rules.get(name.lower(), Log.REDACTED)
        if rule is Log.CLEAR:
            return _clear(value)
        if rule is Log.HASH:
            return _hashed(value, self._salt)
        return REDACTED

    def safe_headers(self, headers: RawHeaders) -> dict[str, str]:
        """Headers as they may stand in a log line: names in lower case, repeated ones joined by commas.

        headers: of HTTP or of a record, values may be None; or a WSGI environ, whose other keys are left out.
        """
        shown: dict[str, str] = {}
        for number, (written, value) in enumerate(_lines(headers)):
            if number == HEADERS_LIMIT_COUNT:
                shown["..."] = f"[cut, {HEADERS_LIMIT_COUNT} headers]"
                break
            name = written.lower()
            if self.rule(name) is Log.NEVER:
                continue
            # A name is a stranger's text as well.
            name = _clear(name)
            said = self.safe_value(written, value)
            shown[name] = f"{shown[name]}, {said}" if name in shown else said
        return shown

    def safe_text(self, text: str) -> str:
        """A message or a traceback as it may stand in a log line; what is over 32,768 characters is cut off."""
        return _safe_text(text, self._extent, self._said)

    def is_telling(self, name: str) -> bool:
        """Whether what stands under this name, a header's or not, is to be kept out of a log."""
        return _extent(self._rules, name) is not None

    def _extent(self, name: str, is_quoted: bool) -> Extent | None:
        return _extent(self._rules, name, is_quoted=is_quoted)

    def _said(self, name: str, value: str) -> str | None:
        folded = header_name_of(name)
        return None if self.rule(folded) is Log.NEVER else self.safe_value(folded, value)


def safe_text(text: str) -> str:
    """As `Redaction.safe_text`, by the rules of the built-in fields alone; nothing is hashed."""
    return _safe_text(text, lambda name, is_quoted: _extent(_STANDARD, name, is_quoted=is_quoted), _said_by_nobody)


def logging_rules(contract: Contract) -> dict[str, Log]:
    """How each header may be logged, by its name in lower case; any other one is redacted."""
    return _STANDARD | _declared(contract)


def header_name_of(key: str) -> str:
    """The header that a key of a WSGI environ, or a name in a program, means: lower-case, with dashes."""
    return key.lower().replace("_", "-").removeprefix("http-")


def safe_header_value(name: str, value: bytes | str, contract: Contract, *, salt: bytes) -> str:
    """As `Redaction.safe_value`, for one value."""
    return Redaction(contract, salt=salt).safe_value(name, value)


def _safe_text(text: str, extent: Callable[[str, bool], Extent | None], said: Callable[[str, str], str | None]) -> str:
    looked_at = text[: TEXT_LIMIT_CHARS + _OVERLAP_CHARS]
    if _MAY_TELL.search(looked_at):
        looked_at = without_entries(looked_at, REDACTED, extent, said)
        looked_at = without_leaks(without_named(looked_at, REDACTED, extent, said), REDACTED)
    if len(text) <= TEXT_LIMIT_CHARS:
        return looked_at
    return f"{looked_at[:TEXT_LIMIT_CHARS]}...[cut, {len(text)} characters]"


def _extent(rules: Mapping[str, Log], name: str, *, is_quoted: bool = False) -> Extent | None:
    """How much of a text belongs to this name; None: it may stand there."""
    folded = header_name_of(name)
    rule = rules.get(folded)
    if rule is not None:
        return None if rule is Log.CLEAR or (folded in _EVERYDAY and not is_quoted) else Extent.LINE
    # Of names that nobody has declared, only a header's looks so, in prose and in the repr of a dict.
    is_header = name.lower().startswith(("x-", "http_")) or (is_quoted and "-" in name)
    if not (is_header or is_sensitive_name(folded)):
        return None
    return Extent.LINE if "-" in name else Extent.WORD


def _said_by_nobody(name: str, _value: str) -> str | None:
    return None if _STANDARD.get(header_name_of(name)) is Log.NEVER else REDACTED


def _lines(headers: RawHeaders) -> Iterable[tuple[str, HeaderText]]:
    """Names and values, one for each line."""
    pairs: Iterable[tuple[HeaderText, object]] = headers.items() if isinstance(headers, Mapping) else headers
    is_environ = isinstance(headers, Mapping) and "REQUEST_METHOD" in headers
    for key, value in pairs:
        name = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        if is_environ:
            if not name.startswith(("HTTP_", "CONTENT_")):
                continue
            name = header_name_of(name)
        for line in value if isinstance(value, list | tuple) else (value,):
            yield name, line if isinstance(line, bytes | str) else "" if line is None else str(line)


def _declared(contract: Contract) -> dict[str, Log]:
    """The rules for a contract's own fields, under each of their names."""
    rules: dict[str, Log] = {}
    for each in contract.fields:
        names = (each.name, each.kafka or each.name)
        strictest = max((_rule(name, each) for name in names), key=_STRICTNESS.index)
        rules |= {name.lower(): strictest for name in names}
    return rules


def _rule(name: str, declared: Field) -> Log:
    floors: Iterable[Log] = (
        declared.log,
        _AT_LEAST.get(declared.classification, Log.CLEAR),
        Log.REDACTED if is_sensitive_name(name) else Log.CLEAR,
    )
    return max(floors, key=_STRICTNESS.index)


def _clear(value: bytes | str) -> str:
    looked_at = value[:_LOOKED_AT_BYTES]
    text = looked_at if isinstance(looked_at, str) else looked_at.decode("utf-8", "replace")
    if leak_in(text) is not None:
        return REDACTED
    if len(text) <= SHOWN_LIMIT_CHARS and _PLAIN.fullmatch(text):
        return text
    shown = text[:SHOWN_LIMIT_CHARS].encode("unicode_escape").decode()
    if len(shown) <= SHOWN_LIMIT_CHARS and len(text) <= SHOWN_LIMIT_CHARS:
        return shown
    unit = "characters" if isinstance(value, str) else "bytes"
    cut = _CUT_ESCAPE.sub(r"\1", shown[:SHOWN_LIMIT_CHARS])
    return f"{cut}...[cut, {len(value)} {unit}]"


def _hashed(value: bytes | str, salt: bytes) -> str:
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    if len(raw) > _HASH_LIMIT_BYTES:
        return REDACTED
    return f"#{hmac.digest(salt, raw.strip(OWS), 'sha256').hex()[:_HASH_DIGITS_COUNT]}"


# Names that are words of their own: "link=https://…" and "from: a to b" are prose.
_EVERYDAY: Final = frozenset({"from", "location", "origin"}) | {
    each.name for each in ALL if "-" not in each.name and each.classification is Classification.PUBLIC
}
# Without any of these neither a name tells of a value nor does anything look like a secret; most lines are done here.
_MAY_TELL: Final = re.compile(r"[:=@,_]|eyJ|-----BEGIN|A(?:K|S)IA|xox|(?i:bearer|basic)|[2-6][0-9 \-]{12}")
_STANDARD: Final = {each.name: _rule(each.name, each) for each in ALL}
