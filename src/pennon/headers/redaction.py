"""How a header may stand in a log line: in clear, as a hash, as `<redacted>`.

Rules:
- What nobody has declared is redacted: an unknown header is not known to be harmless.
- A declared field is logged as its contract says, a built-in one as `std` says, and never more openly than its name and
  its class allow: what is named like a credential or classified a secret is redacted, what is personal at least hashed.
- A value in clear that looks like a secret (`leaks`) is redacted all the same.
- A hash is keyed: the first 64 bits of HMAC-SHA256 under the salt. Without a key, trying all short ids finds one.
- In clear, at most 256 characters stand, then a mark that says how long the value was. What is not printable ASCII is
  escaped: no value makes a line of its own, colours a terminal, or turns the text around.
"""

import hmac
import re
from collections.abc import Iterable
from typing import Final

from pennon.headers.contract import Contract
from pennon.headers.fields import Classification, Field, Log
from pennon.headers.grammar import OWS
from pennon.headers.leaks import leak_in
from pennon.headers.std import ALL

REDACTED: Final = "<redacted>"
SHOWN_LIMIT_CHARS: Final = 256

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
_PLAIN: Final = re.compile(r"[ !-\[\]-~]*+")

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
        self._rules = _STANDARD | _declared(contract)

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


def safe_header_value(name: str, value: bytes | str, contract: Contract, *, salt: bytes) -> str:
    """As `Redaction.safe_value`, for one value."""
    return Redaction(contract, salt=salt).safe_value(name, value)


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
    return f"{shown[:SHOWN_LIMIT_CHARS]}...[cut, {len(value)} {unit}]"


def _hashed(value: bytes | str, salt: bytes) -> str:
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    if len(raw) > _HASH_LIMIT_BYTES:
        return REDACTED
    return f"#{hmac.digest(salt, raw.strip(OWS), 'sha256').hex()[:_HASH_DIGITS_COUNT]}"


_STANDARD: Final = {each.name: _rule(each.name, each) for each in ALL}
